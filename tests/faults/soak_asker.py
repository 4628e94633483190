"""Who asks a server all the while, and judges each answer by the model."""

import socket
import struct
import threading
import time

from process import PATIENCE
from soak_model import choose, generator
from soak_zone import A, AAAA, META, NS, PTR, SOA, SRV, TXT, ZONE, Message, query, wire

# What a proof puts right has no revision of its own: it adds 1 to the serial, which goes on from there.
AHEAD = 8
ANSWER_S = 5  # within which a server that runs answers
FRESH_S = 2  # within which it knows what etcd can tell it
STALE_TTL_S = 30
NAME_KINDS = (A, AAAA, PTR, SRV, TXT, NS)
ABSENT = (wire(b"nosuch"), wire(b"nosuch", b"_tcp"), wire(b"nosuch", b"service"), wire(b"10-99-99-99", b"addr"),
          wire(b"nosuch", b"switch"), wire(b"x", b"ns"))
SHOWN, TOLD = 5, 10
WHOLE_OCTETS = 60000  # what is about as long may have had no room for more
LARGE = 300  # as many names are judged seldom


def complaint(soak, side, name, kind, what, reply, verdict, moment):
    """All that is needed to understand it, as it is at this moment."""
    lines = [f"{moment - soak.begun:8.2f} ({moment:.2f}) server {side.name}, floor {side.floor}: {name!r} type {kind}: {what}"]
    if reply:
        data = [record[2] for record in reply.answer]
        lines.append(f"    answered: rcode {reply.rcode} TC {reply.is_truncated} {len(data)}: {data[:SHOWN]}")
    odd = set()
    if verdict:
        odd = {record[2] for record in reply.answer} ^ verdict.must
        lines.append(f"    must be {len(verdict.must)}: {sorted(verdict.must)[:SHOWN]}")
        lines.append(f"    may be {len(verdict.may)}: {sorted(verdict.may)[:SHOWN]}")
    lines += ["    " + line for line in soak.model.history(name, odd, side.name)]
    lines += ["    fault: " + line for line in soak.injector.lines[-12:]]
    return "\n".join(lines)


