"""`empusa dev`: everything on one machine, and nothing left behind."""

import os
import re
import signal
import subprocess

import pytest

from dns_client import Dns
from process import Process, free_port, wait_until
from server import BINARY, clean_environment, run


def children(pid):
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


def is_alive(pid):
    return os.path.exists(f"/proc/{pid}") and "\nState:\tZ" not in open(f"/proc/{pid}/status", encoding="ascii").read()


@pytest.fixture
def dev():
    """Starts dev; where it takes --listen on a port of our own, else on its fixed one."""
    started = []

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
    wait_until(lambda: len(exports(process)) == 2 and len([line for line in process.out if line.strip()]) >= 5)
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
