"""Few file descriptors, at the start and later: a clear error, and a server that goes on."""

import os
import resource
import signal
import socket
import subprocess
import time

import pytest

from dns_client import EDE_STALE
from process import wait_until
from server import BINARY, Result

LIMITS = [*range(4, 25), 30, 40, 50, 64]
SERVFAIL = 2
COMMANDS = ["service list", "switch get s", "switch set s v", "serve --listen 127.0.0.1:0", "dev --listen 127.0.0.1:0",
            "service register --service-type t --service-name n --service-location h:1", "zone",
            "service register --from /dev/null"]


@pytest.mark.parametrize("command", COMMANDS)
def test_too_few_descriptors_are_a_clear_error(registry, command):
    """libuv ends the process with SIGABRT where it cannot make its own."""
    refused = 0
    for number in LIMITS:
        if number > 24 and command.split()[0] in ("serve", "dev"):
            break  # that may be enough to stay
        argv = ["prlimit", f"--nofile={number}:{number}", BINARY, *command.split()]
        result = run_limited(argv, registry.env)
        assert result.status in (0, 1), (number, result)
        if "too few file descriptors" in result.err:
            refused += 1
            assert result.error_line().startswith("ERROR:root:") and "ulimit -n" in result.err, (number, result)
        else:
            assert number >= 20, (number, result)
    assert refused >= 15


def run_limited(argv, env):
    # LeakSanitizer, where the program is built with it, waits for ever for a descriptor of its own.
    env = {**(os.environ if env is None else env), "ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    # Where it is built for coverage, it has no descriptor left to write that down with, and says so.
    err = b"".join(line for line in done.stderr.splitlines(True) if not line.startswith(b"profiling:"))
    return Result(argv, done.returncode, done.stdout, err)


@pytest.mark.parametrize("number", [5, 20])
def test_what_only_prints_needs_none(number):
    for args in (["--help"], ["--version"], ["serve", "--help"], ["completion", "bash"]):
        assert run_limited(["prlimit", f"--nofile={number}:{number}", BINARY, *args], None).status == 0


def test_a_server_that_runs_out_of_them_goes_on(own_registry):
    registry = own_registry
    registry.put("t", "n", "10.0.0.1:80")
    server = registry.serve("--http", "127.0.0.1:0")
    before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    lowest = len(os.listdir(f"/proc/{server.pid}/fd"))
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (lowest, before[1]))
    for _ in range(20):  # of which none is accepted
        with socket.create_connection(("127.0.0.1", server.port), 5):
            pass
    for number in (signal.SIGHUP, signal.SIGUSR1):
        server.send(number)
    registry.etcd.kill()  # so that it must connect, and cannot
    wait_until(lambda: server.dns.ask("n._t._tcp", "SRV", edns=1232).ede == EDE_STALE, 30)
    registry.etcd.start()
    assert server.is_running()
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, before)
    registry.put("t", "o", "10.0.0.1:80")
    wait_until(lambda: server.dns.data("o._t._tcp", "SRV"), 40)


@pytest.mark.once  # a sanitizer ends the program where there is no memory
def test_a_zone_that_lacks_entries_is_not_transferred(registry):
    """A secondary that got it would say of what is registered that it does not exist."""
    server = registry.serve("--allow-transfer", "127.0.0.1/32")
    before = resource.prlimit(server.pid, resource.RLIMIT_DATA)
    resource.prlimit(server.pid, resource.RLIMIT_DATA, (1 << 20, before[1]))  # it has more already
    for i in range(200):
        registry.etcd.put_many((registry.service_key("t", f"n{i}-{j}"), f"h{i}-{j}:1") for j in range(100))
        if any("not all of the registry is served" in line for line in server.said()):
            break
    else:
        pytest.fail("there was memory for all")
    resource.prlimit(server.pid, resource.RLIMIT_DATA, before)
    while (rcode := server.dns.ask("", "AXFR", tcp=True).rcode) == SERVFAIL:
        time.sleep(0.05)
    assert rcode == 0 and any("all of the registry is served again" in line for line in server.said())
