"""A gateway that spoils etcd's replies, in every way of distortions.py.

While it does: `never-denied`, `right` and `answered` for a name that etcd holds all the time and for those that change
meanwhile, `once` for a keeper, and a command that reads or writes does what it says, or says in one line why not, within
its time and memory. After it: `right` soon, `once`, `no-leak` of descriptors and memory.
"""

import os
import resource
import subprocess
import threading
import time

import pytest

import distortions
from gateway import Gateway, Only
from process import PATIENCE, die_with_parent, wait_until
from server import BINARY, Result
from verdict import RIGHT_S

ROUNDS = 16
GROWTH_KB = 48 << 10  # of the most memory that a process ever had
COMMAND_KB = 64 << 10
SILENT = ["blanks now and then"]  # nothing is wrong with such a watch, but that it says nothing: test_proof.py
LATE_S = 15  # what is not right then never will be
NXDOMAIN = 3

with open(BINARY, "rb") as program:
    IS_SANITIZED = b"__asan_init" in program.read()  # which keeps what was freed for a while

GROUPS = {"texts": distortions.TEXTS, "HTTP": distortions.HTTP, "watches": distortions.WATCHES}
BATCH = 20


def batches():
    """(name, kinds): not all at once, as each kind has a server and a keeper of its own."""
    for group, faults in GROUPS.items():
        names = list(faults)
        for at in range(0, len(names), BATCH):
            yield f"{group} {at // BATCH + 1}", {name: faults[name] for name in names[at:at + BATCH]}


BATCHES = dict(batches())


def srv(port):
    return f"0 1 {port} 10-0-0-1.addr.empusa.internal."


class Case:
    """A server and a keeper behind a gateway of their own, and what may be answered."""

    def __init__(self, kind, fault, registry, gateway, has_keeper=True):
        self.kind, self.fault, self.registry, self.gateway = kind, fault, registry, gateway
        self.env = {"EMPUSA_ETCD_ENDPOINT": self.gateway.endpoint, "EMPUSA_ETCD_TIMEOUT": "2"}
        for i in range(5):
            registry.put("t", f"n{i}", f"10.0.0.1:{80 + i}")
        self.server = registry.serve_unready("--workers", "1", endpoints=self.gateway.endpoint)
        self.keeper = has_keeper and registry.start(
            "service", "register", "--service-type", "k", "--service-name", "k", "--service-location", "10.0.0.2:80",
            "--ttl", "30", "--refresh-every", "1", env=self.env)
        self.processes = [self.server, *([self.keeper] if has_keeper else [])]
        self.may = {f"n{i}": {srv(80 + i)} for i in range(5)}
        self.problems = {}  # {invariant: [text]}
        self.recovered_s = None

    def wait_ready(self):
        self.server.wait_ready()
        if self.keeper:
            self.keeper.wait_line("registered$")
        self.before = [(self.descriptors(each), self.most_kb(each)) for each in self.processes]

    @staticmethod
    def descriptors(process):
        return len(os.listdir(f"/proc/{process.pid}/fd"))

    @staticmethod
    def most_kb(process):
        with open(f"/proc/{process.pid}/status", encoding="ascii") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))

    def check(self, invariant, holds, what):
        if not holds:
            self.problems.setdefault(invariant, []).append(str(what))

    def judge(self, verdict):
        """A row of when it was right again, and one of each invariant that did not hold."""
        for invariant in {"right", "no-leak", *self.problems}:
            found = self.problems.get(invariant, [])
            verdict.add(self.kind, invariant, not found, "; ".join(dict.fromkeys(found)),
                        self.recovered_s if invariant == "right" else None)

    def change(self):
        """Behind its back: one name is changed, one is new, one is gone."""
        self.registry.put("t", "n3", "10.0.0.1:180")
        self.registry.put("t", "new", "10.0.0.1:181")
        self.registry.delete("service", "t", "n4")
        self.may["n3"].add(srv(180))
        self.may["new"] = {None, srv(181)}
        self.may["n4"].add(None)

    def answer(self, name):
        """The SRV's data, or None: NXDOMAIN."""
        reply = self.server.dns.ask(f"{name}._t._tcp", "SRV", edns=1232)
        if reply.rcode == NXDOMAIN:
            return None
        return reply.data()[0] if reply.rcode == 0 and reply.answer_count == 1 else f"rcode {reply.rcode}"

    def check_answers(self):
        for name in ("n1", "n3", "n4", "new"):
            answer = self.answer(name)
            kind = "right" if answer in self.known else "never-denied" if answer is None else "answered"
            self.check(kind, answer in self.may[name], f"{name} is {answer}, of {self.may[name]}")
        self.check("answered", all(each.is_running() for each in self.processes), "a process has ended")
        if self.keeper:
            kept = self.registry.service("k", "k")
            self.check("once", kept and kept.value == b"10.0.0.2:80" and kept.lease, f"the keeper's entry is {kept}")

    @property
    def known(self):
        return {data for values in self.may.values() for data in values if data}

    def is_right(self):
        wanted = {"n1": srv(81), "n3": srv(180), "new": srv(181), "n4": None, "later": srv(200)}
        kept = not self.keeper or self.registry.service("k", "k")
        return kept and all(self.answer(name) == data for name, data in wanted.items()) and not self.is_stale()

    def is_stale(self):
        return self.server.dns.ask("n1._t._tcp", "SRV", edns=1232).ede is not None

    def check_use(self):
        for process, (descriptors, most_kb) in zip(self.processes, self.before):
            what = process.argv[1]
            # The connections that the client keeps, a watch, a proof and a probe.
            self.check("no-leak", self.descriptors(process) <= descriptors + 8,
                       f"{what}: {self.descriptors(process)} descriptors, {descriptors} before")
            self.check("no-leak", IS_SANITIZED or self.most_kb(process) <= most_kb + GROWTH_KB,
                       f"{what}: {self.most_kb(process)} kB, {most_kb} before")


