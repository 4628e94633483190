"""What a watch has lost is found and mended within a minute, although nothing about it looks wrong.

Each server has a relay of its own that keeps something from its watches and passes all other requests. They all live
through the same minute, so that this takes one minute once. Meanwhile others sit out an outage.
"""

import threading
import time

import pytest

from etcd import Etcd
from process import wait_until
from relay import WatchRelay

LIMIT_S = 60
LARGE = 21000
OUTAGE_S = 18  # long enough for whoever waits twice as long each time to be asleep
BACK_S = 6


def is_delete(event):
    return event.get("type") == "DELETE"


def named(*names):
    return lambda event: event["name"].rsplit("/", 1)[1] in names


class Case:
    """A server behind a relay, which holds a, b and c before the relay does its worst."""

    def __init__(self, registry, filler=0):
        self.registry = registry
        registry.etcd.put_many((registry.service_key("filler", f"n{i}"), "10.0.0.2:1") for i in range(filler))
        for name in ("a", "b", "c"):
            registry.put("web", name, f"10.0.0.1:{ord(name)}")
        self.relay = WatchRelay(registry.etcd.members[0].port)
        self.server = registry.serve(endpoints=self.relay.endpoint)
        self.expected = {("a", 97), ("b", 98), ("c", 99)}
        self.mended_s = None

    def ports(self):
        reply = self.server.dns.ask("_web._tcp.empusa.internal.", "SRV", tcp=True, edns=4096)
        return {int(data.split()[2]) for _, _, kind, data in reply.records("answer") if kind == "SRV"}

    def put(self, name, port):
        self.registry.put("web", name, f"10.0.0.1:{port}")
        self.expected = {(n, p) for n, p in self.expected if n != name} | {(name, port)}

    def delete(self, name):
        self.registry.delete("service", "web", name)
        self.expected = {(n, p) for n, p in self.expected if n != name}

    def is_right(self):
        return self.ports() == {port for _, port in self.expected}


def silent(case):
    case.relay.mutes = lambda watch: watch == 0
    case.put("new", 1)


def silent_all(case):
    """Every watch is made and then says nothing."""
    case.relay.mutes = lambda watch: True
    case.put("a", 2)


def no_watch(case):
    """The watch is silent, and no other is answered."""
    case.relay.mutes = lambda watch: True
    case.relay.refuses = lambda: True
    case.put("a", 3)
    case.delete("c")


def last_delete(case):
    case.relay.drops = lambda watch, event: is_delete(event)
    case.delete("c")


def put_withheld(case):
    case.relay.drops = lambda watch, event: watch == 0 and named("a")(event)
    case.put("a", 4)
    case.put("b", 5)


def middle_for_all(case):
    """An update is edited out of each watch's replay, too: nobody counts differently."""
    case.relay.drops = lambda watch, event: named("b")(event)
    case.put("a", 6)
    case.put("b", 7)
    case.put("c", 8)


def delete_and_put(case):
    case.relay.drops = lambda watch, event: named("b", "new")(event)
    case.delete("b")
    case.put("new", 9)


def half_a_line(case):
    case.relay.halves = lambda watch, event: watch == 0
    case.put("a", 10)


def half_a_line_always(case):
    """Neither a new watch nor a proof comes past it."""
    case.relay.halves = lambda watch, event: named("a")(event)
    case.put("a", 17)
    case.put("b", 18)


def cut_always(case):
    case.relay.cuts = lambda watch, event: named("a")(event)
    case.put("a", 19)
    case.put("b", 20)


def stillborn(case):
    """The connection ends, and no watch is ever made again, although each begins to be."""
    case.relay.stillborn = lambda watch: True
    case.relay.cut()
    case.put("a", 21)


def second_is_lossy(case):
    """Nothing is wrong but the watch that is to prove it."""
    case.relay.drops = lambda watch, event: watch == 1
    case.put("a", 11)


def rewritten(case):
    case.relay.mutes = lambda watch: watch == 0
    case.delete("a")
    case.put("a", 12)


FAULTS = [silent, silent_all, no_watch, last_delete, put_withheld, middle_for_all, delete_and_put, half_a_line,
          half_a_line_always, cut_always, stillborn, second_is_lossy, rewritten]


def compacted(case):
    case.relay.drops = lambda watch, event: is_delete(event)
    case.delete("c")
    case.registry.etcd.compact()


def large_silent(case):
    """More keys than are ever read again."""
    case.relay.mutes = lambda watch: watch == 0
    case.put("a", 13)
    case.delete("b")
    case.put("new", 14)


def large_deletes(case):
    case.relay.drops = lambda watch, event: is_delete(event)
    case.delete("b")
    case.put("a", 15)


def watch_all(cases, start):
    def look():
        for name, case in cases.items():
            if case.mended_s is None and case.is_right():
                case.mended_s = time.monotonic() - start
        return all(case.mended_s is not None for case in cases.values())

    try:
        wait_until(look, LIMIT_S)
    finally:
        for name, case in cases.items():
            print(f"{name:16} {'not mended' if case.mended_s is None else f'{case.mended_s:.1f} s'}")


class Outage(threading.Thread):
    """An etcd that is away for a while, and what its servers answer once it is back."""

    def __init__(self, etcd, cases):
        super().__init__(daemon=True)
        self.etcd, self.cases, self.fault = etcd, cases, None

    def run(self):
        try:
            self.etcd.kill()
            time.sleep(OUTAGE_S)
            self.etcd.start()
            for case in self.cases:
                case.put("a", 16)
            for case in self.cases:
                wait_until(case.is_right, BACK_S, "the change is served")
        except Exception as error:  # pylint: disable=broad-except
            self.fault = error


@pytest.fixture
def away():
    server = Etcd()
    yield server
    server.stop()


def test_what_the_watch_lost_is_mended(etcd, bind_registry, own_etcd, away):
    outage = Outage(away, [Case(bind_registry(away)) for _ in range(4)])
    outage.start()
    cases = {fault.__name__: Case(bind_registry(etcd)) for fault in FAULTS}
    cases["compacted"] = Case(bind_registry(own_etcd))
    cases |= {fault.__name__: Case(bind_registry(etcd), filler=LARGE) for fault in (large_silent, large_deletes)}
    start = time.monotonic()
    for fault in [*FAULTS, large_silent, large_deletes, compacted]:
        fault(cases[fault.__name__])
    try:
        watch_all(cases, start)
        cases["put_withheld"].server.wait_line(r"^WARNING:root:the watch of etcd had lost 1 event; mended$")
        outage.join()
        assert outage.fault is None, outage.fault
    finally:
        for case in [*cases.values(), *outage.cases]:
            case.relay.stop()
