"""Registering: leases, refreshing, what is put back, what is left alone, what is refused."""

import json
import signal
import time

import pytest

from process import Process, wait_until
from server import BINARY

LEASE_TAG = 0x45


def entry(registry, kind="t", name="n"):
    return json.loads(registry.service(kind, name).value)


def outlives(etcd, lease):
    """Whether the lease is still there when nobody could be without having renewed it."""
    end = time.monotonic() + etcd.granted_ttl(lease) + 1
    while time.monotonic() < end:
        assert etcd.ttl(lease) >= 0, "the lease expired"
        time.sleep(0.1)
    return True


@pytest.mark.parametrize("ttl", [2, 30, 254, 255, 256, 86400])
def test_a_ttl_is_a_lease_that_tells_its_ttl(registry, ttl):
    registry.register("t", "n", "h:1", "--ttl", str(ttl))
    lease = registry.service("t", "n").lease
    assert lease >> 55 == LEASE_TAG
    assert lease >> 47 & 255 == min(ttl, 255)
    assert registry.etcd.granted_ttl(lease) == ttl


def test_without_a_ttl_there_is_no_lease(registry):
    registry.register("t", "n", "h:1")
    assert registry.service("t", "n").lease == 0


def test_a_ttl_comes_from_the_environment_too(registry):
    env = {"EMPUSA_SERVICE_TYPE": "t", "EMPUSA_SERVICE_NAME": "n", "EMPUSA_SERVICE_LOCATION": "h:1",
           "EMPUSA_SERVICE_TTL": "77"}
    registry.ok("service", "register", env=env)
    assert registry.etcd.granted_ttl(registry.service("t", "n").lease) == 77


def test_a_lease_expires(registry):
    registry.register("t", "n", "h:1", "--ttl", "2")
    registry.ok("switch", "set", "s", "v", "--ttl", "2")
    assert registry.service("t", "n") and registry.etcd.get(registry.key("switch", "s"))
    wait_until(lambda: registry.etcd.get_prefix(registry.root + "/") == [], 15, "both are gone")


def test_an_unchanged_one_shot_keeps_the_lease(registry):
    registry.register("t", "n", "h:1", "--ttl", "100")
    first = registry.service("t", "n")
    wait_until(lambda: registry.etcd.ttl(first.lease) < 99, 10)
    registry.register("t", "n", "h:1", "--ttl", "100")
    again = registry.service("t", "n")
    assert (again.lease, again.value) == (first.lease, first.value)
    assert registry.etcd.ttl(first.lease) >= 99


@pytest.mark.parametrize("location,ttl", [("h:2", 100), ("h:1", 200)])
def test_a_changed_one_shot_gets_what_it_asked_for(registry, location, ttl):
    registry.register("t", "n", "h:1", "--ttl", "100")
    registry.register("t", "n", location, "--ttl", str(ttl))
    now = registry.service("t", "n")
    assert now.value == location.encode() and registry.etcd.granted_ttl(now.lease) == ttl


def test_registering_without_a_ttl_takes_an_entry_off_its_lease(registry):
    registry.register("t", "n", "h:1", "--ttl", "100")
    registry.register("t", "n", "h:1")
    assert registry.service("t", "n").lease == 0


# staying

def test_a_refreshed_entry_outlives_its_ttl(registry):
    registry.hold("t", "n", "h:1", "--ttl", "3", "--refresh-every", "1")
    held = registry.service("t", "n")
    assert outlives(registry.etcd, held.lease)
    now = registry.service("t", "n")
    assert now.mod_revision == held.mod_revision, "kept alive, not written again"


def test_a_vanished_entry_is_put_back(registry):
    registry.hold("t", "n", "h:1", "--ttl", "5", "--refresh-every", "1")
    registry.delete("service", "t", "n")
    back = wait_until(lambda: registry.service("t", "n"))
    assert back.value == b"h:1" and back.lease


def test_an_entry_whose_lease_was_taken_away_is_put_back_with_a_warning(registry):
    process = registry.hold("t", "n", "h:1", "--ttl", "30", "--refresh-every", "1")
    lease = registry.service("t", "n").lease
    registry.register("t", "n", "h:1")
    assert "changed by another process" in process.wait_line("^WARNING:root:")
    wait_until(lambda: registry.service("t", "n").lease == lease)


