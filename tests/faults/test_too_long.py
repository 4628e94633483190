"""Keys and values that are too long: they are not published, and everything else is (`never-denied`, `right`)."""

import pytest

from dns_client import EDE_STALE
from etcd import Etcd
from process import wait_until

MIB = 1 << 20


@pytest.fixture
def roomy(bind_registry):
    server = Etcd(options=["--max-request-bytes", str(12 * MIB)])
    yield bind_registry(server)
    server.stop()


# a key (behind the type) and a value; None: a small one
LONG = {
    "a value of 4 MiB": ("n", b"x" * (4 * MIB)),
    "a value of 8 MiB": ("n", b"y" * (8 * MIB)),
    "a JSON value of 4 MiB": ("n", b'{"location":"10.0.0.9:80","txt":{"a":"' + b"z" * (4 * MIB) + b'"}}'),
    "a key of 1 MiB": ("k" * MIB, b"10.0.0.9:80"),
    "a key of 3 MiB": ("k" * (3 * MIB), b"10.0.0.9:80"),
}


@pytest.mark.parametrize("what", LONG)
def test_what_is_too_long_stops_nothing_else(roomy, what):
    name, value = LONG[what]
    roomy.put("t", "before", "10.0.0.1:80")
    server = roomy.serve()
    roomy.put("t", name, value)
    roomy.put("t", "z", "10.0.0.1:81")
    wait_until(lambda: server.dns.data("z._t._tcp", "SRV"))
    roomy.wait_served(server.dns)
    fresh = roomy.serve()
    for each in (server, fresh):
        assert each.dns.data("before._t._tcp", "SRV") and each.dns.data("z._t._tcp", "SRV")
        assert len(each.dns.data("_t._tcp", "PTR")) == 2
        each.wait_line("is not published")
    assert len(roomy.ok("service", "list", "--format", "json").out) > 0
    assert "before" in roomy.ok("service", "list").out
    if len(name) == 1:
        roomy.put("t", name, "10.0.0.1:82")
        for each in (server, fresh):
            wait_until(lambda: each.dns.data("n._t._tcp", "SRV"))
    roomy.delete("service", "t", name)
    roomy.put("t", "zz", "10.0.0.1:83")
    for each in (server, fresh):
        wait_until(lambda: each.dns.data("zz._t._tcp", "SRV"))
        wait_until(lambda: each.dns.ask("n._t._tcp", "SRV").rcode == 3)
        assert each.dns.ask("zz._t._tcp", "SRV", edns=1232).ede != EDE_STALE


def test_a_switch_that_is_too_long_is_not_shown_in_part(roomy):
    roomy.put_switch("long", b"x" * (4 * MIB))
    roomy.put_switch("short", b"v")
    got = roomy("switch", "get", "long")
    assert got.out == "" and "too long" in got.error_line()
    assert roomy.ok("switch", "get", "short").out == "v\n"
    listed = roomy.ok("switch", "list", "--format", "json").out
    assert '"value": null' in listed and '"value": "v"' in listed
    roomy.ok("switch", "set", "long", "w")
    assert roomy.ok("switch", "get", "long").out == "w\n"
