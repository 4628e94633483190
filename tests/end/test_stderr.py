"""Standard error that nobody reads, that is stopped, full or closed: nothing else may suffer from it."""

import fcntl
import os
import pty
import re
import signal
import socket
import subprocess
import termios
import tty
import urllib.error
import urllib.request

import pytest

from dns_client import EDE_STALE, Dns
from process import PATIENCE, die_with_parent, free_port, wait_until
from server import BINARY

SERVFAIL = 2
BAD = 300  # keys whose warnings are more than a small pipe takes
LINE = re.compile(r"(?:(?:DEBUG|INFO|WARNING|ERROR):root:.+)")


class Sink:
    """What a process has as standard error. `fd` is its end."""

    def __init__(self, fd, reader=None):
        self.fd, self.reader, self.text = fd, reader, b""

    def fill(self):
        """Through a description of our own, or the process would inherit O_NONBLOCK."""
        own = os.open(f"/proc/self/fd/{self.fd}", os.O_WRONLY | os.O_NONBLOCK)
        try:
            while os.write(own, b"x" * 512):
                pass
        except BlockingIOError:
            pass
        os.close(own)

    def read(self):
        """All that has come up to now."""
        os.set_blocking(self.reader, False)
        try:
            while part := os.read(self.reader, 65536):
                self.text += part
        except BlockingIOError:
            pass
        return self.text

    def release(self):
        """Let it flow again."""

    def close(self):
        os.close(self.fd)
        if self.reader is not None:
            os.close(self.reader)


class FullPipe(Sink):
    def __init__(self):
        reader, fd = os.pipe()
        super().__init__(fd, reader)
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 4096)
        self.fill()


class FullSocket(Sink):
    def __init__(self):
        ours, theirs = socket.socketpair()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        super().__init__(theirs.detach(), ours.detach())
        with socket.socket(fileno=os.dup(self.fd)) as own:
            try:
                while own.send(b"x" * 512, socket.MSG_DONTWAIT):
                    pass
            except BlockingIOError:
                pass


class StoppedTerminal(Sink):
    def __init__(self):
        reader, fd = pty.openpty()
        super().__init__(fd, reader)
        tty.setraw(fd)
        termios.tcflow(fd, termios.TCOOFF)

    def release(self):
        termios.tcflow(self.fd, termios.TCOON)


class Full(Sink):
    def __init__(self):
        super().__init__(os.open("/dev/full", os.O_WRONLY))


class NoReader(Sink):
    def __init__(self):
        reader, fd = os.pipe()
        os.close(reader)
        super().__init__(fd)


STUCK = [FullPipe, FullSocket, StoppedTerminal]
FAILING = [Full, NoReader]


@pytest.fixture
def sink(request):
    made = request.param()
    yield made
    made.close()


@pytest.fixture
def start(own_registry):
    """Runs empusa with that sink as its standard error."""
    started = []

    def begin(sink, *args, **options):
        process = subprocess.Popen([BINARY, *map(str, args)], env=own_registry.env, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=sink.fd, preexec_fn=die_with_parent, **options)
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def page(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5 * PATIENCE) as reply:
            return reply.read().decode()
    except urllib.error.HTTPError:
        return ""
    except OSError:
        return None


def is_ready(server, port):
    assert server.poll() is None
    return page(port, "/readyz")


def metric(port, name):
    return int(re.search(rf"^empusa_{name} (\d+)$", page(port, "/metrics"), re.M)[1])


def answers(port):
    try:
        return Dns(port).data("n._t._tcp", "SRV")
    except OSError:
        return False


def put_bad(registry, count=BAD, start=0):
    registry.etcd.put_many((registry.service_key("bad", f"{i:05}-{'n' * 150}"), f"no location {i}")
                           for i in range(start, start + count))


def assert_whole_lines(text):
    lines = text.decode().splitlines()
    lines[0] = lines[0].lstrip("x")  # what filled it
    assert all(LINE.fullmatch(line) for line in lines if line), lines
    assert text.endswith(b"\n"), text[-200:]
    return lines


@pytest.mark.parametrize("sink", [*STUCK, *FAILING], indirect=True)
def test_a_server_goes_on(own_registry, start, sink):
    port, pages = free_port(), free_port()
    registry, dns = own_registry, Dns(port)
    put_bad(registry)
    server = start(sink, "--log-level", "DEBUG", "serve", "--listen", f"127.0.0.1:{port}", "--http",
                   f"127.0.0.1:{pages}", "--stale-limit", "3", "--no-resolve-hosts")
    wait_until(lambda: is_ready(server, pages))
    registry.put("t", "n", "10.0.0.1:80")
    wait_until(lambda: dns.data("n._t._tcp", "SRV"))
    put_bad(registry, start=BAD)
    registry.put("t", "o", "10.0.0.1:80")
    wait_until(lambda: dns.data("o._t._tcp", "SRV"))
    server.send_signal(signal.SIGHUP)
    server.send_signal(signal.SIGUSR1)
    registry.etcd.kill()
    wait_until(lambda: dns.ask("n._t._tcp", "SRV", edns=1232).ede == EDE_STALE)
    wait_until(lambda: dns.ask("n._t._tcp", "SRV").rcode == SERVFAIL)
    assert page(pages, "/healthz") is not None
    wait_until(lambda: metric(pages, "log_lines_lost_total") > 0)
    server.send_signal(signal.SIGTERM)
    assert server.wait(15 * PATIENCE) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("sink", [StoppedTerminal, FullPipe], indirect=True)
