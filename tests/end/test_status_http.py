"""The status pages among clients that hold on to them, and beside a control thread that is stuck."""

import contextlib
import ctypes
import os
import re
import resource
import signal
import socket
import time
import urllib.error
import urllib.request

import pytest

from process import PATIENCE, free_port, on_free_ports, wait_until
from relay import Relay

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207


class Pages:
    """A server with status pages, and raw clients of them."""

    def __init__(self, registry, *args, **options):
        self.port = free_port()
        self.server = registry.serve("--http", f"127.0.0.1:{self.port}", *args, **options)
        self.clients = []

    def get(self, path, timeout=2.0, **headers):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=timeout * PATIENCE) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def connect(self, text="", receive=None):
        client = socket.socket()
        if receive:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        client.settimeout(10 * PATIENCE)
        client.connect(("127.0.0.1", self.port))
        client.sendall(text.encode())
        client.setblocking(False)
        self.clients.append(client)
        return client

    def metrics(self):
        """{name and labels, without empusa_: number}"""
        lines = [line.rsplit(" ", 1) for line in self.get("/metrics")[1].splitlines() if line[:1] != "#"]
        return {name.removeprefix("empusa_"): float(number) for name, number in lines}

    def has_services(self, count):
        return f"\nempusa_zone_services {count}\n" in self.get("/metrics")[1]

    def open(self):
        """Which of the clients the server has not ended."""
        return [client for client in self.clients if not has_ended(client)]

    def unread(self):
        """Octets that the kernel keeps for clients, of connections that are the kernel's alone or not."""
        with open("/proc/net/tcp", encoding="ascii") as file:
            rows = [line.split() for line in file][1:]
        return sum(int(row[4].split(":")[0], 16) for row in rows if int(row[1].split(":")[1], 16) == self.port and
                   row[3] != "0A")


def has_ended(client):
    try:
        return client.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


@pytest.fixture
def pages(registry):
    made = []

    @on_free_ports
    def make(*args):
        made.append(Pages(registry, *args))
        return made[-1]

    yield make
    for one in made:
        for client in one.clients:
            client.close()


def assert_probed(pages):
    for path in ("/healthz", "/readyz"):
        assert pages.get(path) == (200, "ok\n")
    assert pages.get("/metrics")[0] == 200


@pytest.mark.parametrize("text", ["", "G", "GET /healthz HTTP/1.1\r\n", "GET /healthz HTTP/1.1\r\nHost: h\r\n",
                                  "POST /healthz HTTP/1.1\r\nContent-Length: 9\r\n"])
def test_a_few_half_requests_lock_nobody_out(pages, text):
    status = pages()
    for _ in range(20):
        status.connect(text)
    time.sleep(0.2)
    assert_probed(status)
    assert len(status.open()) == 20


def test_of_300_idle_connections_the_oldest_are_ended_and_a_probe_gets_in(pages):
    status = pages()
    for i in range(300):
        status.connect("GET /hea" if i % 2 else "")
    for _ in range(10):
        assert_probed(status)
    wait_until(lambda: 200 <= len(status.open()) <= 256)
    assert all(has_ended(client) for client in status.clients[:44])
    assert not has_ended(status.clients[-1])
    assert status.server.dns.ask("", "SOA").rcode == 0
    wait_until(lambda: not status.open(), 30)  # their 10 s


def test_fewer_connections_can_be_asked_for(pages):
    status = pages("--http-connections", "4")
    for _ in range(8):
        status.connect()
        time.sleep(0.05)
    wait_until(lambda: len(status.open()) == 4)
    assert status.open() == status.clients[4:]
    assert_probed(status)


def test_who_does_not_read_locks_nobody_out_and_is_forgotten(pages):
    status = pages()
    for _ in range(300):
        status.connect("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", receive=1)
    assert_probed(status)
    wait_until(lambda: status.unread() > 100_000)
    assert_probed(status)
    wait_until(lambda: status.unread() == 0, 60)
    assert_probed(status)


def test_an_octet_a_second_does_not_keep_a_place(pages):
    status = pages()
    client = status.connect("GET /healthz HTTP/1.1\r\nX: ")
    start = time.monotonic()
    while not has_ended(client):
        assert time.monotonic() - start < 20 * PATIENCE
        with contextlib.suppress(OSError):
            client.send(b"x")
        time.sleep(0.5)
    assert time.monotonic() - start > 8


class Stopped:
    """One thread of a process is stopped, the others go on."""

    def __init__(self, thread):
        self.thread, self.libc = thread, ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

    def __enter__(self):
        if self.libc.ptrace(PTRACE_SEIZE, self.thread, None, None) != 0:
            pytest.skip(f"ptrace: {os.strerror(ctypes.get_errno())}")
        assert self.libc.ptrace(PTRACE_INTERRUPT, self.thread, None, None) == 0
        os.waitpid(self.thread, 0x40000000)  # __WALL

    def __exit__(self, *_):
        assert self.libc.ptrace(PTRACE_DETACH, self.thread, None, None) == 0


def test_a_control_thread_that_is_stuck_is_told_while_all_else_goes_on(pages, registry):
    registry.put("t", "n", "10.0.0.1:80")
    status = pages()
    assert_probed(status)
    wait_until(lambda: status.has_services(1))  # as of its last turn
    with Stopped(status.server.pid):
        assert status.get("/healthz") == (200, "ok\n")
        wait_until(lambda: status.get("/healthz")[0] == 503)
        assert re.fullmatch(r"stuck: the control thread has not turned for \d+ s\n", status.get("/healthz")[1])
        assert status.get("/readyz") == (200, "ok\n")
        assert status.has_services(1)
        assert status.server.dns.data("n._t._tcp", "SRV")
    wait_until(lambda: status.get("/healthz")[0] == 200)


