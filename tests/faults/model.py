"""What etcd may hold at each moment, from the test's own writes alone.

Every write has a time of request and, if its outcome is known, one of its answer; it took effect at some moment in
between. One whose outcome is unknown took effect at any moment since, or never. What etcd does by itself, as when a lease
expires or an operator wipes it, is written down by the test as such a write, with the bounds of its time.

Every value is written only once and is told from all others by the records that are asked for, so that an answer says
which write it comes from. Nothing here knows how empusa works; only what a name in DNS is to a key in etcd.
"""

import bisect
import itertools
import threading
import time

from dns_client import name_of
from etcd import EtcdError

ABSENT = None
ORDINARY_S = 0.2  # what a change takes when nothing is wrong: not counted as time to recover


class Write:
    def __init__(self, value, requested, answered=None):
        self.value, self.requested, self.answered = value, requested, answered

    def __repr__(self):
        return f"{self.value} at {self.requested:.2f}"


class Key:
    """One key and all that was written to it, in the order of the requests: its writers wait for one another."""

    def __init__(self, key, instance):
        self.key = key
        self.instance = instance  # the name in DNS
        self.writes = [Write(ABSENT, 0.0, 0.0)]

    def possible(self, begin, end):
        """The values that etcd may have held at some moment from begin to end."""
        found = set()
        for write in reversed(self.writes):
            if write.requested <= end:
                found.add(write.value)
                if write.answered is not None and write.answered <= begin:
                    break
        return found


class Question:
    """A question, and the keys that its answer speaks of; `read(reply)` is what the answer says: [(key, value)]."""

    def __init__(self, name, rdtype, keys, records):
        self.name, self.rdtype = name, rdtype
        self.wire_name = name_of(name).to_wire()
        self.keys, self._records = keys, records

    def read(self, reply):
        """Of every record that answers the question: whose it is; (None, data) of one that nobody ever wrote."""
        return [self._records.get((self.rdtype, data), (None, data)) for data in reply.data(rdtype=self.rdtype)]

    def __repr__(self):
        return f"{self.name} {self.rdtype}"


class Model:
    """The registry of a test, written to past everything that is under test."""

    def __init__(self, registry):
        self.registry, self.etcd = registry, registry.etcd
        self.keys = {}
        self._records = {}  # (rdtype, data): (key, value)
        self._by_type = {}
        self._numbers = itertools.count(1)
        self._reachable = [0.0]  # begin of a time when etcd can answer, its end, the next one's begin, ...
        self._lock = threading.Lock()

    # what is asked

    def questions(self):
        """One for each key, one for each type of service."""
        with self._lock:
            own = [Question(key.instance, "SRV" if "._tcp" in key.instance else "TXT", [key], self._records)
                   for key in self.keys.values()]
            return own + [Question(f"_{kind}._tcp", "SRV", keys, self._records)
                          for kind, keys in self._by_type.items()]

    def service(self, name, kind="web"):
        """The Key of a service, made when it is first spoken of."""
        with self._lock:
            if (kind, name) not in self.keys:
                key = self.keys[kind, name] = Key(self.registry.service_key(kind, name), f"{name}._{kind}._tcp")
                self._by_type.setdefault(kind, []).append(key)
            return self.keys[kind, name]

    def switch(self, name):
        with self._lock:
            return self.keys.setdefault(name, Key(self.registry.key("switch", name), f"{name}.switch"))

    def new_value(self, key):
        """A value that was never used, and that the answers to come are known by."""
        number = next(self._numbers)
        if key.instance.endswith(".switch"):
            value, record = f"v{number}", ("TXT", f'"v{number}"')
        else:
            value = f"10.0.{number >> 8 & 255}.{number & 255}:{number}"
            record = ("SRV", f"0 1 {number} 10-0-{number >> 8 & 255}-{number & 255}.addr.empusa.internal.")
        self._records[record] = (key, value)
        return value

    # what was written

    def note(self, key, value, requested, answered=None):
        """A write that somebody else made, or etcd: at some moment between the two; answered None: perhaps never."""
        key.writes.append(Write(value, requested, answered))
        return key.writes[-1]

    def _write(self, key, value, act):
        write = self.note(key, value, time.monotonic())
        try:
            result = act()
        except (OSError, EtcdError):
            return None
        write.answered = time.monotonic()
        return result

    def put(self, name, kind="web", lease=0):
        """The revision; None: the outcome is unknown."""
        key = self.service(name, kind)
        value = self.new_value(key)
        return self._write(key, value, lambda: self.etcd.put(key.key, value, lease))

    def put_switch(self, name):
        key = self.switch(name)
        value = self.new_value(key)
        return self._write(key, value, lambda: self.etcd.put(key.key, value))

    def delete(self, name, kind="web"):
        key = self.service(name, kind)
        return self._write(key, ABSENT, lambda: self.etcd.delete(key.key))

    def settle(self):
        """Asks etcd, past everything, what became of writes without a known outcome. No attempt may still be under way."""
        for key in list(self.keys.values()):
            if key.writes[-1].answered is None:
                requested = time.monotonic()
                found = self.etcd.get(key.key)
                self.note(key, found and found.value.decode(), requested, time.monotonic())

    # when it could be read

    def away(self):
        """From now on the servers under test cannot reach an etcd that answers: to be called before that is so."""
        assert len(self._reachable) % 2 == 1
        self._reachable.append(time.monotonic())

    def back(self):
        """They can again: to be called once it is so. The time."""
        assert len(self._reachable) % 2 == 0
        self._reachable.append(time.monotonic())
        return self._reachable[-1]

    def known_since(self, moment, within_s):
        """What etcd held before that a server must know by now: it had within_s to learn of it."""
        times = self._reachable
        last = bisect.bisect_right(times, moment) - 1  # the beginning of the interval that moment is in
        last -= last % 2
        while last >= 0:
            end = min(moment, times[last + 1] if last + 1 < len(times) else moment)
            if end - within_s >= times[last]:
                return end - within_s
            last -= 2
        return 0.0

    def judge(self, question, said, sent, received, within_s):
        """What is wrong with an answer: [(invariant, text)]. said: Question.read()'s."""
        begin = self.known_since(sent, within_s)
        wrong = []
        for key in question.keys:
            possible = key.possible(begin, received)
            values = [value for owner, value in said if owner is key]
            wrong += [("right", f"{question} {value}; possible are {possible}")
                      for value in values if value not in possible]
            if not values and ABSENT not in possible:
                wrong.append(("never-denied", f"{question} without {key.instance}; possible are {possible}"))
        wrong += [("right", f"{question} {value}, which nobody wrote") for owner, value in said if owner is None]
        return wrong
