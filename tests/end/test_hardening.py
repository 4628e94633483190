"""What a process may do is reduced to what it needs, and its secrets stay its own."""

import os
import resource
import signal
import subprocess

import pytest

from process import wait_until
from server import BINARY

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
NOBODY = 65534
WARNING = "others may read or change it"
# Of 1 octet: 0 the kernel disregards where it pipes the core to a program. A hard limit of 0 none but root can raise.
NO_CORE = ["0", "0"] if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0 and os.geteuid() != 0 else ["1", "1"]


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        return dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)


def core_limit(pid):
    with open(f"/proc/{pid}/limits", encoding="ascii") as lines:
        return next(line.split()[4:6] for line in lines if line.startswith("Max core file size"))


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
