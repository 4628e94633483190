"""The same against the etcd of other Debian releases: another URL prefix, other JSON."""

import os
import time

import pytest

from dns_client import EDE_STALE, ZONE
from etcd import Etcd
from process import wait_until
from test_session import session
from users import WRITER, add_users, check_change_of_users, check_followed, follow_and_keep, signing, user
from test_zone import HOSTS, example_sets, fill_example

SUITES = ["bullseye", "trixie"]  # etcd 3.3, etcd 3.5


def start_other(suite, options=()):
    directory = os.environ.get("EMPUSA_ETCD_VERSIONS")
    if not directory:
        pytest.skip("EMPUSA_ETCD_VERSIONS is not set; tests/etcd-versions.sh DIR fills a directory")
    binary = os.path.join(directory, suite, "usr/bin/etcd")
    if not os.access(binary, os.X_OK):
        pytest.skip(f"no {binary}; tests/etcd-versions.sh unpacks it")
    return Etcd(binary=binary, options=options)


@pytest.fixture(params=SUITES)
def other_etcd(request):
    server = start_other(request.param)
    yield server
    server.stop()


@pytest.fixture(params=SUITES)
def other_users(request):
    server = start_other(request.param, ["--auth-token-ttl", "3"])
    add_users(server)
    yield server
    server.stop()


@pytest.fixture
def registry(other_etcd, bind_registry):
    return bind_registry(other_etcd)


def test_the_documented_session(registry):
    session(registry, registry.root)


def test_the_worked_example(registry):
    fill_example(registry)
    dns = registry.serve(*HOSTS).dns
    for (name, kind), (data, _) in example_sets().items():
        if kind != "SOA":
            assert dns.data(name, kind) == sorted(data)


def test_leases_and_refreshing(registry):
    process = registry.hold("t", "n", "h:1", "--ttl", "5", "--refresh-every", "1")
    old = registry.service("t", "n").lease
    registry.delete("service", "t", "n")
    wait_until(lambda: registry.service("t", "n"))
    registry.etcd.revoke(old)
    assert wait_until(lambda: registry.service("t", "n")).lease != old
    assert process.stop() == 0 and registry.service("t", "n") is None
    registry.register("t", "n", "h:1", "--ttl", "2")
    wait_until(lambda: registry.service("t", "n") is None)


def test_changes_and_faults(registry):
    etcd = registry.etcd
    registry.etcd.put_many((registry.service_key("t", f"n{i:04}"), f"10.0.0.1:{i + 1}") for i in range(3000))
    server = registry.serve()
    dns = server.dns
    assert " 3000 services" in server.serving and dns.ask("_t._tcp", "SRV", tcp=True).rcode == 0
    registry.register("u", "n", "10.0.0.1:80")
    wait_until(lambda: dns.data("_u._tcp", "PTR") == [f"n._u._tcp.{ZONE}"])
    etcd.pause()
    wait_until(lambda: dns.ask("n._u._tcp", "SRV", edns=1232).ede == EDE_STALE)
    etcd.resume()
    registry.unregister("u", "n")
    wait_until(lambda: dns.ask("n._u._tcp", "SRV").is_nxdomain(), 30)
    etcd.kill()
    etcd.start()
    registry.ok("switch", "set", "s", "v")
    wait_until(lambda: dns.ask("s.switch", "TXT").data() == ['"v"'], 30)
    etcd.wipe()
    registry.put("v", "n", "10.0.0.1:80")
    wait_until(lambda: dns.data("_services._dns-sd._udp", "PTR") == [f"_v._tcp.{ZONE}"], 30)


def test_tokens_that_a_restarted_etcd_forgot_are_fetched_anew(other_users, bind_registry):
    """These releases call a watch with a token that they do not know a lack of permission."""
    registry = bind_registry(other_users)
    server = follow_and_keep(registry)
    check_followed(registry, server, "before")
    other_users.kill()
    time.sleep(5)
    other_users.start()
    check_followed(registry, server, "after")


@pytest.mark.parametrize("suite", SUITES)
def test_a_change_of_users_voids_signed_tokens_for_a_moment_only(suite, tmp_path, bind_registry):
    server = start_other(suite, signing(tmp_path))
    try:
        add_users(server)
        registry = bind_registry(server)
        check_change_of_users(registry)
        registry.stop()
    finally:
        server.stop()


def test_a_denial_is_one(other_users, bind_registry):
    registry = bind_registry(other_users, **user("nobody", "n"))
    server = registry.serve_unready()
    server.wait_line("^(WARNING|ERROR):root:.*(permission|denied)")
    assert server.dns.ask("", "SOA").rcode == 2
    other_users.call("/auth/user/grant", {"user": "nobody", "role": "read"})
    server.wait_ready(40)
    line = registry("switch", "set", "s", "v").error_line()
    assert "permission denied" in line
    registry.ok("switch", "set", "s", "v", env=WRITER)