def test_clients_do_not_cost_the_control_thread_a_turn(pages, registry):
    """While hundreds come and go, what is registered is served as fast as ever."""
    status = pages()
    for _ in range(300):
        status.connect("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", receive=1)
    for i in range(5):
        registry.put("t", f"n{i}", "10.0.0.1:80")
        wait_until(lambda i=i: status.server.dns.data(f"n{i}._t._tcp", "SRV"), 2)
        wait_until(lambda i=i: status.has_services(i + 1), 2)


def test_names_that_are_not_ours_get_probes_and_metrics_only(pages):
    status = pages("--http-host", "status.example,other.example")
    for host in ("127.0.0.1", f"127.0.0.1:{status.port}", "[::1]:80", "localhost", socket.gethostname(), "Status.Example:80",
                 "other.example"):
        assert status.get("/", Host=host)[0] == 404, host
    for host in ("evil.example", f"evil.example:{status.port}", "localhost.evil.example"):
        code, text = status.get("/", Host=host)
        assert code == 421 and "--http-host" in text, host
        for path in ("/healthz", "/readyz", "/metrics"):
            assert status.get(path, Host=host)[0] == 200, host


def tasks(pid):
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="utf-8") as file:
            yield task, dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_its_thread_has_no_rights_of_its_own(pages):
    status = pages("--user", "nobody")
    def threads():
        return {facts["Name"]: facts for _, facts in tasks(status.server.pid)}

    found = wait_until(lambda: "MHD-single" in threads() and threads())  # it names itself
    for name, facts in found.items():
        assert set(facts["Uid"].split()) == {"65534"} and int(facts["CapEff"], 16) == int(facts["CapPrm"], 16) == 0, name
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD):  # not for this thread
        assert int(found["MHD-single"]["SigBlk"], 16) >> (number - 1) & 1
    assert_probed(status)


def test_there_are_descriptors_for_all_connections(pages):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))  # this process needs some itself
    try:
        status = pages("--http-connections", "2000", "--tcp-connections", "1")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert resource.prlimit(status.server.pid, resource.RLIMIT_NOFILE)[0] >= 2032


# what they say of the data

@pytest.fixture
def cut_off(own_registry):
    """Pages of a server behind a relay."""
    link = Relay(own_registry.etcd.members[0].port)
    own_registry.put("t", "n", "10.0.0.1:80")
    status = Pages(own_registry, endpoints=link.endpoint)
    yield status, link, f'{{member="{link.endpoint}"}}'
    link.stop()


def test_an_outage_shows_in_the_metrics(own_registry, cut_off):
    status, link, member = cut_off
    wait_until(lambda: status.metrics()["data_lag_seconds"] < 2)  # proven again and again, as nothing changes
    now = status.metrics()
    assert now["data_lag_revisions"] == now["etcd_outages_total"] == now["zone_stale_seconds"] == 0
    assert now[f"etcd_connects_total{member}"] == now[f"etcd_watched{member}"] == now["etcd_loads_total"] == 1
    assert now["etcd_revision"] == now["zone_revision"] == own_registry.etcd.revision()
    link.cut()
    wait_until(lambda: status.metrics()["zone_stale_seconds"] > 2)
    gone = status.metrics()
    assert gone["data_lag_seconds"] > 2 and gone["data_lag_seconds"] > gone["zone_stale_seconds"]
    assert gone["etcd_outages_total"] == 1 and gone[f"etcd_watched{member}"] == 0 and gone[f"etcd_failures_total{member}"] > 0
    assert gone['zone_state_seconds_total{state="stale"}'] == gone["zone_stale_seconds"]
    link.heal()
    wait_until(lambda: status.metrics()["zone_stale_seconds"] == 0 and status.metrics()["data_lag_seconds"] < 2)
    back = status.metrics()
    assert back[f"etcd_connects_total{member}"] == 2 and back[f"etcd_watched{member}"] == 1
    assert back["etcd_outages_total"] == 1 and back["etcd_loads_total"] == 2  # the store may have been filled anew
    assert back['zone_state_seconds_total{state="stale"}'] >= gone["zone_stale_seconds"]


def test_what_others_write_is_no_change_but_is_not_proven_either(own_registry, cut_off):
    status, _, _ = cut_off
    wait_until(lambda: status.metrics()["data_lag_seconds"] < 2)
    before = status.metrics()
    for i in range(7):
        own_registry.etcd.put("/elsewhere/x", str(i))
    wait_until(lambda: status.metrics()["etcd_revision"] == before["etcd_revision"] + 7)
    now = status.metrics()
    assert now["zone_revision"] == before["zone_revision"]
    assert now["data_lag_revisions"] == 7 or now["watch_proofs_total"] > before["watch_proofs_total"]


@pytest.mark.long
def test_what_others_write_is_proven_within_half_a_minute(own_registry, cut_off):
    status, _, _ = cut_off
    before = status.metrics()
    own_registry.etcd.put("/elsewhere/x", "y")
    wait_until(lambda: status.metrics()["etcd_revision"] > before["etcd_revision"])  # by the next probe
    wait_until(lambda: status.metrics()["data_lag_revisions"] == 0 and status.metrics()["data_lag_seconds"] < 2, 60)
    assert status.metrics()["watch_proofs_total"] > before["watch_proofs_total"]
    assert status.metrics()["etcd_loads_total"] == 1
