"""Who changes the registry: lanes, each with keys and leases of its own, that write through etcd's JSON gateway.

Each transaction of a lane puts a token in a key of the lane's own, outside of the registry, and holds only where the last
one is still there. So of a transaction whose answer did not come the token tells whether it was done, and once the lane
has put another one in its place, it never will be.
"""

import base64
import http.client
import itertools
import json
import threading
import time

from process import PATIENCE
from soak_model import Key, Lease, choose, generator
from soak_zone import Entry, Switch

BATCH = 120  # etcd takes 128 operations
ANSWER_S = 3
KEPT_TTL_S = (30, 60)
MORTAL_TTL_S = (2, 5)
HOSTS = 2000


def b64(octets):
    return base64.b64encode(octets).decode()


class Unknown(Exception):
    """Whether it was done."""


class Gateway:
    """Requests to whichever member answers."""

    def __init__(self, members, first):
        self.members = itertools.cycle(members[first:] + members[:first])
        self.connection = None

    def _connect(self):
        member = next(self.members)
        self.connection = http.client.HTTPConnection("127.0.0.1", member.port, timeout=ANSWER_S * PATIENCE)

    def post(self, path, body):
        """(HTTP status, the answer); Unknown where none came, or one that says no more."""
        if self.connection is None:
            self._connect()
        try:
            self.connection.request("POST", "/v3" + path, json.dumps(body).encode())
            reply = self.connection.getresponse()
            status, answer = reply.status, json.loads(reply.read() or b"{}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.drop()
            raise Unknown(repr(error)) from None
        if status >= 500 or status == 408:
            self.drop()
            raise Unknown(f"{status} {answer}")
        return status, answer

    def drop(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def insist(self, path, body, is_over=lambda: False):
        """Of what may be done twice: until there is an answer."""
        while True:
            try:
                return self.post(path, body)
            except Unknown:
                if is_over():
                    raise
                time.sleep(0.1)


class Group:
    """The instances of a type, or the switches below a path, that are written, emptied and filled again."""

    def __init__(self, kind, keys):
        self.kind, self.keys = kind, keys


class Lane(threading.Thread):
    def __init__(self, soak, number, groups):
        super().__init__(daemon=True)
        self.soak, self.model, self.number, self.groups = soak, soak.model, number, groups
        self.rng = generator(soak.seed, f"lane {number}")
        self.gateway = Gateway(soak.cluster.members, number % len(soak.cluster.members))
        self.guard = f"/soak-guard/{number}".encode()
        self.tokens = (f"{number}-{i}".encode() for i in itertools.count())
        self.token = None
        self.leases, self.mortal = [], []  # those renewed, and those that nobody renews
        self.recent = []
        self.counts = {}
        self.error = None
        self.over, self.is_settled, self.may_go = threading.Event(), threading.Event(), threading.Event()

    # one transaction

    def commit(self, writes):
        """[(key, entry or None)]. Whether it was done is known afterwards."""
        attempt = next(self.tokens)
        pairs = [(key, self.model.begin(key, entry)) for key, entry in writes]
        body = self._txn(self.token, attempt, [self._operation(key, entry) for key, entry in writes])
        try:
            status, answer = self.gateway.post("/kv/txn", body)
            is_done, revision = bool(answer.get("succeeded")), int(answer.get("header", {}).get("revision", 0))
            if is_done:
                self.token = attempt
            elif status == 200:
                raise AssertionError(f"lane {self.number}: another's token: {answer}")
        except Unknown:
            self._count("writes of unknown outcome")
            is_done, revision = self._settle(attempt)
        self.model.done(pairs, revision if is_done else None)
        self.recent = ([key for key, _ in writes] + self.recent)[:300]
        return is_done

    def _txn(self, held, token, operations):
        return {"compare": [{"key": b64(self.guard), "target": "VALUE", "value": b64(held)}],
                "success": [{"request_put": {"key": b64(self.guard), "value": b64(token)}}, *operations]}

    @staticmethod
    def _operation(key, entry):
        if entry is None:
            return {"request_delete_range": {"key": b64(key.name)}}
        lease = str(entry.lease.identity) if entry.lease else "0"
        return {"request_put": {"key": b64(key.name), "value": b64(entry.value), "lease": lease}}

    def _settle(self, attempt):
        """(whether the attempt was done, its revision). What was sent before can change nothing afterwards."""
        origins = {self.token: (False, None)}  # of each token that may stand there: what it says of the attempt
        while True:
            try:
                _, answer = self.gateway.post("/kv/range", {"key": b64(self.guard)})
                found = answer["kvs"][0]
                token = base64.b64decode(found["value"])
                if token == attempt:
                    origins[token] = (True, int(found["mod_revision"]))
                if token != self.token:
                    self.token = token
                    return origins[token]
                fence = next(self.tokens)
                origins[fence] = origins[token]
                _, answer = self.gateway.post("/kv/txn", self._txn(token, fence, []))
                if answer.get("succeeded"):
                    self.token = fence
                    return origins[fence]
            except Unknown:
                time.sleep(0.1)

    def begin(self):
        self.token = next(self.tokens)
        self.gateway.insist("/kv/put", {"key": b64(self.guard), "value": b64(self.token)})

    # leases

    def grant(self, ttl):
        identity = self.rng.getrandbits(62) | 1
        if self.rng.random() < 0.5:  # as empusa would
            identity = 0x45 << 55 | ttl << 47 | self.rng.getrandbits(47)
        sent = time.monotonic()
        status, answer = self.gateway.insist("/lease/grant", {"TTL": str(ttl), "ID": str(identity)})
        assert status == 200 or "exists" in str(answer), answer  # of our own repetition
        self._count("leases granted")
        return Lease(identity, int(answer.get("TTL", ttl)), sent)

    def renew(self, lease):
        sent = time.monotonic()
        if lease.may_be_gone(sent):
            lease.is_kept = False  # it may have ended meanwhile, so from now on it must
            return
        try:
            _, answer = self.gateway.post("/lease/keepalive", {"ID": str(lease.identity)})
        except Unknown:
            return
        self._count("renewals")
        if int(answer.get("result", {}).get("TTL", 0)) > 0:
            lease.sent = sent
        else:  # a new leader may not know it yet
            self._count("renewals refused")
            lease.is_kept, lease.ends = False, sent

    def revoke(self, lease):
        with self.model.lock:
            lease.ends = time.monotonic()
            lease.is_kept = False
        self.gateway.insist("/kv/lease/revoke", {"ID": str(lease.identity)})
        self._count("leases revoked")

    def _look_after_leases(self):
        now = time.monotonic()
        for lease in self.leases:
            if lease.is_kept and now > lease.sent + lease.ttl / 5:
                self.renew(lease)
        self.mortal += [lease for lease in self.leases if not lease.is_kept]
        self.leases = [lease for lease in self.leases if lease.is_kept]
        for lease in list(self.mortal):
            if lease.may_be_gone(now):
                self._look_at_end(lease)

    def _look_at_end(self, lease):
        """Gone is what etcd says is gone, and what it has no key of; a new leader may say so of one it does not know yet.
        A revision from after that is one from after its keys were deleted."""
        if time.monotonic() < lease.looked_at + 0.3:
            return
        lease.looked_at = time.monotonic()
        key = next((key.name for key in lease.keys if key.entry and key.entry.lease is lease), self.guard + b"-nothing")
        try:
            _, answer = self.gateway.post("/kv/lease/timetolive", {"ID": str(lease.identity)})
            if int(answer.get("TTL", 0)) >= 0:
                return
            _, answer = self.gateway.post("/kv/range", {"key": b64(key)})
        except Unknown:
            return
        if "kvs" in answer:
            return
        self.mortal.remove(lease)
        self._count("leases ended")
        self.model.ended(lease, int(answer["header"]["revision"]))

    # what is written

    def make(self, key, lease=None):
        """Another entry for a key."""
        rng = self.rng
        if key.kind is None:
            value = rng.choice([b"enabled", b"no", b"", b"%d" % rng.getrandbits(40), b"long " * rng.randrange(1, 150)])
            return Switch(key.instance, value, lease)
        host = rng.randrange(HOSTS)
        address = f"[fd00::{host:x}]" if host % 10 == 0 else f"10.{host % 7}.{host >> 8}.{host & 255}"
        fields = {"location": f"{address}:{rng.randrange(1, 65536)}"}
        if key.name.endswith(b"-u"):
            fields["protocol"] = "udp"
        if rng.random() < 0.4:
            fields |= {field: value for field, value in (
                ("priority", rng.randrange(3)), ("weight", rng.randrange(100)),
                ("txt", {"path": f"/{rng.randrange(1000)}", "beta": True, "name": "ö"}),
                ("subtypes", rng.sample(["printer", "Scanner", "fax"], rng.randrange(1, 3))),
                ("state", "draining"), ("of a later version", [])) if rng.random() < 0.5}
        return Entry(key.kind, key.instance, fields, lease)

    def lease_for(self):
        """None, or one that is renewed, with room and time left."""
        now = time.monotonic()
        good = [lease for lease in self.leases if len(lease.keys) < 900 and now < lease.sent + lease.ttl / 2]
        return self.rng.choice(good) if good and self.rng.random() < 0.5 else None

    def some(self, count):
        """Keys, half of them of those that were written last."""
        chosen = set(self.rng.sample(self.recent, min(len(self.recent), count // 2)))
        while len(chosen) < count:
            chosen.add(self.rng.choice(self.rng.choice(self.groups).keys))
        return list(chosen)

    def fill(self):
        """All there is, at the start; one in ten keys is left out."""
        self.begin()
        self.leases = [self.grant(self.rng.randint(*KEPT_TTL_S)) for _ in range(5)]
        keys = [key for group in self.groups for key in group.keys if self.rng.random() < 0.9]
        for i in range(0, len(keys), BATCH):
            self.commit([(key, self.make(key, self.lease_for())) for key in keys[i:i + BATCH]])
            self._look_after_leases()

    def _count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    # the kinds of change, each of which says how many keys it touched

    def put_one(self):
        return [(self.some(1)[0], True)]

    def put_several(self):
        return [(key, self.rng.random() < 0.7) for key in self.some(self.rng.randint(2, 40))]

    def put_many(self):
        return [(key, True) for key in self.some(BATCH)]

    def delete_one(self):
        return [(self.some(1)[0], False)]

    def empty_group(self):
        group = self.rng.choice(self.groups)
        return [(key, False) for key in group.keys[:BATCH]]

    def fill_group(self):
        group = self.rng.choice(self.groups)
        return [(key, True) for key in group.keys[:BATCH]]

    CHANGES = {"put_one": 30, "put_several": 25, "put_many": 2, "delete_one": 10, "empty_group": 3, "fill_group": 3,
               "expire": 3, "revoke_some": 2, "replace_lease": 1}

    def expire(self):
        """Some hang on a lease that nobody renews."""
        lease = self.grant(self.rng.randint(*MORTAL_TTL_S))
        keys = self.some(self.rng.randint(1, 30))
        if self.commit([(key, self.make(key, lease)) for key in keys]):
            self.mortal.append(lease)
        else:
            self.revoke(lease)
            self.mortal.append(lease)
        return len(keys)

    def revoke_some(self):
        lease = self.grant(60)
        keys = self.some(self.rng.randint(1, 30))
        self.commit([(key, self.make(key, lease)) for key in keys])
        self.revoke(lease)
        self.mortal.append(lease)
        return len(keys)

    def replace_lease(self):
        """One of those that are renewed ends with all that hangs on it, and is made up for."""
        lease = self.rng.choice(self.leases) if len(self.leases) > 3 else None
        if lease and len(lease.keys) < 400:
            self.revoke(lease)
        self.leases.append(self.grant(self.rng.randint(*KEPT_TTL_S)))
        return 1

    def step(self):
        kind = choose(self.rng, self.CHANGES)
        writes = getattr(self, kind)()
        if isinstance(writes, int):
            self._count(kind)
            return writes
        entries = [(key, self.make(key, self.lease_for()) if is_put else None) for key, is_put in writes]
        if not self.commit(entries):
            self._count("transactions refused or not done")
        self._count(kind)
        return len(writes)

    def run(self):
        try:
            due = time.monotonic()
            while not self.over.is_set():
                self._look_after_leases()
                due = max(due + self.step() / self.soak.rate_per_lane, time.monotonic() - 1)
                self.over.wait(max(0, due - time.monotonic()))
            while not self.may_go.wait(0.2):  # leases that are kept go on being so, others end
                self._look_after_leases()
                if not self.mortal:  # of each it is known how
                    self.is_settled.set()
        except BaseException as error:  # pylint: disable=broad-except
            self.error = error
        self.is_settled.set()

    def finish(self):
        """All leases are revoked, and are known to be gone."""
        for lease in self.leases:
            self.revoke(lease)
        self.mortal, self.leases = self.mortal + self.leases, []
        while self.mortal:
            self._look_after_leases()
            time.sleep(0.05)


KINDS = [b"my_type", b"_web", b"ipp._tcp", b"dns._udp", b"My.Odd Type!", b"12.34", b"UPPER"]
NAMES = [b"i-%d", b"i-%d", b"i-%d", b"i-%d", b"i-%d", b"Host%d", b"K\xc3\xa4se Nr. %d", b"a.b.%d", b"under_%d", b"i-%d-u"]


def make_groups(model, root, entries, lanes):
    """Types of 1 to 2,000 instances and a few hundred switches, dealt out to so many lanes."""
    sizes = [entries // 10, entries // 40, entries // 40] + [100] * (entries // 400)
    switches = entries // 40
    left = entries - sum(sizes) - switches
    while left > 0:
        sizes.append(min(left, 1 + len(sizes) * 7 % 19))
        left -= sizes[-1]
    groups = [[] for _ in range(lanes)]
    for i, size in enumerate(sizes):
        kind = KINDS[i - 3] if 3 <= i < 3 + len(KINDS) else b"type-%d" % i
        keys = []
        for j in range(size):
            name = NAMES[j % len(NAMES)] % j
            if b"._" in kind:
                name = name.removesuffix(b"-u") + b"-t"
            keys.append(Key(root + b"/service/" + kind + b"/" + name, i % lanes, kind, name))
        groups[i % lanes].append(Group(kind, keys))
    for i in range(0, switches, 10):
        paths = [b"flags-%d/set%d/s" % (i, j) if j % 2 else b"flags-%d/set%d" % (i, j + 1) for j in range(10)]
        keys = [Key(root + b"/switch/" + path, i // 10 % lanes, None, path) for path in paths]
        groups[i // 10 % lanes].append(Group(b"switch", keys))
    model.keys = {key.name: key for lane in groups for group in lane for key in group.keys}
    return groups
