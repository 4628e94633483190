"""Measure empusa and other name servers with the same zone, in turn, round after round. See run.sh."""
import argparse
import glob
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time

import burst
import chart
import client
import commands
import counting
import dataset
import etcd
import loading
import measure
import report
import servers
import tools
from tools import HERE, TOP, say

STEPS = ("udp", "rate", "tcp", "load", "changes", "burst", "cli", "instructions", "micro")
LIVE = set(STEPS) - {"instructions", "micro"}  # those for which all servers are up
LOAD_LIMIT_S = 600
FILL_LIMIT_S = 900
CHECKED = 100  # answers of each kind that are looked at before measuring


def options():
    parser = argparse.ArgumentParser(prog="run.sh", description=__doc__)
    parser.add_argument("--size", choices=dataset.SIZES, type=str.lower, default="1k", help="number of instances")
    parser.add_argument("--against", default="echo,nsd,knot", help="peers, of echo,nsd,knot,coredns")
    parser.add_argument("--only", default=",".join(STEPS), help=f"steps, of {','.join(STEPS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2, help="of one measurement")
    parser.add_argument("--rate", type=int, default=20000, help="queries a second where the rate is fixed")
    parser.add_argument("--samples", type=int, default=200, help="single changes timed in a round")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--build", default=os.path.join(TOP, "build"), help="where empusa was built")
    parser.add_argument("--peers-only", action="store_true", help="without empusa")
    parser.add_argument("--zone", choices=("generate", "empusa"), help="the peers' zone: what `empusa zone` prints "
                        "(default), or from the list of instances (default with --peers-only)")
    parser.add_argument("--json", help="write the results here, with those of each round")
    parser.add_argument("--svg", help="write a chart here")
    parser.add_argument("--publish", action="store_true", help="write the medians to results-SIZE.json beside run.sh, "
                        "and chart.svg from all of those")
    parser.add_argument("--table", nargs="+", metavar="FILE", help="measure nothing: print one table of these results")
    parser.add_argument("--limit", type=int, default=7200, help="give up after so many seconds")
    args = parser.parse_args()
    args.against, args.only = args.against.split(","), args.only.split(",")
    unknown = (set(args.against) - set(servers.ALL)) | (set(args.only) - set(STEPS))
    if unknown:
        parser.error(f"unknown: {' '.join(sorted(unknown))}")
    if args.peers_only and args.zone == "empusa":
        parser.error("--zone empusa needs empusa")
    args.zone = args.zone or ("generate" if args.peers_only else "empusa")
    return args


class Bench:
    def __init__(self, args, work):
        self.args, self.work, self.running = args, work, []
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) < 2:
            raise RuntimeError("two cores are needed: one for a server, one for the load")
        self.server_cpu, self.load_cpu = {cpus[0]}, {cpus[1]}
        self.rest = set(cpus[2:]) or self.load_cpu
        os.sched_setaffinity(0, self.rest)
        self.data, self.setting, self.load = self.case(args.size, work)
        self.store = self.commands = self.micro = None
        names = [] if args.peers_only else ["empusa"]
        names += [name for name in args.against if name not in names]
        self.kinds = [servers.ALL[name] for name in names if self.is_here(servers.ALL[name])]
        if not self.kinds:
            raise RuntimeError("no server is left to measure")
        self.results = report.Results([kind.name for kind in self.kinds], size=args.size)

    def is_here(self, kind):
        if kind.name == "echo" or kind.find(self.setting) or self.args.only == ["micro"]:
            return True
        if kind.name == "empusa":
            raise RuntimeError(f"{self.setting.binary} is missing: build first, or say --peers-only")
        say(f"{kind.name} is not installed, skipped" + (": " + kind.__doc__ if kind is servers.CoreDns else ""))
        return False

    def has(self, step):
        return step in self.args.only

    def case(self, size, work):
        """The data, where the servers find it, and the load, for one size."""
        data = dataset.Dataset(size, self.args.seed)
        binary = os.path.join(self.args.build, "empusa")
        return (data, servers.Setting(data, work, self.server_cpu, self.work, binary),
                measure.Load(self.work, os.path.join(work, "queries"), self.load_cpu, self.args.seconds))

    def provide(self, data, setting, load):
        """Queries, a filled etcd, a zone file."""
        data.write_queries(load.queries)
        if servers.Empusa in self.kinds:
            self.store = etcd.Etcd(setting.work, self.rest)
            self.running.append(self.store)
            setting.etcd_port = self.store.port
            start_s = time.monotonic()
            filler = self.fill(data, setting)
            say(f"etcd filled with {data.size:,} instances by {filler} in {time.monotonic() - start_s:.1f} s")
        if self.args.zone == "empusa":
            with open(setting.zone_file, "wb") as out:
                subprocess.run([*servers.Empusa.command(setting), "--log-level", "ERROR", "zone"], check=True,
                               stdout=out, timeout=FILL_LIMIT_S)
        else:
            data.write_zone(setting.zone_file)

    def fill(self, data, setting):
        """By empusa itself if it can; says by what."""
        register = [*servers.Empusa.command(setting), "service", "register"]
        usage = subprocess.run([*register, "--help"], check=True, capture_output=True, text=True, timeout=30).stdout
        if "--from" not in usage:
            self.store.fill(data)
            return "transactions"
        path = os.path.join(setting.work, "instances")
        data.write_list(path)
        with open(path, "rb") as source:
            done = subprocess.run([*register, "--from", "-"], check=False, stdin=source, capture_output=True, text=True,
                                  timeout=FILL_LIMIT_S)
        if done.returncode:
            raise RuntimeError(f"service register --from: {done.stderr.strip()[-1000:]}")
        return "service register --from"

    def start(self):
        started = []
        for kind in self.kinds:
            server = kind(self.setting)
            self.running.append(server)
            load_s = server.load(LOAD_LIMIT_S)
            self.check_answers(server)
            values = {"load_s": load_s, "pss_mb": server.pss_mb()} if server.has_zone else {}
            self.results.add(kind.name, 0, values)
            say(f"{kind.name} loaded in {load_s:.3f} s")
            started.append(server)
        return started

    def check_answers(self, server):
        """All servers must say the same before it matters how fast."""
        rng = random.Random(self.data.seed)
        with client.Client(server.port) as dns:
            for kind in dataset.MIX if server.has_zone else ():
                expected = {"missing": (3, 0), "ptr": (0, dataset.SMALL_SIZE), "type-srv": (0, dataset.SMALL_SIZE)}
                for _ in range(CHECKED):
                    query = self.data.query(kind, rng)
                    reply = dns.ask(*query)
                    said = reply and (reply.rcode, reply.answers)
                    if said != expected.get(kind, (0, 1)):
                        raise RuntimeError(f"{server.tag}: {kind} {query}: (rcode, answers) are {said}")

    def changes_of(self, server):
        """None for a server whose changes are not measured."""
        if server.name == "empusa" or (self.store and not server.has_zone):
            return measure.Changes(server, self.data, lambda: measure.EtcdChanger(self.store, self.data))
        if server.name == "knot":
            return measure.Changes(server, self.data, lambda: measure.UpdateChanger(server.port, self.data))
        return None

    def measure(self, server, changes):
        load, values = self.load, {}
        if self.has("udp"):
            load.run(server, "udp-closed", seconds=measure.WARM_UP_S)
            values |= load.throughput(server, "udp-closed", "udp")
        if self.has("rate"):
            values |= load.at_rate(server, self.args.rate)
        if self.has("tcp"):
            values |= load.throughput(server, "tcp-pipelined", "pipelined")
            values |= load.throughput(server, "tcp-roundtrip", "roundtrip")
        if self.has("changes") and changes:
            values |= changes.visible(self.args.samples) if server.has_zone else {}
            values |= changes.sustained(load, self.args.rate)
        if self.has("burst") and self.store and (server.name == "empusa" or not server.has_zone):
            paces = {"fast": self.args.rate, "slow": max(self.args.rate // 10, 1)}
            values |= burst.Burst(server, self.store).measure(load, paces)
        return values

    def run(self):
        say(f"{self.data.size:,} instances of {self.data.types + dataset.SMALL_TYPES:,} types, seed {self.data.seed}")
        for name, sources in tools.SOURCES.items():
            tools.compile_tool(self.work, name, sources)
        has_micro = self.has("micro") and not self.args.peers_only
        if has_micro:
            tools.compile_micro(self.work, self.args.build)
        if LIVE & set(self.args.only):
            self.measure_all()
            self.stop()
        if self.has("instructions"):
            self.count()
            self.stop()
        if has_micro:
            self.micro = counting.micro(self.work, self.data, self.server_cpu)
        self.results.notes += self.load.problems

    def measure_all(self):
        self.provide(self.data, self.setting, self.load)
        loads = loading.Loading(self.setting) if self.has("load") and self.store else None
        if self.has("cli") and self.store:
            self.commands = commands.Commands(self.setting, self.data, self.store)
        started = self.start()
        changes = {server: self.changes_of(server) for server in started}
        for number in range(self.args.rounds):
            if loads:
                self.results.add("empusa", number, loads.measure())
            if self.commands:
                self.commands.measure(number)
            # Nobody is always the first or behind the same one.
            shift = number % len(started)
            for server in started[shift:] + started[:shift]:
                self.results.add(server.name, number, self.measure(server, changes[server]))
            say(f"round {number + 1} of {self.args.rounds} done")

    def count(self):
        """With the smallest zone: under callgrind a large one takes hours to load, for the same figures."""
        data, setting, load = self.case("1k", tempfile.mkdtemp(dir=self.work))
        self.provide(data, setting, load)
        for kind in self.kinds:
            try:
                self.results.add(kind.name, 0, {"instructions": counting.of_server(kind, setting, load)})
            except RuntimeError:
                # Valgrind 3.19 crashes on programs in Go.
                self.results.notes.append(f"{kind.name} does not run under callgrind")
        self.results.notes += load.problems

    def stop(self):
        while self.running:
            self.running.pop().stop()

    def tables(self):
        parts = [self.results.table(), self.commands.results.table() if self.commands else "",
                 report.micro_table(self.micro) if self.micro else "",
                 "\n".join("note: " + note for note in self.results.notes)]
        return "\n\n".join(filter(None, parts))

    def document(self):
        """The medians, and what they depend on."""
        versions = {kind.name: tools.first_line(kind.find(self.setting), kind.says_version)
                    for kind in self.kinds if kind.has_zone and kind.find(self.setting)}
        return {"command": shlex.join(["run.sh", *sys.argv[1:]]), "machine": tools.machine(), "versions": versions,
                "dataset": {"instances": self.data.size, "types": self.data.types + dataset.SMALL_TYPES,
                            "seed": self.data.seed, "mix": dataset.MIX},
                "rounds": self.args.rounds, "seconds": self.args.seconds, "rate": self.args.rate,
                "base": self.results.base, "servers": self.results.document(),
                "commands": self.commands.results.document() if self.commands else {},
                "micro": self.micro or {}, "notes": self.results.notes}

    def rounds(self):
        return {"servers": self.results.rounds, "commands": self.commands.results.rounds if self.commands else {}}


def read_results(paths):
    documents = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            documents.append(json.load(file))
    return documents


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def publish(args, bench):
    document = bench.document()
    if args.json:
        write(args.json, json.dumps({**document, "each_round": bench.rounds()}, indent=1) + "\n")
    if args.svg:
        write(args.svg, chart.draw([document]))
    if args.publish:
        write(os.path.join(HERE, f"results-{args.size}.json"), json.dumps(document, indent=1) + "\n")
        published = read_results(glob.glob(os.path.join(HERE, "results-*.json")))
        write(os.path.join(HERE, "chart.svg"), chart.draw(published))


def main():
    args = options()
    if args.table:
        print(report.sizes_table(read_results(args.table)))
        return

    def end(number, _):
        raise SystemExit(f"run.sh: {signal.Signals(number).name}, stopping")
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, end)
    signal.alarm(args.limit)
    with tempfile.TemporaryDirectory(prefix="empusa-bench.") as work:
        bench = None
        try:
            bench = Bench(args, work)
            bench.run()
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            raise SystemExit(f"run.sh: {error}") from error
        finally:
            if bench:
                bench.stop()
        publish(args, bench)
    print(bench.tables())


if __name__ == "__main__":
    main()
