"""Measure empusa and other name servers with the same zone, in turn, round after round. See run.sh."""
import argparse
import functools
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile

import chart
import client
import counting
import dataset
import etcd
import measure
import report
import servers

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
STEPS = ("udp", "rate", "tcp", "changes", "instructions", "micro")
LOAD_LIMIT_S = 300
CHECKED = 100  # answers of each kind that are looked at before measuring
CFLAGS = ("-std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Wconversion -Wshadow -Wvla -Wmissing-prototypes "
          "-Wstrict-prototypes -Wpointer-arith -Wcast-qual -Wformat=2 -Wundef -Werror -fno-strict-aliasing").split()
PACKAGES = "libcurl libcjson libcares libuv liburcu-qsbr openssl ldns".split()


def say(text):
    print(text, file=sys.stderr, flush=True)


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
    parser.add_argument("--zone", choices=("generate", "empusa"), default="generate",
                        help="the peers' zone: from the list of instances, or what `empusa zone` prints")
    parser.add_argument("--json", help="write the results here")
    parser.add_argument("--svg", help="write a chart here")
    parser.add_argument("--limit", type=int, default=7200, help="give up after so many seconds")
    args = parser.parse_args()
    args.against, args.only = args.against.split(","), args.only.split(",")
    unknown = (set(args.against) - set(servers.ALL)) | (set(args.only) - set(STEPS))
    if unknown:
        parser.error(f"unknown: {' '.join(sorted(unknown))}")
    return args


def compile_tool(work, name, sources, flags=(), libraries=()):
    command = [os.environ.get("CC", "cc"), *CFLAGS, *flags, *(os.path.join(HERE, source) for source in sources),
               "-o", os.path.join(work, name), *libraries]
    if subprocess.run(command, check=False, timeout=120).returncode:
        raise RuntimeError(f"{name} does not compile")


def compile_micro(work, build):
    """False when empusa's libraries have not been built."""
    archives = [os.path.join(build, folder, f"lib{folder}.a") for folder in ("dns", "zones", "registry")]
    if not all(map(os.path.exists, archives)):
        return False
    package = functools.partial(subprocess.check_output, text=True, timeout=30)
    flags = [f"-I{build}/view/{folder}" for folder in ("dns", "zones", "registry")]
    flags += package(["pkg-config", "--cflags", *PACKAGES]).split()
    libraries = package(["pkg-config", "--libs", *PACKAGES]).split()
    compile_tool(work, "micro", ["micro.c"], flags, [*archives, *libraries, "-lpthread", "-lm"])
    return True


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
        self.store = None
        names = [] if args.peers_only else ["empusa"]
        names += [name for name in args.against if name not in names]
        self.kinds = [servers.ALL[name] for name in names if self.is_here(servers.ALL[name])]
        if not self.kinds:
            raise RuntimeError("no server is left to measure")
        self.results = report.Results([kind.name for kind in self.kinds])

    def is_here(self, kind):
        if kind.name == "echo" or kind.find(self.setting) or self.args.only == ["micro"]:
            return True
        if kind.name == "empusa":
            raise RuntimeError(f"{self.setting.binary} is missing: build first, or say --peers-only")
        say(f"{kind.name} is not installed, skipped" + (": " + kind.__doc__ if kind is servers.CoreDns else ""))
        return False

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
            say(f"etcd filled with {data.size:,} instances in {self.store.fill(data):.1f} s")
        if self.args.zone == "empusa":
            with open(setting.zone_file, "wb") as out:
                subprocess.run([*servers.Empusa.command(setting), "zone"], check=True, stdout=out, timeout=600)
        else:
            data.write_zone(setting.zone_file)

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
        if server.name == "empusa":
            return measure.Changes(server, self.data, lambda: measure.EtcdChanger(self.store, self.data))
        if server.name == "knot":
            return measure.Changes(server, self.data, lambda: measure.UpdateChanger(server.port, self.data))
        return None

    def measure(self, server, changes):
        only, load, values = self.args.only, self.load, {}
        if "udp" in only:
            load.run(server, "udp-closed", seconds=measure.WARM_UP_S)
            values |= load.throughput(server, "udp-closed", "udp")
        if "rate" in only:
            values |= load.at_rate(server, self.args.rate)
        if "tcp" in only:
            values |= load.throughput(server, "tcp-pipelined", "pipelined")
            values |= load.throughput(server, "tcp-roundtrip", "roundtrip")
        if "changes" in only and changes:
            values |= changes.visible(self.args.samples)
            values |= changes.sustained(load, self.args.rate)
        return values

    def run(self):
        say(f"{self.data.size:,} instances of {self.data.types + dataset.SMALL_TYPES:,} types, seed {self.data.seed}")
        compile_tool(self.work, "load", ["load.c", "load_window.c", "load_udp.c", "load_tcp.c"])
        compile_tool(self.work, "echo", ["echo.c"])
        if set(self.args.only) - {"instructions", "micro"}:
            self.measure_all()
            self.stop()
        if "instructions" in self.args.only:
            self.count()
            self.stop()
        self.results.notes += self.load.problems

    def measure_all(self):
        self.provide(self.data, self.setting, self.load)
        started = self.start()
        changes = {server: self.changes_of(server) for server in started}
        for number in range(self.args.rounds):
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

    def micro(self):
        """None when empusa is not measured or its libraries are missing."""
        if "micro" not in self.args.only or self.args.peers_only or not compile_micro(self.work, self.args.build):
            return None
        return counting.micro(self.work, self.data, self.server_cpu)

    def stop(self):
        while self.running:
            self.running.pop().stop()

    def document(self, micro):
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "")
        return {"machine": {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release()},
                "dataset": {"instances": self.data.size, "types": self.data.types + dataset.SMALL_TYPES,
                            "seed": self.data.seed, "mix": dataset.MIX},
                "options": vars(self.args), **self.results.document(), "micro": micro}


def main():
    args = options()

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
            micro = bench.micro()
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            raise SystemExit(f"run.sh: {error}") from error
        finally:
            if bench:
                bench.stop()
    document = bench.document(micro)
    print("\n\n".join(filter(None, [bench.results.table(), report.micro_table(micro) if micro else ""])))
    for note in bench.results.notes:
        print("note: " + note)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
    if args.svg:
        with open(args.svg, "w", encoding="utf-8") as file:
            file.write(chart.draw(document))


if __name__ == "__main__":
    main()