def run_bounded(registry, env, *args):
    """A one-shot command, the most memory it had, and how long it took."""
    began = time.monotonic()
    child = subprocess.Popen([BINARY, *args], env={**registry.env, **env}, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=die_with_parent)
    out, err = child.stdout.read(), child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stdout.close()
    child.stderr.close()
    # Between fork and exec it had the memory of this process.
    most_kb = usage.ru_maxrss - resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Result(child.args, child.returncode, out, err), most_kb, time.monotonic() - began


COMMANDS = {
    "list": ("service", "list", "--service-type", "t", "--format", "json"),
    "set": ("switch", "set", "s", "v"),
    "get": ("switch", "get", "fixed"),
    "register": ("service", "register", "--service-type", "r", "--service-name", "r", "--service-location",
                 "10.0.0.3:80", "--ttl", "60"),
    "unregister": ("service", "unregister", "--service-type", "t", "--service-name", "n0"),
}


def is_true(case, name, out):
    """What a command says that ended well."""
    if name == "list":
        return all(f'"{case.registry.root}/service/t/{each}"' in out for each in ("n1", "n2", "n3", "new"))
    if name == "get":
        return out == "fixed value\n"
    if name == "set":
        return case.registry.etcd.get(case.registry.key("switch", "s")).value == b"v"
    if name == "register":
        return case.registry.service("r", "r").value == b"10.0.0.3:80"
    return case.registry.service("t", "n0") is None


def check_commands(case):
    for name, args in COMMANDS.items():
        done, most_kb, took_s = run_bounded(case.registry, case.env, *args)
        errors = [line for line in done.err.splitlines() if line.startswith("ERROR:root:")]
        case.check("right", done.status == 0 or (done.status == 1 and len(errors) == 1), done)
        case.check("right", done.status == 1 or is_true(case, name, done.out), f"{name} says what is not: {done}")
        case.check("answered", took_s < 10 * PATIENCE, f"{name} took {took_s:.1f} s")
        case.check("no-leak", IS_SANITIZED or most_kb < COMMAND_KB, f"{name} took {most_kb} kB")


