"""Descriptors, memory and whoever reads the log are used up while a server runs.

Invariants: `never-denied`, `right` and `answered`, where nothing more is said; `no-leak`. Where there is no memory for an entry,
SERVFAIL stands for what would be denied; it is never denied.
"""

import os
import resource
import signal
import socket
import subprocess
import time

import pytest

from dns_client import Dns, query_wire, question
from holders import TTL_S, hold, location, registered
from process import PATIENCE, die_with_parent, free_port, wait_until
from resources import Holdings, descriptors
from server import BINARY

FLOOD = 300
NETWORKS = 10  # so that each holds more connections than whoever asks
SPARE = 60
SERVFAIL = 2


@pytest.fixture
def cluster(make_cluster):
    return make_cluster()


@pytest.fixture
def model(cluster, make_model):
    filled = make_model(cluster)
    for i in range(5):
        filled.put(f"n{i}")
    return filled


def limit(process, kind, number):
    """The soft limit; gives the one that there was."""
    before = resource.prlimit(process.pid, kind)
    resource.prlimit(process.pid, kind, (number, before[1]))
    return before


class Flood:
    """Connections from other networks that are opened and left open, ever more of them."""

    def __init__(self, port):
        self.port, self.socks = port, []

    def more(self, count):
        for i in range(count):
            sock = socket.socket()
            sock.settimeout(0.2)
            try:
                sock.bind((f"127.0.{10 + i % NETWORKS}.1", 0))
                sock.connect(("127.0.0.1", self.port))
                sock.send(b"\0\x50half a question")
            except OSError:
                pass
            self.socks.append(sock)
            time.sleep(0.001)

    def stop(self):
        for sock in self.socks:
            sock.close()


def test_connections_take_all_descriptors(verdict, cluster, model, make_asker):
    """never-denied, right, answered, no-leak: questions over UDP and over TCP are answered, and etcd is followed."""
    server = model.registry.serve("--workers", "2", "--tcp-idle", "60")
    asker = make_asker(model, server)
    asker.wait_asked(50)
    holdings, usual = None, len(descriptors(server))
    for _ in range(2):
        before = limit(server, resource.RLIMIT_NOFILE, max(descriptors(server)) + SPARE)
        flood = Flood(server.port)
        flood.more(FLOOD)
        model.put("n0")
        model.delete("n1")
        asker.wait_right()
        model.put("n1")
        flood.more(FLOOD)
        asker.wait_right()
        server.send(signal.SIGHUP)
        cluster.kill()  # a connection to etcd is had, whatever others hold
        model.away()
        asker.wait_stale()
        cluster.start()
        cluster.wait_writes()
        back = model.back()
        model.put("n2")
        asker.wait_right(40)
        flood.stop()
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, before)
        if not holdings:
            wait_until(lambda: len(descriptors(server)) <= usual + 4, 15, "what the flood held is closed")
            holdings = Holdings(server)
    verdict.judge("no descriptors", asker, back)
    holdings.judge(verdict, "no descriptors")


@pytest.mark.once  # a sanitizer ends the program where there is no memory
@pytest.mark.parametrize("kind", [resource.RLIMIT_AS, resource.RLIMIT_DATA], ids=["address space", "data"])
def test_memory_does_not_suffice_for_all(verdict, model, make_asker, kind, monkeypatch):
    """never-denied, right, answered: of what was known, over UDP, as a connection over TCP is memory, too. Of what finds no
    memory it is SERVFAIL, until there is some."""
    monkeypatch.setattr("asker.TCP_EVERY", 1 << 30)
    registry = model.registry
    server = registry.serve()
    asker = make_asker(model, server)
    holdings = Holdings(server)
    with open(f"/proc/{server.pid}/status", encoding="ascii") as status:
        used = {line.split(":")[0]: int(line.split()[1]) << 10 for line in status if line.endswith("kB\n")}
    before = limit(server, kind, used["VmSize" if kind == resource.RLIMIT_AS else "VmData"] + (1 << 20))
    kinds = 0
    while not server.find_line("not all of the registry is served"):
        assert kinds < 400, "there was memory for all"
        registry.etcd.put_many((registry.service_key(f"grow{kinds}", f"n{j}-{'x' * 40}"), f"h{kinds}-{j}.example:1")
                               for j in range(100))
        kinds += 1
    flood = Flood(server.port)
    flood.more(FLOOD)
    known = [server.dns.ask(f"_grow{i}._tcp", "SRV", edns=1232) for i in range(kinds)]
    denied = [reply for reply in known if reply.rcode == 3 or (reply.rcode == 0 and reply.answer_count == 0)]
    verdict.add("no memory", "never-denied", not denied, f"{len(denied)} of {kinds} types are denied")
    verdict.add("no memory", "never-denied", server.dns.ask("nosuch", "A").rcode == SERVFAIL, "what might be there")
    resource.prlimit(server.pid, kind, before)
    flood.stop()
    begin = time.monotonic()
    server.wait_line("all of the registry is served again", 70)
    took = time.monotonic() - begin
    left = [i for i in range(kinds) if server.dns.ask(f"_grow{i}._tcp", "SRV", tcp=True).answer_count != 100]
    verdict.add("memory again", "right", not left, f"{len(left)} of {kinds} types are not whole", took)
    verdict.judge("no memory", asker)
    registry.etcd.delete_prefix(registry.key("service", "grow"))
    wait_until(lambda: server.dns.ask("_grow0._tcp", "SRV").is_nxdomain())
    # A connection to etcd that memory did not suffice for is made anew.
    wait_until(lambda: len(descriptors(server)) <= holdings.descriptors + 4)


