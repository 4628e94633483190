"""What may be answered at each moment, known from what was written and not from what is served.

Each key has its versions, in the order in which its one writer wrote them. A version may be seen from the moment at
which its write was sent, and it must be, in place of all before it, by a server that shows its revision or a later one: a
server's serial is the revision of the last change it published, and what it published it does not take back. So an answer
is right when each record in it is one that some version allows, and none is missing that all of them hold.

Three things make an answer's bounds wider for a while. Of a write whose outcome is not known, both outcomes are allowed.
Of a lease that was not renewed for its TTL, so is its end. And what a relay kept from a server's watch, that server need
not know until the watch has been proven.
"""

import bisect
import math
import random
import threading
import time

from soak_zone import META, fixed_records

MENDED_S = 60  # within which a lost event is found
KEEP_S = 30  # longer than any question waits for its answer


class Lease:
    """A lease as its holder knows it. `sent` is when the last renewal was sent that was answered."""

    def __init__(self, identity, ttl, sent):
        self.identity, self.ttl, self.sent = identity, ttl, sent
        self.is_kept = True
        self.ends = math.inf  # the moment from which a revocation may have been done
        self.keys = set()
        self.looked_at = 0.0

    def may_be_gone(self, now):
        return now > min(self.sent + self.ttl, self.ends)


class Version:
    """`entry` None: the key is absent. `revision` None: whether it was written is not known."""

    __slots__ = ("entry", "begun", "revision")

    def __init__(self, entry, begun, revision=None):
        self.entry, self.begun, self.revision = entry, begun, revision


class Key:
    __slots__ = ("name", "versions", "lane", "kind", "instance")

    def __init__(self, name, lane, kind=None, instance=None):
        self.name, self.lane, self.kind, self.instance = name, lane, kind, instance
        self.versions = [Version(None, 0.0, 0)]

    @property
    def entry(self):
        return self.versions[-1].entry

    def allowed(self, floor, until):
        """The entries, or None for absence, that a server at revision `floor` or later may show until then."""
        versions = self.versions
        if len(versions) == 1 and (versions[0].entry is None or versions[0].entry.lease is None):
            return [versions[0].entry]
        first = len(versions) - 1
        while first and (versions[first].revision is None or versions[first].revision > floor):
            first -= 1
        entries = [version.entry for version in versions[first:] if version.begun <= until]
        if any(entry and entry.lease and entry.lease.may_be_gone(until) for entry in entries):
            entries.append(None)
        return entries


class Verdict:
    """Of all keys that bear upon one question: which data must be, which may be, and whether the name must or may."""

    def __init__(self, must, may, must_exist, may_exist):
        self.must, self.may, self.must_exist, self.may_exist = must, may, must_exist, may_exist

    def complaint(self, reply, kind, owner):
        """What is wrong with the answer, or None."""
        if reply.rcode == 3:
            return "denied, and it exists" if self.must_exist else None
        if reply.rcode != 0:
            return f"rcode {reply.rcode}, extended error {reply.ede}"
        data = [record[2] for record in reply.answer]
        if any(record[:2] != (owner, kind) for record in reply.answer):
            return "a record that was not asked for"
        if len(set(data)) < len(data):
            return "a record twice"
        if extra := set(data) - self.may:
            return f"{len(extra)} may not be: {sorted(extra)[:3]}"
        if not reply.is_truncated and (missing := self.must - set(data)):
            return f"{len(missing)} missing: {sorted(missing)[:3]}"
        if not data and not self.may_exist:
            return "no data, where there is no such name"
        return None


