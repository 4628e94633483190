"""The judge itself: that it finds what is wrong, and lets pass what may be."""

import pytest

from model import ABSENT, Key, Model, Question
from verdict import Verdict


class FakeRegistry:
    etcd = None

    @staticmethod
    def service_key(kind, name):
        return f"/service/{kind}/{name}".encode()


@pytest.fixture
def model():
    return Model(FakeRegistry())


def ask(model, key, values, at, within_s=2.0):
    asked = Question(key.instance, "SRV", [key], {})
    return [invariant for invariant, _ in model.judge(asked, [(key, value) for value in values], at, at, within_s)]


def test_what_is_held_must_be_answered(model):
    key = model.service("a")
    model.note(key, "v1", 10.0, 10.1)
    assert ask(model, key, ["v1"], 20) == []
    assert ask(model, key, [], 20) == ["never-denied"]
    assert ask(model, key, ["v2"], 20) == ["right"]
    assert ask(model, key, [], 11) == []  # it may not have learned of it yet
    assert ask(model, key, ["v1"], 9) == ["right"]


def test_a_write_of_unknown_outcome_may_be_there_or_not(model):
    key = model.service("a")
    model.note(key, "v1", 10.0, 10.1)
    model.note(key, "v2", 20.0)
    model.note(key, ABSENT, 30.0)
    assert ask(model, key, ["v1"], 40) == ask(model, key, ["v2"], 40) == ask(model, key, [], 40) == []
    model.note(key, "v3", 50.0, 50.1)
    assert ask(model, key, ["v2"], 60) == ["right"]
    assert ask(model, key, [], 60) == ["never-denied"]


@pytest.mark.parametrize("at,said,wrong", [
    (16, ["old"], []),  # away since 15: it cannot know
    (29, ["old"], []),
    (31, ["old"], []),  # back since 30
    (33, ["old"], ["right"]),
    (33, ["new"], []),
    (25, [], ["never-denied"]),
])
def test_what_is_stale_may_be_answered_while_etcd_is_away(model, at, said, wrong, monkeypatch):
    key = model.service("a")
    model.note(key, "old", 10.0, 10.1)
    monkeypatch.setattr("time.monotonic", lambda: 15.0)
    model.away()
    model.note(key, "new", 20.0, 20.1)
    monkeypatch.setattr("time.monotonic", lambda: 30.0)
    model.back()
    assert ask(model, key, said, at) == wrong


def test_a_short_return_of_etcd_is_no_time_to_learn(model):
    model._reachable = [0.0, 10.0, 11.0, 12.0, 20.0]  # pylint: disable=protected-access
    assert model.known_since(5, 2) == 3
    assert model.known_since(10.5, 2) == model.known_since(12.5, 2) == model.known_since(21, 2) == 8
    assert model.known_since(23, 2) == 21


def test_what_holds_for_one_key_holds_for_a_set(model):
    first, second = model.service("a"), model.service("b")
    model.note(first, "v1", 1.0, 1.1)
    model.note(second, "v2", 1.0, 1.1)
    asked = next(q for q in model.questions() if len(q.keys) == 2)
    assert model.judge(asked, [(first, "v1")], 9, 9, 2)[0][0] == "never-denied"
    assert model.judge(asked, [(first, "v1"), (second, "v2"), (None, "x")], 9, 9, 2)[0][0] == "right"
    assert model.judge(asked, [(second, "v2"), (first, "v1")], 9, 9, 2) == []


def test_values_are_told_apart(model):
    key = model.service("a")
    assert isinstance(key, Key) and model.service("a") is key
    assert len({model.new_value(key) for _ in range(600)}) == 600


def test_what_is_broken_fails():
    verdict = Verdict("test")
    verdict.add("fault", "once", True)
    verdict.check()
    verdict.add("fault", "once", False, "twice")
    with pytest.raises(AssertionError, match="fault: once: twice"):
        verdict.check()
    assert verdict.rows[1] == ["test", "fault", "once", "BROKEN", "", "twice"]