class Muted:
    """A server whose messages go where a test says, and which is known by its answers alone."""

    def __init__(self, registry, stderr):
        self.port = free_port()
        self.child = subprocess.Popen([BINARY, "serve", "--listen", f"127.0.0.1:{self.port}", "--no-resolve-hosts",
                                       "--log-level", "DEBUG"], env=registry.env, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=stderr, preexec_fn=die_with_parent)
        self.dns = Dns(self.port)
        self.pid = self.child.pid
        wait_until(self._is_ready, 20, "it answers")

    def _is_ready(self):
        try:
            raw = self.dns.udp(query_wire(question("", "SOA")), 0.2)
        except OSError:
            return False
        return raw and raw[3] & 15 == 0

    def send(self, number):
        self.child.send_signal(number)

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        return self.child.wait(15 * PATIENCE)


def full_pipe():
    """Its write end, and what reads it."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while os.write(writing, b"x" * 4096):
            pass
    except BlockingIOError:
        os.set_blocking(writing, True)
    return writing, reading


@pytest.mark.parametrize("log", ["full pipe", "closed pipe", "/dev/full"])
def test_nobody_takes_the_log(verdict, cluster, model, make_asker, log):
    """never-denied, right, answered, no-leak: and it still ends with status 0."""
    reading = None
    if log == "/dev/full":
        writing = os.open("/dev/full", os.O_WRONLY)
    else:
        writing, reading = full_pipe()
    server = Muted(model.registry, writing)
    os.close(writing)
    if log == "closed pipe":
        os.close(reading)
        reading = None
    try:
        asker = make_asker(model, server)
        asker.wait_right()
        holdings = None
        for _ in range(2):
            for _ in range(100):
                server.send(signal.SIGUSR1)
                server.send(signal.SIGHUP)
            cluster.kill()
            model.away()
            asker.wait_stale()
            cluster.start()
            cluster.wait_writes()
            back = model.back()
            for i in range(100):
                model.registry.put("odd", f"n{i}", "no location")  # each is a line
            model.put("n0")
            asker.wait_right()
            holdings = holdings or Holdings(server)
        verdict.judge(log, asker, back)
        holdings.judge(verdict, log)
        if reading is not None:
            os.set_blocking(reading, False)
            wait_until(lambda: b"lines lost" in read_all(reading, server), 15, "it says how many lines were lost")
    finally:
        status = server.stop()
        if reading is not None:
            os.close(reading)
    assert status == 0


def read_all(descriptor, server):
    """What is in the pipe; a signal makes the server say something more."""
    server.send(signal.SIGUSR1)
    try:
        return os.read(descriptor, 1 << 20)
    except BlockingIOError:
        return b""


def test_a_keeper_without_descriptors_keeps_its_entry(verdict, cluster, model):
    """once: also when its connection ends and it must make another."""
    registry = model.registry
    keeper = hold(registry, "n", 1)
    before = limit(keeper, resource.RLIMIT_NOFILE, max(descriptors(keeper)) + 1)
    cluster.restart_member(cluster.members[0])
    end = time.monotonic() + TTL_S + 3
    seen = []
    while time.monotonic() < end:
        seen.append(registered(registry) == {"n": location(1)})
        time.sleep(0.1)
    verdict.add("as few as it had", "once", all(seen), f"{seen.count(False)} of {len(seen)} looks were without it")
    resource.prlimit(keeper.pid, resource.RLIMIT_NOFILE, before)
    assert keeper.stop() == 0