class Asker(threading.Thread):
    KINDS = {"record": 60, "other_type": 10, "absent": 6, "serial": 6, "fixed": 3, "short": 5, "types": 0.2}

    def __init__(self, soak, side, is_tcp):
        super().__init__(daemon=True)
        self.soak, self.side, self.is_tcp, self.model = soak, side, is_tcp, soak.model
        self.rng = generator(soak.seed, f"questions to {side.name} {is_tcp}")
        self.over = threading.Event()
        self.asked = self.stale = self.denied = self.excused = 0
        self.complaints = []
        self.error = None
        self.identity = 0
        self.stream = None
        self.slowest_s = 0.0

    def run(self):
        try:
            due = time.monotonic()
            while not self.over.is_set():
                self.ask(*self.question())
                due = max(due + 1 / self.soak.asks_per_thread, time.monotonic() - 0.5)
                self.over.wait(max(0, due - time.monotonic()))
        except BaseException as error:  # pylint: disable=broad-except
            self.error = error

    # questions

    def question(self):
        """(name as asked, name in the zone, type)"""
        what = choose(self.rng, self.KINDS)
        if what == "serial":
            return ZONE, ZONE, SOA
        if what == "types":
            return META, META, PTR
        if what == "absent":
            name = self.rng.choice(ABSENT)
            return name, name, self.rng.choice(NAME_KINDS)
        if what == "fixed":
            name = self.rng.choice(list(self.model.fixed))
            return name, name, self.rng.choice(NAME_KINDS)
        while True:
            name, kind = self.model.sample(self.rng)
            is_large = len(self.model.where.get(name, ())) > LARGE
            if name != META and (not is_large or (self.is_tcp and self.rng.random() < 0.03)):
                break
        if what == "other_type" or kind == 0:
            kind = self.rng.choice(NAME_KINDS)
        asked = name
        if what == "short" and name.endswith((b"\4_tcp" + ZONE, b"\4_udp" + ZONE)):
            asked = name[:-len(ZONE)] + b"\0"
        return self._mix(asked), name, kind

    def _mix(self, name):
        """Some letters in upper case, as resolvers do."""
        return name.upper() if self.rng.random() < 0.1 and not any(64 < octet < 91 for octet in self._lengths(name)) else name

    @staticmethod
    def _lengths(name):
        at = 0
        while name[at]:
            yield name[at]
            at += name[at] + 1

    # one question

    def ask(self, asked, name, kind):
        self.identity = (self.identity + 1) & 0xFFFF
        floor, begin = self.side.floor, time.monotonic()
        known = self.model.acknowledged(begin - FRESH_S * PATIENCE)
        octets = self._exchange(query(self.identity, asked, kind))
        end = time.monotonic()
        self.asked += 1
        if octets is None or (octets[3] & 15 == 2 and self.side.was_away(begin, end)):
            self._judge_silence(begin, end, name, kind)
            return
        self.slowest_s = max(self.slowest_s, end - begin) if not self.side.was_away(begin, end) else self.slowest_s
        reply = Message(octets)
        reply.is_truncated = reply.is_truncated or len(octets) > WHOLE_OCTETS
        self.stale += reply.is_stale
        self.denied += reply.rcode == 3
        if reply.serial is not None and reply.rcode in (0, 3):
            self._judge_serial(reply, floor, begin, end, known, name, kind)
        if kind == SOA and name == ZONE:
            if reply.rcode or reply.serial is None:
                self._complain(name, kind, "no serial", reply, None, end)
            return
        self._judge(reply, asked, name, kind, max(0, floor - AHEAD), end)

    def _judge(self, reply, asked, name, kind, floor, end):
        verdict = (self.model.verdict_on_types(self.side.name, floor, end) if name == META
                   else self.model.verdict(self.side.name, name, kind, floor, end))
        what = verdict.complaint(reply, kind, asked.lower())
        if reply.identity != self.identity:
            what = "the answer to another question"
        if reply.is_stale and reply.max_ttl > STALE_TTL_S:
            what = f"stale, with a TTL of {reply.max_ttl} s"
        if what:
            self._complain(name, kind, what, reply, verdict, end)
        elif self.rng.random() < 0.2:
            self._judge_additional(reply, floor, end)

    def _judge_additional(self, reply, floor, end):
        for owner, kind, data in reply.additional[:8]:
            verdict = self.model.verdict(self.side.name, owner, kind, floor, end)
            if data not in verdict.may:
                self._complain(owner, kind, f"additional, may not be: {data}", reply, verdict, end)

    def _judge_serial(self, reply, floor, begin, end, known, name, kind):
        if reply.serial < floor:
            self._complain(name, kind, f"the serial went back from {floor} to {reply.serial}", reply, None, end)
        since = begin - FRESH_S * PATIENCE
        if reply.serial < known and self.soak.injector.is_healthy(self.side, since, end):
            self._complain(name, kind, f"serial {reply.serial}, {known} was acknowledged {FRESH_S * PATIENCE:g} s before",
                           reply, None, end)
        with self.model.lock:
            self.side.floor = max(self.side.floor, reply.serial)

    def _judge_silence(self, begin, end, name, kind):
        if self.side.was_away(begin, end):
            self.excused += 1
            time.sleep(0.02)
        else:
            self._complain(name, kind, f"lost: no answer in {end - begin:.2f} s", None, None, end)

    def _complain(self, *facts):
        self.complaints.append(complaint(self.soak, self.side, *facts) if len(self.complaints) < TOLD else facts[2])

    # carrying it there

    def _exchange(self, octets):
        try:
            return self._tcp(octets) if self.is_tcp else self._udp(octets)
        except OSError:
            return None

    def _udp(self, octets):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", self.side.port))
            sock.settimeout(ANSWER_S * PATIENCE)
            sock.send(octets)
            return sock.recv(65535)

    def _tcp(self, octets):
        """A connection carries some questions; one that ended with its server is no loss, since a new one is made."""
        if self.stream is None or self.identity % 20 == 0:
            if self.stream:
                self.stream.close()
            self.stream = None
            self.stream = socket.create_connection(("127.0.0.1", self.side.port), ANSWER_S * PATIENCE)
        try:
            self.stream.sendall(struct.pack("!H", len(octets)) + octets)
            length = struct.unpack("!H", self._exactly(2))[0]
            return self._exactly(length)
        except OSError:
            self.stream.close()
            self.stream = None
            raise

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.stream.recv(count - len(data))
            if not piece:
                raise ConnectionError("closed")
            data += piece
        return data


def transfer(port):
    """All records of the zone with their serial, by AXFR; None where it is refused, as it is from a stale server."""
    with socket.create_connection(("127.0.0.1", port), ANSWER_S * PATIENCE) as sock:
        octets = struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 0) + ZONE + struct.pack("!HH", 252, 1)
        sock.sendall(struct.pack("!H", len(octets)) + octets)
        stream = sock.makefile("rb")
        records, serials = [], []
        while len(serials) < 2:
            head = stream.read(2)
            reply = Message(stream.read(struct.unpack("!H", head)[0])) if len(head) == 2 else None
            if reply is None or reply.rcode:
                return None
            for record in reply.answer:
                if record[1] == SOA:
                    serials.append(reply.serial)
                else:
                    records.append(record)
    return records, serials[0]
