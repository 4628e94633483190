"""What a process may do is reduced to what it needs, and its secrets stay its own."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys

import pytest

import confine
import unit
from dns_client import EDE_STALE, Dns
from etcd import Etcd, b64
from process import PATIENCE, wait_until

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
NOBODY = 65534
WARNING = "others may read or change it"
# Of 1 octet: 0 the kernel disregards where it pipes the core to a program. A hard limit of 0 none but root can raise.
NO_CORE = ["0", "0"] if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0 and os.geteuid() != 0 else ["1", "1"]


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        return dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)


def limit_of(pid, name):
    with open(f"/proc/{pid}/limits", encoding="ascii") as lines:
        return next(line[len(name):].split()[:2] for line in lines if line.startswith(name))


def core_limit(pid):
    return limit_of(pid, "Max core file size")


def assert_has_nothing(pid):
    status = status_of(pid)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, (name, status[name])
    assert status["Uid"].split() == status["Gid"].split() == [str(NOBODY)] * 4
    assert [int(word) for word in status["Groups"].split()] in ([], [NOBODY])


def test_a_server_gains_no_rights_and_leaves_no_core(registry):
    server = registry.serve()
    assert status_of(server.pid)["NoNewPrivs"] == "1"
    assert core_limit(server.pid) == NO_CORE


@ROOT
def test_another_user_has_no_capability_left(registry):
    server = registry.serve("--user", "nobody")
    assert_has_nothing(server.pid)


@ROOT
@pytest.mark.parametrize("groups", [[], ["--groups", "0,4"]], ids=["", "groups"])
@pytest.mark.parametrize("caps", ["+net_bind_service", "+net_bind_service,+setgid", "+net_bind_service,+setgid,+setpcap"])
def test_who_is_that_user_already_has_none_either(registry, caps, groups):
    """As a service manager starts it: User=, AmbientCapabilities=, SupplementaryGroups=."""
    if groups and "setgid" not in caps:
        pytest.skip("nobody may drop those groups")
    server = registry.serve_unready("--user", "nobody")
    server.stop()
    argv = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), *(groups or ["--clear-groups"]),
            "--inh-caps", f"-all,{caps}", "--ambient-caps", f"-all,{caps}", *server.argv]
    started = subprocess.Popen(argv, env=registry.env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        assert any(b"INFO:root:serving" in line for line in started.stderr)
        status = status_of(started.pid)
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(status[name], 16) == 0, (name, status[name])
        assert int(status["CapBnd"], 16) == 0 or "setpcap" not in caps
        assert [int(word) for word in status["Groups"].split()] in ([], [NOBODY])
        assert status["NoNewPrivs"] == "1"
    finally:
        started.send_signal(signal.SIGTERM)
        assert started.wait(30) == 0


@pytest.mark.parametrize("secret", ["variable", "file", "key"])
def test_a_command_with_a_secret_leaves_no_core(registry, tmp_path, secret):
    (tmp_path / "password").write_text("p")
    (tmp_path / "password").chmod(0o600)
    env = {"EMPUSA_ETCD_USER": "u", "EMPUSA_ETCD_PASSWORD": "p"} if secret == "variable" else {}
    args = {"variable": [], "file": ["--etcd-user", "u", "--etcd-password-file", str(tmp_path / "password")],
            "key": ["--etcd-cert", make_pair(tmp_path), "--etcd-key", str(tmp_path / "key.pem")]}[secret]
    keeper = registry.start(*args, "--etcd-endpoint", "127.0.0.1:1", "service", "register", "--service-type", "t",
                            "--service-name", "n", "--service-location", "h:1", "--ttl", "5", "--refresh-every", "1", env=env)
    keeper.wait_line("trying again")
    assert core_limit(keeper.pid) == NO_CORE


def make_pair(directory):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=x", "-keyout", directory / "key.pem", "-out", directory / "cert.pem"],
                   check=True, capture_output=True)
    return str(directory / "cert.pem")


@pytest.mark.parametrize("mode,is_open", [(0o600, False), (0o440, False), (0o604, True), (0o602, True), (0o644, True)])
def test_secrets_that_others_may_read_are_told(registry, tmp_path, mode, is_open):
    for name, text in (("cookie", "00" * 16), ("password", "p")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    server = registry.serve("--cookie-secret-file", str(tmp_path / "cookie"))
    assert bool(server.find_line(f"^WARNING:root:--cookie-secret-file .*{WARNING}")) == is_open
    before = len(server.err)
    server.send(signal.SIGHUP)
    server.wait_line("have been read again", start=before)
    assert bool(server.find_line(WARNING, before)) == is_open
    result = registry("--etcd-user", "u", "--etcd-password-file", str(tmp_path / "password"), "switch", "get", "s")
    assert (f"WARNING:root:--etcd-password-file \"{tmp_path}/password\": {WARNING}" in result.err) == is_open, result


@pytest.mark.parametrize("mode,is_open", [(0o600, False), (0o644, True)])
@pytest.mark.parametrize("variable", ["EMPUSA_ETCD_PASSWORD", "EMPUSA_ETCD_PASSWORD_FILE", "EMPUSA_ETCD_TIMEOUT"])
def test_a_file_of_variables_is_told_of_where_a_password_is_in_it(registry, tmp_path, variable, mode, is_open):
    (tmp_path / "password").write_text("p")
    (tmp_path / "password").chmod(0o600)
    value = {"EMPUSA_ETCD_PASSWORD": "p", "EMPUSA_ETCD_TIMEOUT": "9"}.get(variable, tmp_path / "password")
    config = tmp_path / "variables"
    config.write_text(f"{variable}={value}\n")
    config.chmod(mode)
    result = registry("--config", str(config), "switch", "get", "s")
    holds_secret = variable == "EMPUSA_ETCD_PASSWORD"
    assert (f'WARNING:root:--config "{config}": {WARNING}' in result.err) == (is_open and holds_secret), result
    assert result.err.count(WARNING) == (is_open and holds_secret), result


@pytest.mark.parametrize("name", ["cookie", "password"])
def test_a_secret_from_a_pipe_does_not_hold_a_server_up(registry, tmp_path, name):
    """It is read at the start; nobody writes it a second time."""
    path = tmp_path / name
    path.write_text("00" * 16 if name == "cookie" else "p")
    path.chmod(0o600)
    args = ["--cookie-secret-file", str(path)] if name == "cookie" else []
    env = {"EMPUSA_ETCD_USER": "u"} if name == "password" else {}
    if name == "password":
        server = registry.start("--etcd-user", "u", "--etcd-password-file", str(path), "serve", "--listen",
                                "127.0.0.1:0", "--no-resolve-hosts", env=env)
        server.wait_line("INFO:root:serving|no contact")
    else:
        server = registry.serve(*args)
    path.unlink()
    os.mkfifo(path)
    server.send(signal.SIGHUP)
    server.wait_line("stay as they are")


# the units

UNITS = ["empusa-serve.service", "empusa-register@.service"]
LOW_PORTS = range(600, 1024)


@pytest.mark.once
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_calls_the_units_well_confined(name):
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=15", os.path.join(unit.PACKAGE, name)],
                          capture_output=True, text=True, timeout=30 * PATIENCE, check=False)
    assert done.returncode == 0, done.stdout.splitlines()[-1]


def low_port():
    """One that nobody may bind without the right to, for UDP and TCP."""
    for port in LOW_PORTS:
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind(("127.0.0.1", port))
            return port
        except OSError:
            continue
    raise AssertionError("no port is free")


@pytest.fixture
def confined(tmp_path):
    """A state directory."""
    if not unit.is_possible():
        pytest.skip("needs root, mount namespaces, systemd-analyze and libseccomp2")
    (tmp_path / "state").mkdir()
    return str(tmp_path / "state")


@pytest.fixture
def start_unit(registry, manager):
    def start(name, *args, env=None, **options):
        env = {"EMPUSA_ETCD_ENDPOINT": registry.etcd.endpoints, "EMPUSA_TREE_ROOT": registry.root,
               "NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "400000", **(env or {})}
        process = unit.Unit(name, env, *args, **options)
        registry.processes.append(process)
        return process

    return start


def assert_confined(pid, capabilities):
    status = status_of(pid)
    assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1"
    assert status["Uid"].split() == status["Gid"].split() == [str(confine.USER)] * 4 and status["Groups"].split() == []
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == capabilities, (name, status[name])


@pytest.mark.once
@pytest.mark.parametrize("kills", [False, True], ids=["", "what-is-forbidden-ends-it"])
def test_a_server_does_all_it_does_under_its_unit(registry, manager, confined, start_unit, kills):
    """Also where nothing that the unit forbids is even tried."""
    registry.etcd.put_many((registry.service_key(f"t{i % 40}", f"n{i}"), f"10.0.{i >> 8}.{i & 255}:80") for i in range(3000))
    registry.put("t1", "host", "localhost:80")
    port = low_port()
    pages = low_port() + 1
    server = start_unit("empusa-serve.service", "--listen", f"127.0.0.1:{port}", "--allow-transfer", "127.0.0.0/8", "--http",
                        f"127.0.0.1:{pages}", kills=kills, state=confined)
    server.wait_line("^INFO:root:serving ", 30)
    manager.hear_until("READY=1", server)
    manager.hear_until("WATCHDOG=1", server)
    assert_confined(server.pid, 1 << 10)  # CAP_NET_BIND_SERVICE
    limit = min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    assert limit_of(server.pid, "Max open files") == [str(limit)] * 2
    assert core_limit(server.pid) == ["1", "1"]
    dns = Dns(port)
    assert dns.ask("n1._t1._tcp", "SRV").answer_count == 1 and dns.ask("_t1._tcp", "SRV", tcp=True).answer_count == 76
    wait_until(lambda: dns.data("localhost.host", "A"))  # looked up, in /etc/hosts
    transfer = subprocess.run(["dig", "@127.0.0.1", "-p", str(port), "empusa.internal", "AXFR", "+tries=1"], capture_output=True,
                              text=True, timeout=60 * PATIENCE, check=True).stdout
    assert transfer.count("\tSRV\t") > 3 * 3000 and "Transfer failed" not in transfer
    registry.put("u", "new", "10.9.9.9:80")
    wait_until(lambda: dns.data("new._u._tcp", "SRV"))
    with socket.create_connection(("127.0.0.1", pages), 5) as page:
        page.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        text = b"".join(iter(lambda: page.recv(65536), b"")).decode()
    assert "\nempusa_process_open_fds " in text and "\nempusa_zone_services 3002\n" in text
    before = len(server.err)
    server.send(signal.SIGHUP)
    server.wait_line("have been read again", start=before)
    server.send(signal.SIGUSR1)
    server.wait_line(" is fresh: 3002 services of ", start=before)
    with dns.connect():
        assert server.stop() == 0
    manager.hear_until("STOPPING=1", server)
    assert not server.find_line("^(WARNING|ERROR):"), server.err
    again = start_unit("empusa-serve.service", "--listen", f"127.0.0.1:{port}", env={"EMPUSA_ETCD_ENDPOINT": "127.0.0.1:1"},
                       kills=kills, state=confined)
    manager.hear_until("READY=1", again)  # from the state directory
    reply = dns.ask("new._u._tcp", "SRV", edns=1232)
    assert reply.answer_count == 1 and reply.ede == EDE_STALE


PROBE = """
import ctypes, mmap, os, socket
def refused(what, *args):
    try:
        what(*args)
    except OSError as error:
        print(error.strerror, flush=True)
    else:
        print("done", flush=True)
