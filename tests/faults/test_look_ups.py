"""What DNS may do to whoever looks etcd up in it, by a host's name and by discovery, and to the hosts of entries.

While it does: who has found etcd before goes on as if nothing were, `never-denied`, `right` and `once`, but where he is sent
elsewhere: then he answers as stale; a server that starts says why it cannot, and SERVFAIL; a command says so in one line,
within its time. Once it is over: `right`.
"""

import struct
import threading
import time

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from name_server import NameServer, Place
from process import PATIENCE, wait_until
from server import BINARY

NAME, DOMAIN = "etcd.corp.example", "corp.example"
SPOILT_S = 7  # what was found is looked up again after 5 s
SERVFAIL = 2


def with_code(code):
    def spoil(query, _reply):
        reply = dns.message.make_response(query)
        reply.set_rcode(code)
        return [reply.to_wire()]
    return spoil


def nodata(query, _reply):
    return [dns.message.make_response(query).to_wire()]


def with_answer(make):
    """Another answer to each question: `make` (its name, its type) gives texts of records."""
    def spoil(query, _reply):
        question, reply = query.question[0], dns.message.make_response(query)
        for owner, ttl, rdtype, *data in make(question.name.to_text(), dns.rdatatype.to_text(question.rdtype)):
            reply.answer.append(dns.rrset.from_text(owner, ttl, "IN", rdtype, *data))
        return [reply.to_wire()]
    return spoil


def other_question(query, reply):
    message = dns.message.from_wire(reply)
    message.question[0].name = dns.name.from_text("other.example.")
    message.answer = []
    return [message.to_wire()]


def truncated(query, _reply):
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.TC
    return [reply.to_wire()]


def elsewhere(name, rdtype):
    """Where nobody listens."""
    return [(name, 1, rdtype, "127.0.0.2")] if rdtype == "A" else []


def counted(query, reply):
    return [reply[:6] + struct.pack("!HHH", 65535, 65535, 65535) + reply[12:]]


def pointing_at_itself(query, reply):
    end = 12 + len(query.question[0].name.to_wire()) + 4
    return [reply[:6] + struct.pack("!HHH", 1, 0, 0) + reply[12:end] + struct.pack("!H", 0xC000 | end) + b"\0" * 20]