class Model:
    def __init__(self):
        self.lock = threading.RLock()
        self.keys = {}
        self.where = {}  # owner -> {key: how many versions have it}
        self.types = {}  # a type's owner -> its keys
        self.fixed = {}
        for owner, kind, data in fixed_records():
            self.fixed.setdefault(owner, set()).add((kind, data))
        self.loose = {}  # server -> {key: (floor, until)}
        self.acked = ([], [])  # moments and the highest revision acknowledged by then
        self.changes = 0

    # writing: by the one lane that a key belongs to

    def begin(self, key, entry):
        """A write is about to be sent."""
        with self.lock:
            version = Version(entry, time.monotonic())
            key.versions.append(version)
            self._count(key, version, 1)
            if entry and entry.lease:
                entry.lease.keys.add(key)
            return version

    def done(self, pairs, revision):
        """Of (key, version): written at this revision, or None: not written, and never will be."""
        now = time.monotonic()
        with self.lock:
            for key, version in pairs:
                if revision is None:
                    key.versions.remove(version)
                    self._count(key, version, -1)
                else:
                    version.revision = revision
                    self.changes += 1
            if revision is not None:
                self._acknowledge(now, revision)

    def ended(self, lease, revision):
        """A lease is known to be gone: what hung on it went at this revision or before."""
        now = time.monotonic()
        with self.lock:
            lease.ends = min(lease.ends, now)
            for key in lease.keys:
                if key.entry and key.entry.lease is lease:
                    begun = min(lease.sent + lease.ttl, lease.ends)
                    key.versions.append(Version(None, begun, revision))
                    self.changes += 1
            lease.keys.clear()
            self._acknowledge(now, revision)

    def _acknowledge(self, now, revision):
        moments, revisions = self.acked
        moments.append(now)
        revisions.append(max(revision, revisions[-1] if revisions else 0))

    def acknowledged(self, moment):
        """The highest revision that etcd had acknowledged by then."""
        with self.lock:
            moments, revisions = self.acked
            at = bisect.bisect_right(moments, moment)
            return revisions[at - 1] if at else 0

    def _count(self, key, version, step):
        """Index the owners of a version's records, but for the list of all types, which every one has."""
        if not version.entry:
            return
        for owner in {record[0] for record in version.entry.records} - {META}:
            users = self.where.setdefault(owner, {})
            users[key] = users.get(key, 0) + step
            if not users[key]:
                del users[key]
        for record in version.entry.records:
            if record[0] == META and step > 0:
                self.types.setdefault(record[2], set()).add(key)

    def prune(self, floor):
        """Forget versions that no server can show any more: each is at `floor` or later."""
        with self.lock:
            floors = {}
            for loose in self.loose.values():
                for key, (at, _) in loose.items():
                    floors[key] = min(at, floors.get(key, floor))
            for key in self.keys.values():
                if len(key.versions) == 1:
                    continue
                at = floors.get(key, floor)
                keep = max((i for i, version in enumerate(key.versions)
                            if version.revision is not None and version.revision <= at), default=0)
                for version in key.versions[:keep]:
                    self._count(key, version, -1)
                del key.versions[:keep]

    # what a relay kept back

    def withhold(self, server, name, revision, until):
        key = self.keys.get(name)
        if key is None:
            return
        with self.lock:
            loose = self.loose.setdefault(server, {})
            floor = min(revision - 1, loose[key][0] if key in loose else revision)
            loose[key] = (floor, until)

    def reloaded(self, server):
        """A new process knows all."""
        with self.lock:
            self.loose.pop(server, None)

    # judging

    def verdict(self, server, owner, kind, floor, until):
        with self.lock:
            loose = self.loose.get(server, {})
            must, may, must_exist, may_exist = set(), set(), False, False
            for record_kind, data in self.fixed.get(owner, ()):
                must_exist = may_exist = True
                if record_kind == kind:
                    must.add(data)
                    may.add(data)
            for key in self.where.get(owner, ()):
                entries = self._allowed(key, floor, until, loose)
                each = [{record[1:] for record in entry.records if record[0] == owner} if entry else set()
                        for entry in entries]
                may_exist = may_exist or any(each)
                must_exist = must_exist or all(each)
                data = [{record[1] for record in records if record[0] == kind} for records in each]
                may.update(*data)
                must.update(set.intersection(*data))
            return Verdict(must, may, must_exist, may_exist)

    def verdict_on_types(self, server, floor, until):
        """The list of all types: of each, any one entry decides."""
        with self.lock:
            loose = self.loose.get(server, {})
            must, may = set(), set()
            for name, keys in self.types.items():
                for key in keys:
                    has = [bool(entry) and (META, 12, name) in entry.records
                           for entry in self._allowed(key, floor, until, loose)]
                    if any(has):
                        may.add(name)
                    if all(has):
                        must.add(name)
                        break
            return Verdict(must, may, bool(must), bool(may))

    @staticmethod
    def _allowed(key, floor, until, loose):
        if key in loose:
            at, end = loose[key]
            if until <= end:
                floor = min(floor, at)
        return key.allowed(floor, until)

    def history(self, owner, data, server, count=4):
        """For a complaint: what became of the keys that have this name, of those first that have, or had, this data."""
        with self.lock:
            keys = list(self.where.get(owner, ()))
            keys.sort(key=lambda key: not any(version.entry and any(record[0] == owner and record[2] in data
                                                                    for record in version.entry.records)
                                              for version in key.versions))
            lines = []
            for key in keys[:count]:
                loose = self.loose.get(server, {}).get(key)
                lines.append(f"{key.name!r}" + (f", withheld since revision {loose[0]} until {loose[1]:.2f}" if loose else ""))
                for version in key.versions[-2 * count:]:
                    entry = version.entry
                    lines.append(f"    {version.begun:.2f} revision {version.revision}: {entry and entry.value!r}"
                                 + (f" lease {entry.lease.identity:x}" if entry and entry.lease else ""))
            return lines

    # the whole

    def zone(self):
        """All records but the SOA, once nothing is unknown any more."""
        with self.lock:
            records = {record for record in fixed_records() if record[1]}
            for key in self.keys.values():
                assert len(key.versions) == 1 or all(v.revision is not None for v in key.versions), key.name
                if key.entry:
                    records |= {record for record in key.entry.records if record[1]}
            return records

    def sample(self, rng):
        """A name and type that some key has or had."""
        with self.lock:
            while True:
                key = rng.choice(self._list())
                entries = [version.entry for version in key.versions if version.entry]
                if entries:
                    return rng.choice(tuple(rng.choice(entries).records))[:2]

    def _list(self):
        if len(getattr(self, "_keys", ())) != len(self.keys):
            self._keys = list(self.keys.values())
        return self._keys


def choose(rng, weighted):
    """One of {thing: weight}."""
    return rng.choices(list(weighted), weighted.values())[0]


def generator(seed, purpose):
    """Each thread has its own, so that a seed means the same whatever the others do."""
    return random.Random(f"{seed}-{purpose}")