@pytest.fixture
def gateways(own_etcd):
    """Makes gateways in front of an etcd of the test's own. Made before the registries, they go after them."""
    made = []

    def make():
        made.append(Gateway(own_etcd.members[0]))
        return made[-1]

    yield make
    for gateway in made:
        gateway.stop()


@pytest.fixture
def cases(own_etcd, gateways, bind_registry):
    def make(faults, **options):
        made = [Case(kind, fault, bind_registry(own_etcd), gateways(), **options) for kind, fault in faults.items()]
        for case in made:
            case.wait_ready()
        return made
    return make


def raise_limit():
    """A descriptor for each end of each connection of each gateway."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))


def watch_recovery(all_cases):
    """Until all is right, and how long that took for each. A keeper puts back what has vanished meanwhile."""
    start = time.monotonic()
    for case in all_cases:
        case.registry.put("t", "later", "10.0.0.1:200")
        if case.keeper:
            case.registry.delete("service", "k", "k")

    def look():
        for case in all_cases:
            if case.recovered_s is None and case.is_right():
                case.recovered_s = time.monotonic() - start
        return all(case.recovered_s is not None for case in all_cases)

    try:
        wait_until(look, LATE_S)
    except AssertionError:
        pass
    for case in all_cases:
        case.check("right", case.recovered_s is not None and case.recovered_s < RIGHT_S * PATIENCE, "late")


@pytest.mark.parametrize("batch", BATCHES)
def test_spoilt_replies_are_not_believed(cases, verdict, batch):
    raise_limit()
    all_cases = cases(BATCHES[batch])
    for case in all_cases:
        case.registry.put_switch("fixed", "fixed value")
        case.gateway.spoil(case.fault)
        case.change()
    commands = [threading.Thread(target=check_commands, args=(case,)) for case in all_cases]
    for command in commands:
        command.start()
    for at in range(ROUNDS):
        for case in all_cases:
            case.check_answers()
            if at == ROUNDS // 2:
                case.gateway.cut()
        time.sleep(0.2)
    for command in commands:
        command.join()
    for case in all_cases:
        case.gateway.heal()
        if case.kind in SILENT:
            case.gateway.cut()
    watch_recovery(all_cases)
    for case in all_cases:
        case.check_use()
        case.judge(verdict)


def test_a_fresh_server_waits_for_sense(own_etcd, gateways, bind_registry):
    """`answered` but with what nobody knows yet: SERVFAIL, and never NXDOMAIN."""
    registry, gateway = bind_registry(own_etcd), gateways()
    registry.put("t", "n", "10.0.0.1:80")
    gateway.spoil(distortions.TEXTS["an empty object"])
    server = registry.serve_unready(endpoints=gateway.endpoint)
    server.wait_line("no contact with etcd.*makes no sense")
    assert server.dns.ask("n._t._tcp", "SRV").rcode == 2
    gateway.heal()
    server.wait_ready()
    assert server.dns.data("n._t._tcp", "SRV")


def test_a_lost_answer_leaves_no_lease_behind(own_etcd, gateways, bind_registry, verdict):
    """`no-leak`, `once`: each grant is done and its answer is lost, again and again; there is one lease in the end."""
    registry, gateway = bind_registry(own_etcd), gateways()
    kind = "closed behind the headers"
    gateway.spoil(Only(distortions.HTTP[kind], "grant"))
    keeper = registry.start("service", "register", "--service-type", "k", "--service-name", "k", "--service-location",
                            "10.0.0.2:80", "--ttl", "3600", "--refresh-every", "1200",
                            env={"EMPUSA_ETCD_ENDPOINT": gateway.endpoint, "EMPUSA_ETCD_TIMEOUT": "1"})
    wait_until(lambda: gateway.count("grant") >= 9, 30, "grants")
    gateway.heal()
    keeper.wait_line("registered$")
    leases = own_etcd.call("/lease/leases").get("leases", [])
    verdict.add(kind, "no-leak", len(leases) == 1, f"{len(leases)} leases")
    kept = registry.service("k", "k")
    verdict.add(kind, "once", kept and [{"ID": str(kept.lease)}] == leases, kept)