def test_a_changed_entry_is_put_back_with_a_warning(registry):
    process = registry.hold("t", "n", "h:1", "--ttl", "5", "--refresh-every", "1")
    registry.put("t", "n", "other:9")
    wait_until(lambda: registry.service("t", "n").value == b"h:1")
    assert registry.service("t", "n").lease
    assert "n" in process.wait_line("^WARNING:root:")
    process.stop()
    assert registry.service("t", "n") is None


def test_a_lost_lease_is_granted_anew(registry):
    registry.hold("t", "n", "h:1", "--ttl", "5", "--refresh-every", "1")
    old = registry.service("t", "n").lease
    registry.etcd.revoke(old)
    back = wait_until(lambda: registry.service("t", "n"))
    assert back.lease not in (0, old) and registry.etcd.granted_ttl(back.lease) == 5


def test_a_stopped_process_loses_its_entry_and_gets_it_back(registry):
    process = registry.hold("t", "n", "h:1", "--ttl", "2", "--refresh-every", "1")
    process.send(signal.SIGSTOP)
    wait_until(lambda: registry.service("t", "n") is None, 20, "expired")
    process.send(signal.SIGCONT)
    wait_until(lambda: registry.service("t", "n"))


def test_a_killed_process_leaves_an_entry_that_expires(registry):
    process = registry.hold("t", "n", "h:1", "--ttl", "3", "--refresh-every", "1")
    process.kill()
    wait_until(lambda: registry.service("t", "n") is None, 20, "expired")


