"""An attempt that was given up and comes late: nothing of what was done since is undone."""

import json

import pytest

from holder import Hold, Holder
from process import wait_until

TXN = b"/kv/txn"


@pytest.fixture
def held(registry):
    """The first transaction is held back, whichever endpoint it goes to; its repetition passes."""
    relays = []

    def make(marker=TXN):
        hold = Hold(marker)
        relays.extend(Holder(registry.etcd.members[0].port, hold) for _ in range(2))
        env = {"EMPUSA_ETCD_ENDPOINT": ",".join(relay.endpoint for relay in relays[-2:])}
        return hold, env

    yield make
    for relay in relays:
        relay.stop()


def one(name="n"):
    return ["--service-type", "t", "--service-name", name]


def value(registry):
    found = registry.service("t", "n")
    return found.value if found else None


@pytest.mark.parametrize("ttl", [[], ["--ttl", "600"]])
def test_what_was_unregistered_does_not_come_back(registry, held, ttl):
    registry.register("t", "n", "h:1")
    hold, env = held()
    registry.ok("service", "register", *one(), "--service-location", "h:2", *ttl, env=env)
    assert value(registry) == b"h:2"
    registry.unregister("t", "n")
    hold.release()
    assert value(registry) is None


def test_what_was_registered_since_stays(registry, held):
    registry.register("t", "n", "h:1")
    hold, env = held()
    assert registry.ok("service", "unregister", *one(), env=env).err.endswith("n (t) unregistered\n")
    registry.register("t", "n", "h:2")
    hold.release()
    assert value(registry) == b"h:2"


@pytest.mark.parametrize("command,after", [("drain", "undrain"), ("undrain", "drain")])
def test_a_state_that_was_changed_since_stays(registry, held, command, after):
    registry.put("t", "n", json.dumps({"location": "h:1", "state": "up" if command == "drain" else "draining"}))
    hold, env = held()
    said = registry.ok("service", command, *one(), env=env).err
    assert said == f"INFO:root:service n (t) {'is draining' if command == 'drain' else 'is up again'}\n"
    registry.ok("service", after, *one())
    wanted = value(registry)
    hold.release()
    assert value(registry) == wanted and (b"draining" in wanted) == (after == "drain")


def test_a_drain_is_not_undone_by_a_registration_from_before(registry, held):
    registry.register("t", "n", "h:1")
    hold, env = held()
    registry.ok("service", "register", *one(), "--service-location", "h:1", env=env)
    registry.ok("service", "drain", *one())
    hold.release()
    assert json.loads(value(registry))["state"] == "draining"


def test_what_was_drained_already_outlasts_an_undrain_that_failed(registry, held):
    registry.put("t", "n", '{"location":"h:1","state":"draining"}')
    hold, env = held()
    env["EMPUSA_ETCD_ENDPOINT"] = env["EMPUSA_ETCD_ENDPOINT"].split(",")[0]
    registry("--etcd-timeout", "1", "service", "undrain", *one(), env=env).error_line()
    assert "already" in registry.ok("service", "drain", *one()).err
    hold.release()
    assert json.loads(value(registry))["state"] == "draining"


@pytest.mark.parametrize("args,said,then,left", [
    (["set", "s", "b"], "switch s set to b", ["set", "s", "c"], b"c"),
    (["set", "s", "b", "--ttl", "600"], "switch s set to b", ["remove", "s"], None),
    (["remove", "s"], "switch s removed", ["set", "s", "c"], b"c"),
    (["cas", "s", "b", "yes"], "Existing switch s set to b", ["set", "s", "yes"], b"yes"),
    (["toggle", "s"], "switch s set to no", ["toggle", "s"], b"yes"),
])
def test_what_became_of_a_switch_since_stays(registry, held, args, said, then, left):
    registry.put_switch("s", "yes")
    hold, env = held()
    assert registry.ok("switch", *args, env=env).err == f"INFO:root:{said}\n"
    registry.ok("switch", *then)
    hold.release()
    found = registry.etcd.get(registry.key("switch", "s"))
    assert (found.value if found else None) == left


UNKNOWN = [
    (["switch", "toggle", "s"], "switch s set to no"),
    (["switch", "cas", "s", "no", "yes"], "Existing switch s set to no"),
    (["switch", "cas", "new", "no", "yes"], "New switch new set to no"),
    (["switch", "remove", "s"], "switch s removed"),
    (["service", "unregister", *one()], "service n (t) unregistered"),
    (["service", "drain", *one()], "service n (t) is draining"),
]


@pytest.mark.parametrize("args,said", UNKNOWN, ids=lambda value: value if isinstance(value, str) else None)
def test_what_was_done_without_an_answer_is_not_taken_for_somebody_elses(registry, held, args, said):
    registry.put_switch("s", "yes")
    registry.register("t", "n", "h:1")
    hold, env = held()
    process = registry.start(*args, env=env)
    wait_until(lambda: hold.held, 10, "it is held")
    assert hold.release().startswith(b"HTTP/1.1 200")
    assert process.wait() == 0
    assert process.err == [f"INFO:root:{said}"]


# those who stay

STAY = [["--refresh-every", "1"], ["--ttl", "60", "--refresh-every", "1"]]


def keeper(registry, env, how, location="h:1"):
    process = registry.start("service", "register", *one(), "--service-location", location, *how, env=env)
    process.wait_line(r"^INFO:root:service .* registered$")
    return process


@pytest.mark.parametrize("how", STAY)
def test_a_keeper_that_left_leaves_nothing_behind(registry, held, how):
    registry.register("t", "n", "h:9")
    hold, env = held(b'"request_put"')
    process = keeper(registry, env, how)
    assert process.stop() == 0
    assert value(registry) is None, process.err
    hold.release()
    assert value(registry) is None


def test_a_keeper_that_put_its_entry_back_and_left_leaves_nothing_behind(registry, held):
    process = keeper(registry, {}, STAY[1])
    assert process.stop() == 0
    hold, env = held(b'"request_put"')
    process = keeper(registry, env, STAY[1])  # absent, held, made by the repetition
    assert process.stop() == 0
    hold.release()
    assert value(registry) is None


@pytest.mark.parametrize("how", STAY)
def test_a_keeper_s_write_from_before_does_not_undo_a_drain(registry, held, how):
    registry.register("t", "n", "h:9")
    hold, env = held(b'"request_put"')
    process = keeper(registry, env, how)
    registry.ok("service", "drain", *one())
    process.wait_line("is draining$")
    hold.release()
    assert json.loads(value(registry))["state"] == "draining"
    assert process.stop() == 0 and value(registry) is None


@pytest.mark.parametrize("how", STAY)
def test_a_keeper_s_deletion_that_comes_late_spares_its_successor(registry, held, how):
    hold, env = held(b"request_delete_range")
    process = keeper(registry, env, how)
    assert process.stop(timeout=20) == 0
    other = keeper(registry, {}, how)
    hold.release()
    assert value(registry) == b"h:1"
    assert other.stop() == 0


def test_a_beat_that_was_done_without_an_answer_is_still_its_own(registry, held):
    """Without a lease nothing but the revision tells whose it is."""
    registry.register("t", "n", "h:9")
    hold, env = held(b'"request_put"')
    process = registry.start("service", "register", *one(), "--service-location", "h:1", *STAY[0], env=env)
    wait_until(lambda: hold.held, 10, "it is held")
    hold.release()
    process.wait_line(" registered$")
    assert process.stop() == 0
    assert value(registry) is None
