"""Many TCP connections at once, of whoever wants all for himself; others are answered as ever."""

import os
import select
import socket
import statistics
import struct
import threading
import time

import pytest

from dns_client import query_wire, question
from process import PATIENCE, wait_until
from server import Registry

CROWD = 1200  # instances: all that a message holds
SLOTS = 200


@pytest.fixture(scope="module")
def busy(etcd):
    registry = Registry(etcd, f"/floods-{os.getpid()}")
    registry.etcd.put_many((registry.service_key("crowd", f"member-{i:04}"), f"10.{i // 250}.{i % 250}.1:80")
                           for i in range(CROWD))
    registry.register("web", "one", "10.1.2.3:80")
    yield registry
    registry.stop()


def framed(name, kind):
    wire = query_wire(question(name, kind))
    return struct.pack("!H", len(wire)) + wire


LARGE, SMALL = framed("_crowd._tcp", "SRV"), framed("one._web._tcp", "SRV")


def connect(port, host, receive=None):
    sock = socket.socket()
    if receive:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    sock.bind((host, 0))
    sock.connect(("127.0.0.1", port))
    sock.setblocking(False)
    return sock


class Readers:
    """Clients that ask for large answers as fast as these come."""

    def __init__(self, port, count):
        self.socks = {sock.fileno(): sock for sock in (connect(port, "127.0.0.1") for _ in range(count))}
        self.over, self.octets = threading.Event(), 0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        poll = select.epoll()
        for fd, sock in self.socks.items():
            poll.register(fd, select.EPOLLIN)
            sock.send(LARGE * 8)
        asked = dict.fromkeys(self.socks, 0)
        while not self.over.is_set():
            for fd, _ in poll.poll(0.1):
                got = len(self.socks[fd].recv(1 << 18))
                self.octets += got
                asked[fd] += got
                if asked[fd] > 4 * 60000:
                    asked[fd] = 0
                    self.socks[fd].send(LARGE * 4)

    def stop(self):
        self.over.set()
        self.thread.join()
        for sock in self.socks.values():
            sock.close()


def test_udp_does_not_wait_for_large_answers_over_tcp(busy):
    server = busy.serve("--workers", "1", "--tcp-connections", "400")
    readers = Readers(server.port, 200)
    try:
        wait_until(lambda: readers.octets > 20_000_000, what="large answers")
        waits = []
        for _ in range(40):
            begun = time.monotonic()
            assert server.dns.data("one._web._tcp", "SRV", tcp=False)
            waits.append(time.monotonic() - begun)
    finally:
        readers.stop()
    assert statistics.median(waits) < 0.03 * PATIENCE, waits


def idle(sock, turn):
    pass


def halves(sock, turn):
    half = len(SMALL) // 2
    sock.send(SMALL[:half] if turn == 0 else SMALL[half:] + SMALL[:half])


def octets(sock, turn):
    sock.send(b"\xff" if turn == 0 else b"\xff" * 3)


def deaf(sock, turn):
    sock.send(LARGE)


@pytest.mark.parametrize("networks", [1, 50])
@pytest.mark.parametrize("trick", [idle, halves, octets, deaf])
def test_nobody_keeps_others_out(busy, trick, networks):
    server = busy.serve("--workers", "2", "--tcp-connections", SLOTS)
    over = threading.Event()

    def attack():
        socks = {}
        while not over.is_set():
            for i in range(SLOTS + 20):
                try:
                    trick(socks[i], 1)
                except (KeyError, OSError):
                    try:
                        socks[i] = connect(server.port, f"127.0.{10 + i % networks}.1", 4096)
                        trick(socks[i], 0)
                    except OSError:
                        pass
            over.wait(0.3)
        for sock in socks.values():
            sock.close()

    attacker = threading.Thread(target=attack, daemon=True)
    attacker.start()
    try:
        time.sleep(1)
        for i in range(40):
            with connect(server.port, "127.0.7.7") as sock:
                sock.settimeout(5 * PATIENCE)
                sock.sendall(SMALL)
                assert len(sock.recv(65536)) > 2, f"question {i}"
            time.sleep(0.02)
    finally:
        over.set()
        attacker.join()
