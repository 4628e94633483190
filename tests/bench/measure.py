"""One server, one measurement: the load generator's runs, and what the server spent on them."""
import json
import os
import statistics
import subprocess
import threading
import time

import client
import dataset
import etcd
import servers

WARM_UP_S = 0.2
SETTLE_S = 15  # for the last change to become visible


class Run:
    """One run of load.c against a server."""

    def __init__(self, load, server, mode, options, seconds):
        self.load, self.server, self.mode, self.limit_s = load, server, mode, seconds + 20
        self.before = server.cpu_s()
        self.child = subprocess.Popen(
            [load.program, mode, "--port", str(server.port), "--file", load.queries, "--seconds", str(seconds),
             *map(str, options)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=servers.prepare(load.cpus, -5))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self.child:
            self.child.kill()

    def end(self):
        """Before its time."""
        self.child.terminate()
        return self.wait()

    def wait(self):
        """(report, user, system): what load.c says, and the server's CPU seconds meanwhile."""
        out, err = self.child.communicate(timeout=self.limit_s)
        self.server.check()
        if self.child.returncode:
            raise RuntimeError(f"{self.server.tag}: {self.mode}: {err.strip()}")
        after, report = self.server.cpu_s(), json.loads(out)
        self.load.judge(self.server, self.mode, report)
        return report, after[0] - self.before[0], after[1] - self.before[1]


class Load:
    """Runs of load.c on its core."""

    def __init__(self, tools, queries, cpus, seconds):
        self.program, self.queries = os.path.join(tools, "load"), queries
        self.cpus, self.seconds, self.problems = cpus, seconds, []

    def start(self, server, mode, *options, seconds=None):
        return Run(self, server, mode, options, seconds or self.seconds)

    def run(self, server, mode, *options, seconds=None):
        """What Run.wait() says."""
        with self.start(server, mode, *options, seconds=seconds) as run:
            return run.wait()

    def judge(self, server, mode, report):
        """Fast answers that are wrong are worth nothing."""
        answers = report["answers"]
        if not answers:
            raise RuntimeError(f"{server.tag}: {mode}: no answers")
        noerror, nxdomain = report["rcodes"][0] / answers, report["rcodes"][3] / answers
        missing = dataset.MIX["missing"] / sum(dataset.MIX.values())
        if server.has_zone and (abs(nxdomain - missing) > 0.02 or noerror + nxdomain < 1):
            self.problems.append(f"{server.tag}: {mode}: wrong rcodes {report['rcodes']}")
        for fault in ("lost", "unexpected", "truncated"):
            if report[fault] > answers / 1000:
                self.problems.append(f"{server.tag}: {mode}: {report[fault]} {fault} of {answers}")

    def throughput(self, server, mode, prefix):
        """A closed loop: answers a second, CPU microseconds for each, and what the generator itself spent."""
        report, user_s, system_s = self.run(server, mode)
        answers = report["answers"]
        load_s = report["user_s"] + report["system_s"]
        # An echo's mirror can be no cheaper than the echo.
        if server.has_zone and load_s > user_s + system_s:
            self.problems.append(f"{server.tag}: {mode}: the load generator spent {load_s:.2f} s of CPU, the server "
                                 f"{user_s + system_s:.2f} s")
        return {f"{prefix}_qps": answers / report["seconds"], f"{prefix}_cpu_us": (user_s + system_s) * 1e6 / answers,
                f"{prefix}_user_us": user_s * 1e6 / answers, f"{prefix}_system_us": system_s * 1e6 / answers,
                f"{prefix}_load_us": load_s * 1e6 / answers}

    def at_rate(self, server, rate):
        report, user_s, system_s = self.run(server, "udp-rate", "--rate", rate)
        return {"rate_cpu_us": (user_s + system_s) * 1e6 / report["answers"], **latency("rate", report)}


def latency(prefix, report):
    return {f"{prefix}_{key}": report[key] for key in ("p50_us", "p99_us", "p999_us", "max_us", "lost")}


class EtcdChanger:
    """Changes the ports of instances in etcd."""

    def __init__(self, store, data):
        self.connection, self.data = store.connect(), data

    def one(self, i, change):
        self.connection.put(*self.data.entry(i, change))

    def many(self, first, change):
        """Changes a number of instances from `first` on; returns how many."""
        count = min(etcd.BATCH, self.data.size)
        self.connection.put_all(self.data.entry((first + k) % self.data.size, change) for k in range(count))
        return count


class UpdateChanger:
    """Changes SRV records of a server by DNS updates, one to a message."""

    def __init__(self, port, data):
        self.dns, self.data = client.Client(port, 5), data

    def one(self, i, change):
        kind, name, address, _ = self.data.instance(i)
        target = dataset.wire_name(address.replace(".", "-") + ".addr", dataset.DOMAIN)
        owner = dataset.wire_name(name, f"_{kind}._tcp", dataset.DOMAIN)
        if not self.dns.replace_srv(owner, self.data.port(i, change), target):
            raise RuntimeError("a DNS update was refused")

    def many(self, first, change):
        self.one(first % self.data.size, change)
        return 1


class Changes:
    """How fast changes become answers. connect() makes a changer."""

    def __init__(self, server, data, connect):
        self.server, self.data, self.connect, self.change = server, data, connect, 0

    def await_port(self, dns, i, port, limit_s):
        """The moment at which the server first answered with this port."""
        kind, name, _, _ = self.data.instance(i)
        query = dataset.wire_name(name, f"_{kind}._tcp", dataset.DOMAIN), dataset.TYPE_SRV
        deadline_s = time.monotonic() + limit_s
        while time.monotonic() < deadline_s:
            reply = dns.ask(*query)
            now_s = time.monotonic()
            if reply and reply.srv_port() == port:
                return now_s
        raise RuntimeError(f"{self.server.tag} did not show a change within {limit_s} s")

    def visible(self, samples):
        """From sending a change, and from its acknowledgement, to the right answer."""
        changer, sent, acknowledged = self.connect(), [], []
        with client.Client(self.server.port) as dns:
            for i in list(self.data.small())[:samples]:
                self.change += 1
                sent_s = time.monotonic()
                changer.one(i, self.change)
                done_s = time.monotonic()
                seen_s = self.await_port(dns, i, self.data.port(i, self.change), SETTLE_S)
                sent.append((seen_s - sent_s) * 1e3)
                acknowledged.append((seen_s - done_s) * 1e3)
        return {"put_p50_ms": percentile(sent, 50), "put_p99_ms": percentile(sent, 99),
                "ack_p50_ms": percentile(acknowledged, 50), "ack_p99_ms": percentile(acknowledged, 99)}

    def write(self, worker, stop, counts):
        changer = self.connect()
        first = worker * self.data.size // etcd.CONNECTIONS
        while not stop.is_set():
            count = changer.many(first, self.change)
            first += count
            counts[worker] += count
            if first >= (worker + 1) * self.data.size // etcd.CONNECTIONS:
                first = worker * self.data.size // etcd.CONNECTIONS
                self.change += 1

    def sustained(self, load, rate):
        """As many changes as the store takes while queries come at a fixed rate: changes a second, counted
        until the server shows the last of them, and the queries' latency meanwhile. On a server without a zone
        the latency alone: what the store's work costs on this machine."""
        self.change += 1
        stop, counts = threading.Event(), [0] * etcd.CONNECTIONS
        writers = [threading.Thread(target=self.write, args=(worker, stop, counts), daemon=True)
                   for worker in range(etcd.CONNECTIONS)]
        start_s = time.monotonic()
        for writer in writers:
            writer.start()
        try:
            report, _, _ = load.run(self.server, "udp-rate", "--rate", rate, "--wait")
        finally:
            stop.set()
            for writer in writers:
                writer.join(30)
        if not self.server.has_zone:
            return latency("changes", report)
        return {"changes_per_s": sum(counts) / (self.last_seen_s() - start_s), **latency("changes", report)}

    def last_seen_s(self):
        """The moment at which the server shows a change sent now."""
        self.change += 1
        last = self.data.small()[-1]
        self.connect().one(last, self.change)
        with client.Client(self.server.port) as dns:
            return self.await_port(dns, last, self.data.port(last, self.change), 4 * SETTLE_S)


def percentile(values, part):
    if len(values) < 2:
        return values[0] if values else None
    return statistics.quantiles(values, n=100, method="inclusive")[part - 1]
