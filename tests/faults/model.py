"""What etcd may hold at each moment, from the test's own writes alone.

Every write has a time of request and, if its outcome is known, one of its answer; it took effect at some moment in
between. One whose outcome is unknown took effect at any moment since, or never. What etcd does by itself, as when a lease
expires or an operator wipes it, is written down by the test as such a write, with the bounds of its time.

Every value is written only once and is told from all others by the records that are asked for, so that an answer says
which write it comes from. Nothing here knows how empusa works; only what a name in DNS is to a key in etcd.
"""

import bisect
import itertools
import random
import threading
import time

from dns_client import name_of
from etcd import EtcdError, b64

ABSENT = None
ORDINARY_S = 0.5  # what a change may take when nothing is wrong, or by a long way: not counted as time to recover


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
        self.revision = 0  # of the last write; 0 = deleted; None: that is not known
        self.may_delete = True

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
        key.revision = self._write(key, value, lambda: self.etcd.put(key.key, value, lease))
        return key.revision

    def put_switch(self, name):
        key = self.switch(name)
        value = self.new_value(key)
        return self._write(key, value, lambda: self.etcd.put(key.key, value))

    def delete(self, name, kind="web"):
        key = self.service(name, kind)
        self._write(key, ABSENT, lambda: self.etcd.delete(key.key))
        key.revision = 0 if key.writes[-1].answered else None

    def change(self, name, kind="web", is_delete=False):
        """Put or delete, on the condition that the last write is still the last one. So what becomes of one without an
        answer can be settled: it may lie in the sockets of a member that is stopped, and be done when that goes on."""
        key = self.service(name, kind)
        if key.revision is None:
            return
        is_delete = is_delete and key.may_delete and key.revision != 0
        value = ABSENT if is_delete else self.new_value(key)
        before, key.revision = key.revision, None
        revision = self._write(key, value, lambda: self._exchange(key, before, value))
        if revision is None:
            # It would be done after another deletion, too.
            key.may_delete = key.may_delete and before != 0
        else:
            key.revision = 0 if is_delete else revision

    def _exchange(self, key, before, value):
        act = ({"request_delete_range": {"key": b64(key.key)}} if value is ABSENT else
               {"request_put": {"key": b64(key.key), "value": b64(value)}})
        done = self.etcd.call("/kv/txn", {
            "compare": [{"key": b64(key.key), "target": "MOD", "mod_revision": str(before)}], "success": [act]})
        if not done.get("succeeded"):
            raise EtcdError(f"{key.key} is not of {before}")
        return int(done["header"]["revision"])

    def settle(self):
        """Once etcd takes writes: of what was changed without a known outcome, nothing can be done any more after this."""
        for (kind, name), key in [item for item in list(self.keys.items()) if isinstance(item[0], tuple)]:
            while key.revision is None and key.writes[-1].answered is None:
                requested = time.monotonic()
                found = self.etcd.get(key.key)
                self.note(key, found and found.value.decode(), requested, time.monotonic())
                key.revision = found.mod_revision if found else 0
                self.change(name, kind)

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


class Writer(threading.Thread):
    """Writes and deletes all the time, past everything under test, whether etcd takes it or not."""

    def __init__(self, model, names, pause_s=0.02):
        super().__init__(daemon=True)
        self.model, self.names, self.pause_s = model, names, pause_s
        self.error = None
        self._is_over = threading.Event()
        self._random = random.Random(random.random())
        self.start()

    def run(self):
        try:
            while not self._is_over.wait(self.pause_s):
                self.model.change(self._random.choice(self.names), is_delete=self._random.random() < 0.2)
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def stop(self):
        """What was written last is known then, if etcd is there."""
        self._is_over.set()
        self.join()
        assert self.error is None, self.error
        self.model.settle()