def test_what_belongs_to_another_user_cannot_be_opened_again(own_registry, sink):
    """A terminal after su(1)."""
    os.fchmod(sink.fd, 0o600)
    port = free_port()
    put_bad(own_registry)
    own_registry.put("t", "n", "10.0.0.1:80")
    server = subprocess.Popen(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", BINARY, "serve", "--listen",
                               f"127.0.0.1:{port}", "--no-resolve-hosts"], stdin=subprocess.DEVNULL,
                              env=own_registry.env,
                              stderr=sink.fd, preexec_fn=die_with_parent)
    try:
        wait_until(lambda: answers(port))
        sink.release()
        wait_until(lambda: b"lines lost" in sink.read())
    finally:
        server.send_signal(signal.SIGTERM)
        wait_until(lambda: (sink.read(), server.poll())[1] is not None)
        assert server.returncode == 0


@pytest.mark.parametrize("sink", STUCK, indirect=True)
def test_lines_that_were_lost_are_counted_and_none_is_there_by_half(own_registry, start, sink):
    port, pages = free_port(), free_port()
    put_bad(own_registry)
    server = start(sink, "--log-level", "DEBUG", "serve", "--listen", f"127.0.0.1:{port}", "--http",
                   f"127.0.0.1:{pages}", "--no-resolve-hosts")
    wait_until(lambda: is_ready(server, pages))
    wait_until(lambda: metric(pages, "log_lines_lost_total") > 0)
    sink.release()
    wait_until(lambda: b"lines lost" in sink.read())
    server.send_signal(signal.SIGUSR1)
    wait_until(lambda: b" is fresh: " in sink.read())
    server.send_signal(signal.SIGTERM)
    assert server.wait(15 * PATIENCE) == 0
    lines = assert_whole_lines(sink.read())
    lost = [int(match[1]) for line in lines if (match := re.fullmatch(r"WARNING:root:(\d+) lines lost", line))]
    assert lost and min(lost) > 0, lines


@pytest.mark.parametrize("sink", STUCK, indirect=True)
def test_its_description_stays_as_the_shell_has_it(own_registry, start, sink):
    port = free_port()
    before = fcntl.fcntl(sink.fd, fcntl.F_GETFL)
    server = start(sink, "serve", "--listen", f"127.0.0.1:{port}", "--no-resolve-hosts")
    own_registry.put("t", "n", "10.0.0.1:80")
    wait_until(lambda: answers(port))
    assert fcntl.fcntl(sink.fd, fcntl.F_GETFL) == before
    server.send_signal(signal.SIGTERM)
    assert server.wait(15 * PATIENCE) == 0
    assert fcntl.fcntl(sink.fd, fcntl.F_GETFL) == before


@pytest.mark.parametrize("sink", [FullPipe, StoppedTerminal, Full], indirect=True)
def test_a_keeper_goes_on(own_registry, start, sink):
    registry = own_registry
    keeper = start(sink, "--log-level", "DEBUG", "service", "register", "--service-type", "t", "--service-name", "n",
                   "--service-location", "10.0.0.1:80", "--ttl", "5", "--refresh-every", "1")
    wait_until(lambda: registry.service("t", "n"))
    for _ in range(2):
        registry.delete("service", "t", "n")
        wait_until(lambda: registry.service("t", "n"))
    keeper.send_signal(signal.SIGTERM)
    assert keeper.wait(15 * PATIENCE) == 0
    assert registry.service("t", "n") is None


@pytest.mark.parametrize("sink", [FullPipe], indirect=True)
def test_a_command_waits_for_a_reader_but_not_for_ever(own_registry, start, sink):
    process = start(sink, "switch", "set", "s", "v")
    wait_until(lambda: own_registry.etcd.get(own_registry.key("switch", "s")))
    wait_until(lambda: b"INFO:root:switch s set to v\n" in sink.read())
    assert process.wait(15 * PATIENCE) == 0
    sink.fill()
    processes = [start(sink, *wrong) for wrong in (["--wrong"], ["switch", "get", "none"], ["serve", "--listen", "x"])]
    assert [process.wait(20 * PATIENCE) for process in processes] == [2, 1, 2]


def test_warnings_of_a_kind_are_ten_a_second(own_registry):
    """20,000 of them were 6.6 MB."""
    registry = own_registry
    put_bad(registry, 20000)
    registry.put("dns-sd", "x", "10.0.0.1:80")  # of another kind, or the same: it may not hide
    server = registry.serve()
    wait_until(lambda: any("more of these" in line for line in server.err))
    put_bad(registry, 5, start=30000)
    wait_until(lambda: sum(told(line) for line in server.err) == 20006, what="each is written or counted")
    assert len(server.err) < 200 and sum(map(len, server.err)) < 100000


def told(line):
    """How many unpublished keys this line stands for."""
    if match := re.match(r"WARNING:root:(\d+) more of these: .* is not published: ", line):
        return int(match[1])
    return int(" is not published: " in line)
