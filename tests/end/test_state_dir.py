"""serve --state-dir: what a restart finds, whatever happened to the process, the disk, the directory and etcd."""

import os
import random
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest

from dns_client import EDE_INVALID, EDE_STALE
from process import ADDRESS_IN_USE, PortTaken, Process, free_port, on_free_ports, temporary_directory, wait_until
from saved_tree import FILE, SavedTree, rewrite_format, rewrite_head
from server import BINARY

SERVFAIL = 2
AS_ROOT = [] if os.getuid() == 0 else ["--map-root-user"]
UNSHARE = ["unshare", "--mount", "--propagation", "private", *AS_ROOT]
NOWHERE = "127.0.0.1:1"


def can_mount():
    return shutil.which("unshare") and subprocess.run(
        [*UNSHARE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False).returncode == 0


@pytest.fixture
def base():
    """A directory in memory: nothing here waits for a disk."""
    directory = temporary_directory()
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def state(base):
    return os.path.join(base, "state")


@pytest.fixture
def saved(base, state):
    return lambda: SavedTree(state, os.path.join(base, "scratch"))


def page(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def metric(port, name):
    line, = (line for line in page(port, "/metrics")[1].splitlines() if line.startswith(f"empusa_{name} "))
    return float(line.split()[1])


def is_stale(dns, name="n._t._tcp"):
    reply = dns.ask(name, "SRV", edns=1232)
    return reply.rcode == 0 and reply.ede == EDE_STALE


def ports(dns, kind="t"):
    return sorted(int(data.split()[2]) for data in dns.data(f"_{kind}._tcp", "SRV"))


def content(etcd, root, revision=0):
    """{key: (value, lease, revision)} of all below the root, at a revision."""
    from etcd import KeyValue, b64  # pylint: disable=import-outside-toplevel
    prefix = f"{root}/".encode()
    reply = etcd.call("/kv/range", {"key": b64(prefix), "range_end": b64(prefix[:-1] + b"0"), "revision": str(revision)})
    found = map(KeyValue, reply.get("kvs", []))
    return {kv.key: (kv.value, kv.lease - (1 << 64) if kv.lease >> 63 else kv.lease, kv.mod_revision) for kv in found}


def warnings(server):
    return [line for line in server.err if line.startswith(("WARNING:", "ERROR:")) and "more than 100 instances" not in line]


def wait_saved(registry, saved):
    """Until the file holds what etcd has. It is read while it is written: what is half of either is read again."""
    def is_there():
        try:
            found = saved()
        except Exception:  # pylint: disable=broad-except
            return None
        return found if found.rows == content(registry.etcd, registry.root) else None
    return wait_until(is_there, 20, "the copy is what etcd has")


def fill(registry, count=20):
    lease = registry.etcd.grant(600)
    for i in range(count):
        registry.put("t", f"n{i}", f"10.0.0.1:{i + 1}", lease if i % 2 else 0)
    registry.put("t", "n", "10.0.0.1:1000")
    registry.put_switch("a/b", "on")


# restarts

def test_a_restart_without_etcd_answers_at_once_and_as_stale(own_registry, state, saved):
    fill(own_registry)
    server = own_registry.serve("--state-dir", state)
    own_registry.wait_served(server.dns)
    serial = server.dns.serial()
    assert server.stop() == 0
    assert os.stat(state).st_mode & 0o7777 == 0o700 and sorted(os.listdir(state)) == [FILE]
    assert saved().rows == content(own_registry.etcd, own_registry.root)
    assert saved().root == own_registry.key("") and saved().serial == serial and saved().cluster != 0
    assert abs(saved().contact - time.time()) < 60
    own_registry.etcd.kill()
    for _ in range(2):
        http = free_port()
        server = own_registry.serve("--state-dir", state, "--http", f"127.0.0.1:{http}", "--record-ttl", "60")
        dns = server.dns
        for tcp in (False, True):
            reply = dns.ask("n._t._tcp", "SRV", edns=1232, tcp=tcp)
            assert reply.data() == ["0 1 1000 10-0-0-1.addr.empusa.internal."] and reply.ede == EDE_STALE
            assert reply.ttls() == {30}
        assert ports(dns) == [*range(1, 21), 1000] and dns.data("b.a.switch", "TXT") == ['"on"']
        assert dns.ask("no._t._tcp", "SRV", edns=1232).is_nxdomain()
        assert dns.serial() == serial
        assert page(http, "/readyz") == (200, "stale\n")
        server.wait_line(r"^WARNING:root:no contact with etcd, trying again: .*\(answering what is known\)$")
        assert "21 services, 1 switches, revision" in server.serving
        assert server.stop() == 0
        assert saved().serial == serial
    own_registry.etcd.start()
    server = own_registry.serve("--state-dir", state)
    wait_until(lambda: server.dns.ask("n._t._tcp", "SRV", edns=1232).ede is None)
    assert server.dns.serial() == serial and warnings(server) == []


def test_the_difference_is_applied_when_etcd_is_there(own_registry, state, saved):
    fill(own_registry, 300)
    assert own_registry.serve("--state-dir", state).stop() == 0
    own_registry.put("t", "new", "10.0.0.1:2000")
    own_registry.put("t", "n0", "10.0.0.1:3000")
    for i in range(100, 150):
        own_registry.delete("service", "t", f"n{i}")
    kept = {*range(2, 101), *range(151, 301), 1000}
    server = own_registry.serve("--state-dir", state)

    def is_caught_up():
        seen = ports(server.dns)
        assert kept <= set(seen), "nothing flaps"
        return set(seen) == kept | {2000, 3000}
    wait_until(is_caught_up)
    own_registry.wait_served(server.dns)
    assert server.dns.ask("n._t._tcp", "SRV", edns=1232).ede is None
    assert wait_saved(own_registry, saved).serial == server.dns.serial()
    # And what comes after it.
    own_registry.put("t", "n1", "10.0.0.1:4000")
    own_registry.delete("service", "t", "n2")
    wait_saved(own_registry, saved)
    assert warnings(server) == []


@pytest.mark.parametrize("token", [None, "another"], ids=["same-cluster", "another-cluster"])
def test_an_etcd_that_was_wiped_meanwhile_is_believed(own_registry, state, saved, token):
    """The same revisions have other values then."""
    for i in range(20):
        own_registry.put("t", f"n{i}", f"10.0.0.1:{i + 1}")
    server = own_registry.serve("--state-dir", state)
    own_registry.wait_served(server.dns)
    serial = server.dns.serial()
    assert server.stop() == 0
    own_registry.etcd.wipe(token)
    for i in range(10):
        own_registry.put("t", f"n{i}", f"10.0.0.1:{i + 501}")
    server = own_registry.serve("--state-dir", state)
    wait_until(lambda: ports(server.dns) == list(range(501, 511)))
    wait_until(lambda: server.dns.ask("n1._t._tcp", "SRV", edns=1232).ede is None)
    assert (server.dns.serial() - serial) % (1 << 32) in range(1, 1 << 31), "it does not go back"
    wait_saved(own_registry, saved)


def test_the_limit_counts_from_the_last_contact_of_an_earlier_process(own_registry, state, saved):
    fill(own_registry)
    assert own_registry.serve("--state-dir", state).stop() == 0
    own_registry.etcd.kill()
    now = int(time.time())
    rewrite_head(state, contact=now - 86500)
    http = free_port()
    server = own_registry.serve_unready("--state-dir", state, "--http", f"127.0.0.1:{http}")
    server.wait_line("^WARNING:root:etcd has been away for --stale-limit 86400 s: queries fail until it is back$")
    reply = server.dns.ask("n._t._tcp", "SRV", edns=1232)
    assert reply.rcode == SERVFAIL and reply.ede == EDE_INVALID
    assert page(http, "/readyz") == (503, "expired\n") and not server.find_line("serving")
    own_registry.etcd.start()
    server.wait_ready()
    wait_until(lambda: server.dns.ask("n._t._tcp", "SRV", edns=1232).ede is None)
    assert server.stop() == 0
    own_registry.etcd.kill()
    assert saved().contact >= now
    # What is left of it; and a clock that was set back makes nothing old.
    rewrite_head(state, contact=int(time.time()) - 996)
    server = own_registry.serve("--state-dir", state, "--stale-limit", "1000")
    wait_until(lambda: server.dns.ask("n._t._tcp", "SRV", edns=1232).ede == EDE_INVALID, 20)
    assert server.stop() == 0
    rewrite_head(state, contact=int(time.time()) + 100000)
    server = own_registry.serve("--state-dir", state, "--stale-limit", "1000")
    assert is_stale(server.dns)


def test_an_outage_is_written_down_when_it_begins(own_registry, state, saved):
    fill(own_registry)
    server = own_registry.serve("--state-dir", state)
    wait_saved(own_registry, saved)
    own_registry.etcd.kill()
    before = time.time()
    server.wait_line("no contact with etcd")
    wait_until(lambda: saved().contact >= int(before) - 5)
    time.sleep(1.5)
    contact = saved().contact
    server.kill()
    assert contact <= time.time() and saved().contact == contact


# killed

class Writer:
    """Changes all the time, in groups too."""

    def __init__(self, registry, seed):
        self.registry, self.random, self.is_over, self.failure = registry, random.Random(seed), False, None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        from etcd import b64  # pylint: disable=import-outside-toplevel
        try:
            while not self.is_over:
                ops, names = [], self.random.sample(range(300), self.random.choice((1, 1, 1, 5, 40)))
                for name in names:
                    key = b64(self.registry.service_key("t", f"n{name}"))
                    if self.random.random() < 0.3:
                        ops.append({"request_delete_range": {"key": key}})
                    else:
                        value = f"10.0.{self.random.randrange(4)}.{self.random.randrange(250)}:{name + 1}"
                        ops.append({"request_put": {"key": key, "value": b64(value)}})
                self.registry.etcd.call("/kv/txn", {"success": ops})
        except OSError as error:
            self.failure = error

    def stop(self):
        self.is_over = True
        self.thread.join()
        assert self.failure is None


def test_killed_at_any_moment_it_leaves_a_whole_earlier_state(own_registry, state, saved, seed, request):
    fill(own_registry, 300)
    assert own_registry.serve("--state-dir", state).stop() == 0
    writer = Writer(own_registry, seed)
    last = 0
    for _ in range(200 if request.config.getoption("--long") else 20):
        server = own_registry.serve("--state-dir", state)
        time.sleep(random.random() * 2)
        server.kill()
        found = saved()
        assert found.revision >= last
        last = found.revision
        expected = content(own_registry.etcd, own_registry.root, found.revision)
        assert found.rows == expected, f"revision {found.revision}"
        server = own_registry.serve("--state-dir", state, endpoints=NOWHERE)
        assert is_stale(server.dns, "b.a.switch") and server.dns.serial() == found.serial
        assert f"revision {found.revision}" in server.serving
        named = [key for key in expected if key.startswith(own_registry.key("service", "t", ""))]
        assert len(ports(server.dns)) == len(named)
        server.kill()
    writer.stop()
    server = own_registry.serve("--state-dir", state)
    wait_saved(own_registry, saved)
    assert warnings(server) == [] and server.stop() == 0


def test_a_serial_beyond_etcds_revision_never_goes_back(own_registry, own_etcd, state):
    """It is only here, and what is killed has not written its last down."""
    for i in range(40):
        own_registry.put("t", "n", f"10.0.0.1:{i + 1}")
    assert own_registry.serve("--state-dir", state).stop() == 0
    own_etcd.wipe()
    own_registry.put("t", "n", "10.0.0.1:5000")
    last = 0
    for i in range(6):
        server = own_registry.serve("--state-dir", state)
        wait_until(lambda: is_stale(server.dns) or server.dns.data("n._t._tcp", "SRV"))
        assert server.dns.serial() >= last
        wait_until(lambda: server.dns.ask("n._t._tcp", "SRV", edns=1232).ede is None)
        assert server.dns.serial() >= last
        for k in range(8):
            own_registry.put("t", "n", f"10.0.0.1:{6000 + 10 * i + k}")
        wait_until(lambda: ports(server.dns) == [6000 + 10 * i + 7])
        last = server.dns.serial()
        assert (server.kill() if i % 2 == 0 else server.stop()) in (0, -signal.SIGKILL)


# disks and directories

@pytest.fixture
def mounted(base, state, own_registry, monkeypatch):
    """serve() behind a mount of the test's own: `mount` is a line of shell, $1 the directory."""
    if not can_mount():
        pytest.skip("no mount namespace here")

    def serve(mount, *args, **options):
        script = os.path.join(base, "mounted")
        with open(script, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\nset -e\nif [ -z \"$MOUNTED\" ]; then\n"
                       f"    MOUNTED=1 exec {' '.join(UNSHARE)} \"$0\" \"$@\"\nfi\n"
                       f"set -- \"{state}\" \"$@\"\n{mount}\nshift\nunset MOUNTED\nexec \"{BINARY}\" \"$@\"\n")
        os.chmod(script, 0o755)
        monkeypatch.setattr("server.BINARY", script)
        os.makedirs(state, 0o700, exist_ok=True)
        server = own_registry.serve("--state-dir", state, *args, **options)
        monkeypatch.undo()
        return server, f"/proc/{server.pid}/root{state}"
    return serve


def test_a_full_disk_costs_the_copy_and_no_answer(own_registry, base, mounted):
    fill(own_registry, 300)
    http = free_port()
    server, inside = mounted('mount -t tmpfs -o size=2m,mode=700 none "$1"', "--http", f"127.0.0.1:{http}")
    look = lambda: SavedTree(inside, os.path.join(base, "scratch"))  # pylint: disable=unnecessary-lambda-assignment
    before = wait_saved(own_registry, look)
    with open(os.path.join(inside, "filler"), "wb", buffering=0) as filler:
        with pytest.raises(OSError):
            while True:
                filler.write(bytes(4096))
        for i in range(300):
            own_registry.put("t", f"n{i}", f"10.0.0.1:{i + 2001}")
        own_registry.put("t", "more", "10.0.0.1:9")
        server.wait_line(r'^WARNING:root:the copy ".*" cannot be written, trying again: database or disk is full$', 30)
        wait_until(lambda: ports(server.dns) == [9, 1000, *range(2001, 2301)])
        own_registry.put("t", "even-more", "10.0.0.1:10")
        wait_until(lambda: ports(server.dns)[:2] == [9, 10])
        assert server.dns.ask("n._t._tcp", "SRV", edns=1232).ede is None
        wait_until(lambda: metric(http, "state_dir_write_failures_total") >= 2, 30)
        assert metric(http, "state_dir_bytes") > 0
        assert look().revision >= before.revision
        filler.truncate(0)
    server.wait_line(r'^INFO:root:the copy ".*" is written again$', 60)
    wait_saved(own_registry, look)
    assert len(warnings(server)) == 1, warnings(server)
    wait_until(lambda: metric(http, "state_dir_age_seconds") < 20)


def test_a_disk_that_is_too_small_from_the_start_gets_it_all_once_there_is_room(own_registry, base, mounted):
    fill(own_registry, 300)
    server, inside = mounted('mount -t tmpfs -o size=24k,mode=700 none "$1"')
    server.wait_line("cannot be written, trying again", 30)
    assert ports(server.dns) == [*range(1, 301), 1000]
    own_registry.put("t", "more", "10.0.0.1:9999")
    wait_until(lambda: ports(server.dns)[-1] == 9999)
    subprocess.run(["nsenter", f"--mount=/proc/{server.pid}/ns/mnt", "mount", "-o", "remount,size=4m",
                    os.path.dirname(inside.split("/root", 1)[1] + "/")], check=True)
    server.wait_line("is written again", 60)
    wait_saved(own_registry, lambda: SavedTree(inside, os.path.join(base, "scratch")))


def test_a_read_only_file_system_is_read(own_registry, state, saved, mounted):
    fill(own_registry)
    server = own_registry.serve("--state-dir", state)
    wait_saved(own_registry, saved)
    server.kill()  # its log is still there
    before = {name: os.stat(os.path.join(state, name)).st_mtime_ns for name in os.listdir(state)}
    server, _ = mounted('mount --bind "$1" "$1"\nmount -o remount,bind,ro "$1"', endpoints=NOWHERE)
    assert is_stale(server.dns) and ports(server.dns) == [*range(1, 21), 1000]
    server.wait_line("no contact with etcd")
    assert len(warnings(server)) == 2 and "no copy is kept" in warnings(server)[0]
    server.stop()
    assert before == {name: os.stat(os.path.join(state, name)).st_mtime_ns for name in os.listdir(state)}


def test_a_second_server_is_refused(own_registry, state):
    fill(own_registry, 3)
    first = own_registry.serve("--state-dir", state)
    second = own_registry("serve", "--listen", f"127.0.0.1:{free_port()}", "--state-dir", state)
    assert second.error_line() == f'ERROR:root:--state-dir "{state}": another process uses it'
    first.kill()
    assert own_registry.serve("--state-dir", state).stop() == 0


@pytest.mark.parametrize("name", [FILE, f"{FILE}-wal"])
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/dev/null", path), os.mkdir])
def test_what_is_no_file_is_not_opened(own_registry, state, name, make):
    """A pipe would be waited for."""
    fill(own_registry, 3)
    os.mkdir(state, 0o700)
    make(os.path.join(state, name))
    server = own_registry.serve("--state-dir", state)
    assert ports(server.dns) == [1, 2, 3, 1000]
    assert any("is no regular one" in line for line in warnings(server)), server.err
    own_registry.put("t", "more", "10.0.0.1:5000")
    wait_until(lambda: ports(server.dns)[-1] == 5000)
    assert server.stop() == 0


def test_a_disk_without_room_for_another_file_is_full(own_registry, base, state, mounted):
    fill(own_registry)
    assert own_registry.serve("--state-dir", state).stop() == 0
    server, inside = mounted('cp "$1"/* /tmp/copy.$$\nmount -t tmpfs -o nr_inodes=2,mode=700 none "$1"\n'
                             f'mv /tmp/copy.$$ "$1/{FILE}"')
    server.wait_line(r'^WARNING:root:state directory ".*": no copy can be kept for now: No space left on device$')
    server.wait_line("cannot be written, trying again", 30)
    own_registry.put("t", "more", "10.0.0.1:9999")
    wait_until(lambda: ports(server.dns)[-1] == 9999)
    subprocess.run(["nsenter", f"--mount=/proc/{server.pid}/ns/mnt", "mount", "-o", "remount,nr_inodes=100", state],
                   check=True)
    server.wait_line("is written again", 60)
    wait_saved(own_registry, lambda: SavedTree(inside, os.path.join(base, "scratch")))


@on_free_ports
def start_two(registry, state):
    servers = [registry.serve_unready("--state-dir", state) for _ in range(2)]
    wait_until(lambda: sum(not server.is_running() for server in servers) > 0)
    if any(server.find_line(ADDRESS_IN_USE) for server in servers):
        for server in servers:
            server.kill()
        raise PortTaken
    return servers


def test_of_two_that_find_it_damaged_at_once_one_goes_on(own_registry, state):
    os.mkdir(state, 0o700)
    for _ in range(10):
        for file in os.listdir(state):
            os.unlink(os.path.join(state, file))
        with open(os.path.join(state, FILE), "wb") as file:
            file.write(b"rubbish" * 100)
        servers = start_two(own_registry, state)
        (winner,), (loser,) = ([server for server in servers if server.is_running() == goes_on] for goes_on in (True, False))
        assert loser.wait() == 1 and loser.find_line("another process uses it")
        winner.wait_ready()
        assert winner.stop() == 0 and not winner.find_line("locked")
        assert sorted(os.listdir(state)) == [FILE, f"{FILE}.damaged"]


@pytest.mark.parametrize("make, status, why", [
    (lambda path: os.mkdir(path, 0o755) or os.chmod(path, 0o755), 2, "others may enter it (mode 0755): it has to be one of its own, with mode 0700"),
    (lambda path: open(path, "x", encoding="utf-8").close(), 2, "it is no directory"),
    (lambda path: os.symlink("/nonexistent/x", path), 1, "No such file or directory"),
    (lambda path: os.mkdir(path, 0o700) or os.chown(path, 65534, 65534), 2, "it belongs to user 65534, and this is user 0"),
], ids=["open", "file", "nowhere", "another-user"])
def test_a_directory_that_is_not_its_own_is_refused(registry, state, make, status, why):
    if "user" in why and os.getuid() != 0:
        pytest.skip("needs root")
    make(state)
    result = registry("serve", "--listen", f"127.0.0.1:{free_port()}", "--state-dir", state)
    assert result.error_line(status) == f'ERROR:root:--state-dir "{state}": {why}'


def test_the_user_that_it_becomes_owns_it(own_registry, base, state):
    if os.getuid() != 0:
        pytest.skip("needs root")
    os.chmod(base, 0o755)
    os.mkdir(state, 0o700)
    os.chown(state, 65534, 65534)
    fill(own_registry)
    assert own_registry.serve("--state-dir", state, "--user", "nobody").stop() == 0
    assert os.stat(os.path.join(state, FILE)).st_uid == 65534
    own_registry.etcd.kill()
    assert is_stale(own_registry.serve("--state-dir", state, "--user", "nobody").dns)


@pytest.mark.parametrize("kind", ["root", "format"])
def test_what_is_not_for_it_is_left_alone(own_registry, bind_registry, state, kind):
    fill(own_registry)
    assert own_registry.serve("--state-dir", state).stop() == 0
    other = own_registry
    if kind == "root":
        other = bind_registry(own_registry.etcd)
        other.put("t", "n", "10.0.0.9:9")
    else:
        rewrite_format(state, 2)
    with open(os.path.join(state, FILE), "rb") as file:
        before = file.read()
    server = other.serve("--state-dir", state)
    own_registry.put("t", "later", "10.0.0.1:5000")
    wait_until(lambda: server.dns.ask("n._t._tcp", "SRV", edns=1232).ede is None)
    reason = {"root": f'it is of the tree root "{own_registry.root}/"',
              "format": "it is of format 2, and this program knows 1 only"}[kind]
    assert warnings(server) == [f'WARNING:root:state directory "{state}": the copy is neither used nor changed, nor is '
                                f"another one kept: {reason}"]
    assert server.stop() == 0
    with open(os.path.join(state, FILE), "rb") as file:
        assert file.read() == before
    assert os.listdir(state) == [FILE]


def test_flipped_bits_cost_the_copy_at_worst(own_registry, base, state, saved, seed, request):
    fill(own_registry, 100)
    server = own_registry.serve("--state-dir", state)
    wait_saved(own_registry, saved)
    server.kill()  # some of it is in the log
    whole = os.path.join(base, "whole")
    shutil.copytree(state, whole)
    known = ports(own_registry.serve().dns)
    used = 0
    for _ in range(100 if request.config.getoption("--long") else 12):
        shutil.rmtree(state)
        shutil.copytree(whole, state)
        name = random.choice(os.listdir(state))
        with open(os.path.join(state, name), "r+b") as file:
            at = random.randrange(os.path.getsize(file.name))
            file.seek(at)
            octet = file.read(1)[0]
            file.seek(at)
            file.write(bytes([octet ^ 1 << random.randrange(8)]))
        server = own_registry.serve_unready("--state-dir", state, endpoints=NOWHERE)
        line = server.wait_line("no contact with etcd")
        if "queries fail" in line:
            # The log lost may also be all that there was.
            assert server.dns.ask("n._t._tcp", "SRV").rcode == SERVFAIL, (name, at)
            assert server.find_line("damaged") or name.endswith("-wal"), (name, at)
        else:
            assert ports(server.dns) == known, (name, at)
            used += 1
        assert server.stop() == 0
    print(f"{used} used")


def test_one_that_is_put_aside_is_replaced_by_a_new_one(own_registry, state, saved):
    fill(own_registry, 100)
    for _ in range(2):
        assert own_registry.serve("--state-dir", state).stop() == 0
        with open(os.path.join(state, FILE), "r+b") as file:
            octets = file.read().replace(b"10.0.0.1:17", b"10.0.0.1:18")  # pages that are free hold older ones
            file.seek(0)
            file.write(octets)
        server = own_registry.serve("--state-dir", state)
        wait_saved(own_registry, saved)
        assert len(warnings(server)) == 1 and "the copy is damaged, it is now registry.db.damaged" in warnings(server)[0]
        assert server.stop() == 0
        assert sorted(os.listdir(state)) == [FILE, FILE + ".damaged"]


def test_one_that_somebody_removes_is_made_again(own_registry, state, saved):
    fill(own_registry)
    server = own_registry.serve("--state-dir", state)
    wait_saved(own_registry, saved)
    for name in os.listdir(state):
        os.unlink(os.path.join(state, name))
    own_registry.put("t", "more", "10.0.0.1:9")
    wait_saved(own_registry, saved)
    assert len(warnings(server)) == 1 and "somebody has removed it" in warnings(server)[0]
    assert server.dns.ask("n._t._tcp", "SRV", edns=1232).ede is None


@pytest.mark.parametrize("blocks", [0, 8])
def test_a_file_that_may_not_grow_is_a_full_disk(own_registry, state, blocks):
    fill(own_registry, 300)
    argv = [BINARY, "serve", "--listen", f"127.0.0.1:{free_port()}", "--state-dir", state, "--no-resolve-hosts"]
    process = Process(["sh", "-c", f'ulimit -f {blocks}; exec "$@"', "-", *argv], env=own_registry.env)
    process.wait_line("cannot be written, trying again", 30)
    process.wait_line("INFO:root:serving")
    assert process.stop(signal.SIGTERM) == 0


def test_without_the_option_nothing_is_said_of_it(own_registry):
    http = free_port()
    own_registry.serve("--http", f"127.0.0.1:{http}")
    assert "state_dir" not in page(http, "/metrics")[1]
