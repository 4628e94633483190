"""What strangers put into the registry, as a person is shown it: tables, messages, JSON, terminals."""

import json
import os
import pty

import pytest

from server import cells

# What a terminal acts on, and what it reads otherwise than it stands there: the octets, and how they are shown.
UNSAFE = [(b"\x00", r"\x00"), (b"\x1b[2J", r"\x1b[2J"), (b"\x7f", r"\x7f"), (b"\n", r"\x0a"), (b"\x80", r"\x80"),
          (b"\xff", r"\xff"), ("\x85".encode(), r"\xc2\x85"), ("\x9b2J".encode(), r"\xc2\x9b2J"),
          *((chr(c).encode(), rf"\u{{{c:04x}}}") for c in (0x61c, 0x200e, 0x200f, 0x202a, 0x202e, 0x2066, 0x2069))]
ids = pytest.mark.parametrize("octets,shown", UNSAFE, ids=[shown for _, shown in UNSAFE])


def is_safe(text):
    return not any(ord(c) < 0x20 or 0x7f <= ord(c) <= 0x9f or 0xdc80 <= ord(c) <= 0xdcff or c in "\u061c\u200e\u200f"
                   or 0x202a <= ord(c) <= 0x202e or 0x2066 <= ord(c) <= 0x2069 for c in text.replace("\n", ""))


def on_terminal(registry, *args):
    """What a command writes to a terminal."""
    master, slave = pty.openpty()
    try:
        assert registry(*args, stdout=slave).status == 0
        return os.read(master, 65536).decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    finally:
        os.close(slave)
        os.close(master)


@ids
def test_what_a_terminal_acts_on_is_shown_everywhere(registry, octets, shown):
    value = b"a" + octets + b"z"
    registry.put_switch("s", value)
    registry.put("t", b"n" + octets, b"h:1")
    tables = registry.ok("switch", "list").out + registry.ok("service", "list").out
    assert f" a{shown}z " in tables and f" t/n{shown} " in tables and is_safe(tables)
    objects = registry.ok("switch", "list", "--format", "json").out
    assert is_safe(objects) and json.loads(objects)[0]["value"] == value.decode("utf-8", "replace")
    assert registry.ok("switch", "get", "s").out.encode("utf-8", "surrogateescape") == value + b"\n"
    assert on_terminal(registry, "switch", "get", "s") == f"a{shown}z\n"


@ids
def test_what_a_terminal_acts_on_is_shown_in_messages(registry, octets, shown):
    if b"\0" in octets:
        pytest.skip("no argument can hold it")
    said = registry("switch", "toggle", b"s/" + octets + b"z").err
    assert shown + "z" in said and is_safe(said), said
    said = registry("switch", "get", b"s/" + octets + b"z").err
    assert shown + "z" in said and is_safe(said), said
    for place in ((b"--" + octets + b"z",), (octets + b"z",), ("switch", "list", "--format", octets + b"z"),
                  ("switch", "list", octets + b"z"), (b"--log-level", octets + b"z", "switch", "list"),
                  ("completion", octets + b"z"), ("service", "register", "--from", octets + b"z")):
        result = registry(*place)
        assert result.status != 0 and shown + "z" in result.err and is_safe(result.err), result


def test_a_long_value_does_not_widen_a_table(registry):
    registry.put_switch("long", "x" * 100_000)
    registry.put_switch("wide/" + "会" * 60, "議" * 150)
    registry.etcd.put_many((registry.key("switch", f"s{i:04}"), "on") for i in range(1000))
    out = registry.ok("switch", "list").out
    assert len(out) < 1010 * 420
    rows = {row[0]: row[1] for row in cells(out)}
    assert rows["long"] == "x" * 197 + "..." and rows["wide/" + "会" * 60] == "議" * 98 + "..."
    values = {row["switch"].split("/switch/")[1]: row["value"] for row in
              json.loads(registry.ok("switch", "list", "--format", "json").out)}
    assert values["long"] == "x" * 100_000
    assert registry.ok("switch", "get", "long").out == "x" * 100_000 + "\n"
