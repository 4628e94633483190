"""`empusa dev`: everything on one machine, and nothing left behind."""

import os
import pty
import re
import signal
import subprocess
import time

import pytest

from dns_client import Dns
from process import Process, free_port, on_free_ports, wait_until
from server import BINARY, clean_environment, run


def children(pid):
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            return "\nState:\tZ" not in file.read()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def dev():
    """Starts dev; where it takes --listen on a port of our own, else on its fixed one."""
    started = []

    @on_free_ports
    def start(*args):
        port = free_port()
        listen = ["--listen", f"127.0.0.1:{port}"] if "--listen" in run("dev", "--help").out else []
        process = Process([BINARY, "dev", *listen, *args], env=clean_environment())
        started.append(process)
        process.port = port if listen else 5300
        process.wait_line("^INFO:root:serving ", 30)
        return process

    yield start
    for process in started:
        process.stop()


def exports(process):
    return dict(re.fullmatch(r"\s*export (\w+)=(.*)", line).groups() for line in process.out if "export " in line)


def test_it_prints_what_to_try_and_that_works(dev):
    process = dev()
    wait_until(lambda: process.find_line("^Ctrl-C ends it", lines=process.out))
    settings = exports(process)
    assert set(settings) == {"EMPUSA_ETCD_ENDPOINT", "EMPUSA_TREE_ROOT"}
    env = clean_environment(**{key: value.strip("'\"") for key, value in settings.items()})
    env["PATH"] = os.path.dirname(BINARY) + ":" + env["PATH"]
    commands = [line.strip() for line in process.out if re.match(r"\s*(\$ )?(empusa|dig) ", line)]
    assert len(commands) == 3
    for command in commands:
        done = subprocess.run(["sh", "-c", command.removeprefix("$ ")], env=env, capture_output=True, text=True,
                              timeout=30, check=False)
        assert done.returncode == 0, (command, done)
    assert not settings["EMPUSA_ETCD_ENDPOINT"].endswith(":2379")
    result = run("service", "register", "--service-type", "t", "--service-name", "n", "--service-location", "10.0.0.1:80",
                 env=env)
    assert result.status == 0
    wait_until(lambda: Dns(process.port).data("n._t._tcp", "SRV"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_both(dev, number):
    process = dev()
    etcds = children(process.pid)
    assert len(etcds) == 1
    assert process.stop(number) == 0
    wait_until(lambda: not any(is_alive(pid) for pid in etcds))
    with pytest.raises(OSError):
        Dns(process.port).connect(1)


def test_data_may_be_kept(dev, tmp_path):
    directory = str(tmp_path / "data")
    for attempt in range(2):
        process = dev("--data-dir", directory)
        wait_until(lambda: len(exports(process)) == 2)
        env = clean_environment(**{key: value.strip("'\"") for key, value in exports(process).items()})
        if attempt == 0:
            assert run("switch", "set", "s", "v", env=env).status == 0
        else:
            assert run("switch", "get", "s", env=env).out == "v\n"
        assert process.stop(signal.SIGINT) == 0
    assert os.listdir(directory)


def test_a_temporary_directory_is_removed(tmp_path):
    if "--listen" not in run("dev", "--help").out:
        pytest.skip("dev has a fixed port")
    process = Process([BINARY, "dev", "--listen", f"127.0.0.1:{free_port()}"], env=clean_environment(TMPDIR=str(tmp_path)))
    try:
        process.wait_line("^INFO:root:serving ", 30)
    finally:
        assert process.stop(signal.SIGINT) == 0
    assert os.listdir(tmp_path) == []


def test_without_etcd_the_package_is_named(tmp_path):
    result = run("dev", env=clean_environment(PATH=str(tmp_path)))
    line = result.error_line()
    assert line.startswith("ERROR:root:") and "etcd-server" in line


def test_an_etcd_that_dies_ends_it_or_is_said(dev):
    process = dev()
    os.kill(children(process.pid)[0], signal.SIGKILL)
    process.wait_line("^(WARNING|ERROR):root:.*etcd", 30)


def test_an_etcd_that_cannot_start_is_an_error(tmp_path):
    false = tmp_path / "etcd"
    false.write_text("#!/bin/sh\necho no such luck >&2\nexit 3\n")
    false.chmod(0o755)
    result = run("dev", env=clean_environment(PATH=f"{tmp_path}:{os.environ['PATH']}"), timeout=60)
    assert result.status == 1 and "ERROR:root:" in result.err and "etcd" in result.err


def has_left(directory, *etcds):
    return os.listdir(directory) != [] or any(is_alive(pid) for pid in etcds)


@pytest.fixture
def started(tmp_path):
    """dev with its temporary directory in tmp_path, which must be empty in the end."""
    def start(*args, **options):
        process = Process([BINARY, "dev", "--listen", f"127.0.0.1:{free_port()}", *args],
                          env=clean_environment(TMPDIR=str(tmp_path)), **options)
        processes.append(process)
        return process

    processes = []
    yield start
    for process in processes:
        process.kill()


@pytest.mark.parametrize("numbers", [[signal.SIGHUP], [signal.SIGINT, signal.SIGTERM], [signal.SIGINT] * 40,
                                     [signal.SIGHUP, signal.SIGHUP, signal.SIGTERM]],
                         ids=["closed terminal", "script", "many", "mixed"])
def test_no_row_of_signals_leaves_anything(started, tmp_path, numbers):
    """As from Ctrl-C, which reaches a script and the program, or a terminal that is closed."""
    process = started()
    process.wait_line("^INFO:root:serving ", 30)
    etcds = children(process.pid)
    for number in numbers:
        process.send(number)
        time.sleep(0.01)
    assert process.wait(30) == 0
    assert not has_left(tmp_path, *etcds)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_etcd_starts_ends_it(started, tmp_path, number):
    process = started()
    etcds = wait_until(lambda: children(process.pid))
    process.send(number)
    process.send(number)
    assert process.wait(30) == 0
    assert not has_left(tmp_path, *etcds)


def test_a_signal_is_never_lost(started, tmp_path):
    """Wherever it meets it: etcd starting, its answer, the server about to take the signals over."""
    for step in range(12):
        process = started()
        etcds = wait_until(lambda: children(process.pid))  # pylint: disable=cell-var-from-loop
        time.sleep(step * 0.02)
        process.send(signal.SIGINT)
        assert process.wait(30) == 0, step
        assert not has_left(tmp_path, *etcds)


def test_a_terminal_that_is_closed_ends_it(tmp_path):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(BINARY, [BINARY, "dev", "--listen", f"127.0.0.1:{free_port()}"], clean_environment(TMPDIR=str(tmp_path)))
    text, has_ended = b"", False
    try:
        while b"INFO:root:serving " not in text:
            text += os.read(terminal, 4096)
        etcds = children(pid)
        os.close(terminal)
        has_ended = wait_until(lambda: os.waitpid(pid, os.WNOHANG)[0], 30)
    finally:
        if not has_ended:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    assert not has_left(tmp_path, *etcds)


def test_under_nohup_it_stays(started):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    process = started()
    signal.signal(signal.SIGHUP, before)
    process.wait_line("^INFO:root:serving ", 30)
    process.send(signal.SIGHUP)
    time.sleep(0.3)
    assert process.is_running()
    assert process.stop() == 0


def test_what_is_killed_takes_its_etcd_along(started):
    process = started()
    process.wait_line("^INFO:root:serving ", 30)
    etcds = children(process.pid)
    process.kill()
    wait_until(lambda: not any(is_alive(pid) for pid in etcds))


def test_a_data_directory_in_use_is_an_error(dev, tmp_path):
    directory = tmp_path / "data"
    dev("--data-dir", str(directory))
    log = (directory / "etcd.log").read_bytes()
    line = run("dev", "--data-dir", str(directory)).error_line()
    assert str(directory) in line and "in use" in line
    assert (directory / "etcd.log").read_bytes()[:len(log)] == log and log


def test_a_data_directory_of_a_plain_etcd_is_an_error(own_etcd):
    directory = own_etcd.members[0].data
    line = run("dev", "--data-dir", directory).error_line()
    assert directory in line and "in use" in line
    assert not os.path.exists(os.path.join(directory, "etcd.log"))


@pytest.mark.parametrize("slash", ["", "/", "//", "/.", "/.//./"])
@pytest.mark.parametrize("what", ["link", "dangling", "file", "foreign", "writable"])
def test_a_data_directory_that_is_not_ours_alone_is_refused(tmp_path, what, slash):
    target, path = tmp_path / "target", tmp_path / "data"
    if what == "link":
        target.mkdir(0o700)
    if what in ("link", "dangling"):
        path.symlink_to(target)
    elif what == "file":
        path.write_text("")
    else:
        path.mkdir(0o700)
        if what == "writable":
            path.chmod(0o777)
        elif os.geteuid() == 0:
            os.chown(path, 65534, 65534)
        else:
            pytest.skip("needs root to make a directory of another user")
    line = run("dev", "--data-dir", f"{path}{slash}").error_line()
    assert line.startswith("ERROR:root:") and str(path) in line
    assert not target.exists() or os.listdir(target) == []


def test_a_log_that_leads_elsewhere_is_neither_written_nor_read(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("of somebody else\n")
    directory = tmp_path / "data"
    directory.mkdir(0o700)
    (directory / "etcd.log").symlink_to(elsewhere)
    line = run("dev", "--data-dir", str(directory)).error_line(1)
    assert f"{directory}/etcd.log" in line and "somebody" not in line
    assert elsewhere.read_text() == "of somebody else\n"