refused(open, "/etc/x", "w")
refused(open, "/usr/x", "w")
refused(os.listdir, "/root")
refused(open, "/dev/mem")
refused(os.listdir, "/proc/1")
refused(open, "/proc/meminfo")
refused(lambda: mmap.mmap(-1, 4096, prot=7))
refused(socket.socket, socket.AF_NETLINK, socket.SOCK_RAW)
refused(os.sched_setscheduler, 0, os.SCHED_BATCH, os.sched_param(0))
refused(os.chown, "/tmp", 0, 0)
refused(lambda: os.unlink("/etc/passwd"))
refused(open, "/tmp/x", "w")
refused(open, "/var/lib/empusa/x", "w")
"""


@pytest.mark.once
def test_what_the_unit_forbids_is_forbidden_to_these_tests(confined, start_unit):
    """Lest they prove nothing."""
    probe = start_unit("empusa-serve.service", program=[sys.executable, "-c", PROBE])
    assert probe.wait() == 0, probe.err
    assert probe.out == ["Read-only file system", "Read-only file system", "Permission denied", "No such file or directory",
                         "No such file or directory", "No such file or directory", "Operation not permitted",
                         "Address family not supported by protocol", "Operation not permitted", "Operation not permitted",
                         "Read-only file system", "done", "done"]


@pytest.mark.once
@pytest.mark.parametrize("kills", [False, True], ids=["", "what-is-forbidden-ends-it"])
def test_a_keeper_does_all_it_does_under_its_unit(registry, manager, confined, start_unit, kills):
    env = {"EMPUSA_SERVICE_TYPE": "t", "EMPUSA_SERVICE_LOCATION": "10.0.0.1:80", "EMPUSA_SERVICE_REFRESH_EVERY": "1"}
    keeper = start_unit("empusa-register@.service", env=env, kills=kills)
    manager.hear_until("READY=1", keeper)
    assert_confined(keeper.pid, 0)
    assert registry.service("t", "instance").value == b"10.0.0.1:80"
    registry.delete("service", "t", "instance")
    wait_until(lambda: registry.service("t", "instance"))
    manager.hear_until("WATCHDOG=1", keeper)
    assert keeper.stop() == 0
    manager.hear_until("STOPPING=1", keeper)
    assert registry.service("t", "instance") is None


def enable_users(etcd, name, password):
    for user, role in (("root", "root"), (name, "reader")):
        etcd.call("/auth/user/add", {"name": user, "password": password})
        etcd.call("/auth/role/add", {"name": role})
        etcd.call("/auth/user/grant", {"user": user, "role": role})
    etcd.call("/auth/role/grant", {"name": "reader", "perm": {"permType": "READ", "key": b64("/"), "range_end": b64("0")}})
    etcd.call("/auth/enable")


@pytest.mark.once
@pytest.mark.parametrize("password,is_right", [("right", True), ("wrong", False)])
def test_a_password_comes_by_a_credential(confined, start_unit, password, is_right):
    """As the drop-in among the examples has it, for the user that it names."""
    etcd = Etcd()
    try:
        enable_users(etcd, "empusa", "right")
        server = start_unit("empusa-serve.service", "--listen", f"127.0.0.1:{low_port()}",
                            secrets={"etcd-password": f"{password}\n"}, env={"EMPUSA_ETCD_ENDPOINT": etcd.endpoints})
        server.wait_line("^INFO:root:serving " if is_right else "no contact with etcd.*password", 30)
        assert not server.find_line("others may read")
        assert server.stop() == 0
    finally:
        etcd.stop()