SPOILS = {
    "silence": lambda query, reply: [],
    "NXDOMAIN": with_code(dns.rcode.NXDOMAIN),
    "SERVFAIL": with_code(dns.rcode.SERVFAIL),
    "REFUSED": with_code(dns.rcode.REFUSED),
    "NOTIMP": with_code(dns.rcode.NOTIMP),
    "no data": nodata,
    "nothing": lambda query, reply: [b""],
    "garbage": lambda query, reply: [b"\xa5" * 100],
    "its garbage": lambda query, reply: [reply[:12] + b"\xff" * 100],
    "half": lambda query, reply: [reply[:len(reply) // 2]],
    "another ID": lambda query, reply: [bytes([reply[0] ^ 255]) + reply[1:]],
    "a question": lambda query, reply: [query.to_wire()],
    "another question": other_question,
    "truncated, and no TCP": truncated,
    "counts of 65,535": counted,
    "a name that points at itself": pointing_at_itself,
    "aliases in a circle": with_answer(lambda name, _: [(name, 1, "CNAME", "a.x."), ("a.x.", 1, "CNAME", name)]),
    "records of others": with_answer(lambda name, rdtype: [("other.example.", 1, "A", "127.0.0.2")]),
    "text": with_answer(lambda name, rdtype: [(name, 1, "TXT", '"127.0.0.1"')]),
    "elsewhere": with_answer(elsewhere),
}
LATE_S = 10  # a question that was lost is asked again after 1, 2, 4 and 8 s, a host's after 5 at the earliest
UNANSWERED = ["silence", "nothing", "garbage", "its garbage", "half", "another ID", "another question"]
BATCHES = 2


class Case:
    def __init__(self, spoil, registry, directory):
        self.spoil, self.registry = spoil, registry
        self.port = registry.etcd.members[0].port
        self.names = NameServer(ttl=1)
        self.names.add(f"{NAME}.", "A", "127.0.0.1")
        self.names.add(f"_etcd-client._tcp.{DOMAIN}.", "SRV", f"0 1 {self.port} {NAME}.")
        self.names.add("box.", "A", "10.9.8.7")
        directory.mkdir()
        self.place = Place(directory, self.names.address)
        if not self.place.is_possible():
            pytest.skip("no mount namespaces here")
        registry.binary = self.place.wrap(BINARY)  # not the module's, for all cases: each runs commands in a thread
        self.env = {"EMPUSA_ETCD_ENDPOINT": f"{NAME}:{self.port}", "EMPUSA_ETCD_TIMEOUT": "2"}
        self.discovering = {"EMPUSA_ETCD_ENDPOINT": "", "EMPUSA_ETCD_DISCOVERY_SRV": DOMAIN}
        self.fresh = None

    def begin(self):
        self.registry.put("t", "n", "10.0.0.1:80")
        self.registry.put("t", "box", "box:80")
        self.server = self.registry.serve_unready("--workers", "1", env=self.env, resolve=True)
        self.found = self.registry.serve_unready("--workers", "1", env=self.discovering)
        self.keeper = self.registry.start("service", "register", "--service-type", "k", "--service-name", "k",
                                          "--service-location", "10.0.0.2:80", "--ttl", "20", "--refresh-every", "1", env=self.env)

    def wait_ready(self):
        for server in (self.server, self.found):
            server.wait_ready()
        self.keeper.wait_line("registered$")
        wait_until(self.has_host)
        self.lease = self.registry.service("k", "k").lease

    def break_names(self):
        self.names.spoil = self.spoil
        self.fresh = self.registry.serve_unready("--workers", "1", env=self.discovering)

    def check(self, verdict, kind):
        for server in (self.server, self.found):
            answer = server.dns.ask("n._t._tcp", "SRV", edns=1232)
            if not answer.answer_count:
                verdict.add(kind, "never-denied", False, answer.message)
            if answer.ede and kind != "elsewhere":
                verdict.add(kind, "right", False, f"{server.err[-3:]}")
        kept = self.registry.service("k", "k")
        if not kept or kept.lease != self.lease:
            verdict.add(kind, "once", False, kept)
        code = self.fresh.dns.ask("n._t._tcp", "SRV").rcode
        if code != SERVFAIL:
            verdict.add(kind, "answered", False, f"rcode {code} of a fresh server")

    def check_command(self, verdict, kind):
        began = time.monotonic()
        line = self.registry("service", "list", env=self.env).error_line()
        took_s = time.monotonic() - began
        verdict.add(kind, "answered", line.startswith("ERROR:root:") and took_s < 5 * PATIENCE, f"{took_s:.1f} s: {line}")

    def is_right(self):
        return all(server.dns.ask("later._t._tcp", "SRV").answer_count == 1 and
                   server.dns.ask("n._t._tcp", "SRV", edns=1232).ede is None
                   for server in (self.server, self.found, self.fresh))

    def has_host(self):
        return self.server.dns.data("box.host", "A") == ["10.9.8.7"]


@pytest.fixture
def cases(own_etcd, bind_registry, tmp_path, request):
    def make(kinds):
        made = {}
        for at, kind in enumerate(kinds):
            try:
                made[kind] = Case(SPOILS[kind], bind_registry(own_etcd), tmp_path / str(at))
            except OSError as error:
                pytest.skip(f"port 53: {error.strerror}")
            request.addfinalizer(made[kind].names.close)
        return made
    return make


def watch_recovery(verdict, all_cases):
    """How long it takes each to be right, and each to have the host's address again."""
    since = time.monotonic()
    facts = {(kind, what): is_true for kind, case in all_cases.items()
             for what, is_true in (("etcd", case.is_right), ("a host", case.has_host))}

    def look():
        for (kind, what), is_true in list(facts.items()):
            if is_true():
                verdict.add(kind, "right", True, what, time.monotonic() - since)
                del facts[kind, what]
        return not facts

    try:
        wait_until(look, LATE_S)
    except AssertionError:
        for kind, what in facts:
            verdict.add(kind, "right", False, f"{what}: late")


@pytest.mark.parametrize("batch", range(BATCHES))
def test_what_dns_says_of_etcd(cases, verdict, batch):
    all_cases = cases(list(SPOILS)[batch::BATCHES])
    for case in all_cases.values():
        case.begin()
    for case in all_cases.values():
        case.wait_ready()
    for case in all_cases.values():
        case.break_names()
    commands = [threading.Thread(target=case.check_command, args=(verdict, kind)) for kind, case in all_cases.items()]
    for command in commands:
        command.start()
    end = time.monotonic() + SPOILT_S
    while time.monotonic() < end and not verdict.broken:
        for kind, case in all_cases.items():
            case.check(verdict, kind)
        time.sleep(0.2)
    for command in commands:
        command.join()
    for kind, case in all_cases.items():
        if kind not in UNANSWERED:  # those are waited for longer than this
            verdict.add(kind, "answered", case.fresh.find_line("no contact with etcd"), "a fresh server says why")
        case.names.spoil = None
        case.registry.put("t", "later", "10.0.0.1:81")
    watch_recovery(verdict, all_cases)
