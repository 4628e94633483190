"""What others leave in etcd, not quite as it should be, is published all the same."""

import json

import pytest

from server import cells

DEEP = "[" * 2000 + "]" * 2000
VALUES = [
    "10.0.0.1:80\n", "10.0.0.1:80\r\n", "10.0.0.1:80\n\n", '{"location":"10.0.0.1:80"}\n',
    '{"location":"10.0.0.1:80\\n","priority":0}\r\n',
    '{"location":"10.0.0.1:80","note":"\\ud800"}', '{"location":"10.0.0.1:80","txt":{"k":"\\udc00x"}}',
    '{"location":"10.0.0.1:80","note":%s}' % DEEP, '{"location":"10.0.0.1:80","weight":1%s}' % ("0" * 100),
    '{"location":"10.0.0.1:80","weight":1e999,"note":"\\u0000"}',
    '{"location":"10.0.0.1:80","weight":1,"weight":2}',
]


@pytest.fixture(scope="module")
def tolerant(module_registry):
    for i, value in enumerate(VALUES):
        module_registry.put("t", f"n{i}", value)
    return module_registry


def test_it_is_served(tolerant):
    server = tolerant.serve()
    assert f": {len(VALUES)} services, " in server.serving
    for i in range(len(VALUES)):
        answer = server.dns.ask(f"n{i}._t._tcp.empusa.internal.", "SRV")
        assert [data.split()[:3] for data in answer.data()] == [["0", "1", "80"]], VALUES[i]
    assert "is not published" not in "\n".join(server.err)


def test_it_is_listed(tolerant):
    listed = json.loads(tolerant.ok("service", "list", "--format", "json").out)
    assert [entry["location"] for entry in listed] == ["10.0.0.1:80"] * len(VALUES)
    assert next(entry for entry in listed if entry["service"].endswith("/n6"))["txt"] == {"k": "\ufffdx"}
    assert [row[1] for row in cells(tolerant.ok("service", "list").out)[1:]] == ["10.0.0.1:80"] * len(VALUES)


def test_it_is_in_the_zone(tolerant):
    zone = tolerant.ok("zone").out
    assert all(f"n{i}._t._tcp.empusa.internal." in zone for i in range(len(VALUES)))
    assert zone.count('location=10.0.0.1:80"') == len(VALUES)


def test_an_unchanged_registration_keeps_its_lease(registry):
    lease = registry.etcd.grant(60, 0x45 << 55 | 60 << 47 | 1)
    registry.put("t", "n", "h:1\n", lease)
    registry.register("t", "n", "h:1", "--ttl", "60")
    assert registry.service("t", "n").lease == lease


def test_a_keeper_takes_it_for_its_own(registry):
    process = registry.hold("t", "n", "h:1", "--ttl", "60", "--refresh-every", "1")
    registry.put("t", "n", "h:1\n", registry.service("t", "n").lease)
    assert process.stop() == 0
    assert registry.service("t", "n") is None and not process.find_line("^WARNING:"), process.err


def test_it_can_be_drained_and_taken_back(registry):
    one = ["--service-type", "t", "--service-name", "n"]
    for value in ("h:1\n", '{"location":"h:1","weight":5}\n', '{"location":"h:1","note":"\\ud800"}'):
        registry.put("t", "n", value)
        registry.ok("service", "drain", *one)
        assert b"draining" in registry.service("t", "n").value
        registry.ok("service", "undrain", *one)
        assert b"draining" not in registry.service("t", "n").value