def test_refreshing_without_a_ttl_rewrites_periodically(registry):
    registry.hold("t", "n", "h:1", "--refresh-every", "1")
    first = registry.service("t", "n")
    assert first.lease == 0
    registry.delete("service", "t", "n")
    wait_until(lambda: registry.service("t", "n"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_unregisters_and_exits_0(registry, number):
    process = registry.hold("t", "n", "h:1", "--ttl", "60", "--refresh-every", "30")
    lease = registry.service("t", "n").lease
    assert process.stop(number) == 0
    assert registry.service("t", "n") is None
    assert process.find_line(r"^INFO:root:service n \(t\) unregistered$"), process.err
    assert registry.etcd.ttl(lease) > 0  # which tells it from one that expired


def test_a_closed_terminal_does_not_end_what_nohup_began(registry):
    args = ["service", "register", "--service-type", "t", "--service-name", "n", "--service-location", "h:1",
            "--ttl", "60", "--refresh-every", "1"]
    process = Process(["nohup", BINARY, *args], env=registry.env)
    process.wait_line(r"^INFO:root:service .* registered$")
    process.send(signal.SIGHUP)
    registry.delete("service", "t", "n")
    wait_until(lambda: registry.service("t", "n"), what="it goes on")
    assert process.stop() == 0 and registry.service("t", "n") is None


def test_a_signal_leaves_what_somebody_else_has_put_there(registry):
    process = registry.hold("t", "n", "h:1", "--ttl", "60", "--refresh-every", "30")
    registry.put("t", "n", "other:9")
    assert process.stop() == 0
    assert registry.service("t", "n").value == b"other:9"


def test_a_signal_leaves_the_same_value_under_somebody_elses_lease(registry):
    process = registry.hold("t", "n", "h:1", "--ttl", "60", "--refresh-every", "30")
    other = registry.etcd.grant(60)
    registry.put("t", "n", "h:1", other)
    assert process.stop() == 0
    assert registry.service("t", "n").lease == other


def test_a_signal_while_etcd_is_away_still_ends_the_process(own_registry):
    process = own_registry.hold("t", "n", "h:1", "--ttl", "60", "--refresh-every", "1")
    own_registry.etcd.kill()
    process.wait_line("^(WARNING|ERROR):root:")
    process.stop(timeout=20)


def test_an_etcd_killed_and_restarted_is_survived_and_said_once(own_registry):
    etcd = own_registry.etcd
    process = own_registry.hold("t", "n", "h:1", "--ttl", "5", "--refresh-every", "1")
    held = own_registry.service("t", "n")
    before = len(process.err)
    etcd.kill()
    said = process.wait_line("^(WARNING|ERROR):root:")
    assert etcd.endpoints in said
    etcd.start()
    assert outlives(etcd, own_registry.service("t", "n").lease)
    assert own_registry.service("t", "n").value == held.value
    complaints = [line for line in process.err[before:] if line.startswith(("WARNING:", "ERROR:"))]
    assert len(complaints) == 1, complaints


def test_a_wiped_etcd_is_registered_with_again(own_registry):
    own_registry.hold("t", "n", "h:1", "--ttl", "5", "--refresh-every", "1")
    own_registry.etcd.wipe()
    assert wait_until(lambda: own_registry.service("t", "n"), 30).value == b"h:1"


def test_registering_waits_for_no_etcd_that_is_not_there_but_says_so(own_registry):
    own_registry.etcd.kill()
    result = own_registry("--etcd-timeout", "1", "service", "register", "--service-type", "t", "--service-name", "n",
                          "--service-location", "h:1")
    assert result.error_line().startswith("ERROR:root:")


# entries with more than a location

FULL = ("--protocol", "udp", "--priority", "10", "--weight", "5", "--txt", "path=/", "--txt", "beta",
        "--txt", "empty=", "--subtype", "printer", "--subtype", "colour")


def test_an_entry_with_more_is_one_line_of_json(registry):
    registry.register("t", "n", "baz:1235", *FULL)
    value = registry.service("t", "n").value
    assert value.startswith(b"{") and b"\n" not in value
    assert json.loads(value) == {"location": "baz:1235", "protocol": "udp", "priority": 10, "weight": 5,
                                 "txt": {"path": "/", "beta": True, "empty": ""}, "subtypes": ["colour", "printer"]} \
        or json.loads(value)["subtypes"] == ["printer", "colour"]


def test_register_states_an_entry_whole(registry):
    registry.register("t", "n", "baz:1235", *FULL)
    registry.register("t", "n", "baz:1235")
    assert registry.service("t", "n").value == b"baz:1235"


def test_drain_and_undrain_change_the_state_alone(registry):
    registry.register("t", "n", "baz:1235", "--weight", "5", "--txt", "path=/", "--ttl", "100")
    before, lease = entry(registry), registry.service("t", "n").lease
    registry.ok("service", "drain", "--service-type", "t", "--service-name", "n")
    assert entry(registry) == {**before, "state": "draining"}
    assert registry.service("t", "n").lease == lease
    registry.ok("service", "undrain", "--service-type", "t", "--service-name", "n")
    after = entry(registry)
    assert after.pop("state", "up") == "up" and after == before
    assert registry.service("t", "n").lease == lease


def test_a_plain_entry_can_be_drained(registry):
    registry.register("t", "n", "baz:1235")
    registry.ok("service", "drain", "--service-type", "t", "--service-name", "n")
    assert entry(registry) == {"location": "baz:1235", "state": "draining"}
    registry.ok("service", "undrain", "--service-type", "t", "--service-name", "n")
    assert registry.service("t", "n").value in (b"baz:1235", b'{"location":"baz:1235","state":"up"}')


def test_drain_keeps_members_that_empusa_does_not_know(registry):
    registry.put("t", "n", '{"location":"h:1","colour":"red"}')
    registry.ok("service", "drain", "--service-type", "t", "--service-name", "n")
    assert entry(registry) == {"location": "h:1", "colour": "red", "state": "draining"}


@pytest.mark.parametrize("command", ["drain", "undrain"])
def test_a_missing_entry_cannot_be_drained(registry, command):
    line = registry("service", command, "--service-type", "t", "--service-name", "n").error_line()
    assert line.startswith("ERROR:root:") and "n" in line


# what is refused

def register_args(**changes):
    options = {"--service-type": "t", "--service-name": "n", "--service-location": "h:1", **changes}
    return [word for option, value in options.items() for word in (option, value)]


LOCATIONS = ["", "baz", "baz:", ":80", "baz:0", "baz:65536", "baz:123456", "baz:+80", "baz:8o", "baz:-1", "baz:80 ",
             " baz:80", "b az:80", "1.2.3:80", "10.0.0.01:80", "256.1.1.1:80", "1.2.3.4.5:80", "1.2.3.4.:80",
             "[baz]:80", "[10.0.0.1]:80", "[fe80::1%eth0]:80", "[fd00::1]", "[fd00::1:80", "fd00::1:80",
             "http://baz:80", "baz:80/", "bäz:80", "-baz:80", "baz-:80", "a..b:80", ".a:80", ".:80", "a..:80",
             "x" * 64 + ":80", ".".join(["x" * 63] * 4) + ":80", "a@b:80", "[::1]:0"]
GOOD_LOCATIONS = ["baz:1", "baz:65535", "BaZ.Example.COM:80", "baz.:80", "a.b.:80", "under_score:80", "1a.2:80",
                  "10.1.2.3:80", "[fd00::1]:80", "[::]:1", "[::ffff:10.1.2.3]:80", "x" * 63 + ":80", "baz:00080",
                  ".".join(["x" * 63] * 3 + ["x" * 61]) + ":80", "a-b--c:80"]
PARTS = ["", "a/b", "/", "x" * 201, "a\x01b", "a\nb", "a\x7fb", b"\xff", b"a\xc0\xaf", "a\u0085b"]

BAD_VALUES = (
    [("--service-location", value) for value in LOCATIONS]
    + [("--service-type", value) for value in PARTS]
    + [("--service-name", value) for value in PARTS]
    + [("--service-type", value) for value in ("dns-sd", "_dns-sd._udp", "DNS-SD", "dns_sd", "_dns-sd._tcp")]
    + [("--ttl", value) for value in ("", "-1", "abc", "1.5", "1s", "99999999999999999999")]
    + [("--refresh-every", value) for value in ("", "-1", "abc")]
    + [("--priority", value) for value in ("", "-1", "65536", "abc", "1.5")]
    + [("--weight", value) for value in ("", "-1", "65536", "abc", " 1")]
    + [("--protocol", value) for value in ("", "sctp", "6", "TCP ")]
    + [("--txt", value) for value in ("", "=x", "k=" + "v" * 254, "k\x01=v", "ké=v")]
    + [("--subtype", value) for value in ("", "x" * 63, "a\x01")])


@pytest.mark.parametrize("option,value", BAD_VALUES, ids=repr)
def test_a_bad_value_is_refused_by_name(registry, option, value):
    result = registry("service", "register", *register_args(**{option: value}))
    assert result.status == 2 and result.out == "" and result.err.count("\n") == 1, result
    assert option in result.err, result
    if isinstance(value, str) and value.isascii() and value.isprintable() and len(value) < 100:
        assert value in result.err, result
    assert registry.etcd.get_prefix(registry.root + "/") == []


@pytest.mark.parametrize("location", GOOD_LOCATIONS)
def test_a_good_location_is_stored_as_it_is(registry, location):
    registry.register("t", "n", location)
    assert registry.service("t", "n").value == location.encode()


UNSPECIFIED = ["0.0.0.0:80", "[::]:80", "[0:0::0]:80", "[::ffff:0.0.0.0]:80"]


@pytest.mark.parametrize("location", UNSPECIFIED)
def test_an_address_that_nobody_can_connect_to_is_warned_of(registry, location):
    said = registry.register("t", "n", location).err.splitlines()
    assert said[0].startswith(f'WARNING:root:--service-location "{location}": ') and len(said) == 2, said
    assert registry.service("t", "n").value == location.encode()


def test_a_keeper_warns_of_it_once(registry):
    process = registry.hold("t", "n", UNSPECIFIED[0], "--ttl", "5", "--refresh-every", "1")
    registry.delete("service", "t", "n")
    process.wait_line("vanished")
    wait_until(lambda: registry.service("t", "n"))
    assert sum(line.startswith("WARNING:") for line in process.err) == 1


@pytest.mark.parametrize("location", ["10.0.0.0:80", "0.0.0.1:80", "[::1]:80", "any:80"])
def test_other_addresses_are_not(registry, location):
    assert registry.register("t", "n", location).err.count("\n") == 1


@pytest.mark.parametrize("part", ["x" * 200, "Étage 2. Bureau A", "会" * 66, "*", "a.b", "-", " ", "a\\b", '"', "é" * 100])
def test_odd_types_and_names_are_stored_as_they_are(registry, part):
    registry.register("t", part, "h:1")
    assert registry.service("t", part).value == b"h:1"
    if part != " ":
        registry.register(part, "n", "h:1")
        assert registry.service(part, "n").value == b"h:1"


@pytest.mark.parametrize("ttl,every", [(10, 10), (5, 6), (1, 1)])
def test_a_refresh_not_shorter_than_the_ttl_is_wrong_usage(registry, ttl, every):
    result = registry("service", "register", *register_args(), "--ttl", ttl, "--refresh-every", every)
    assert result.status == 2 and "--refresh-every" in result.err and result.err.count("\n") == 1, result
    assert registry.service("t", "n") is None


def test_a_pair_of_255_octets_is_the_longest(registry):
    registry.register("t", "n", "h:1", "--txt", "k=" + "v" * 253)
    assert entry(registry)["txt"] == {"k": "v" * 253}
