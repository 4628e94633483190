"""The soak: two servers on a cluster of three, changes and faults and questions all the while, and a model that knows what may
be answered. It checks itself, and at its end says how much of each there was.

EMPUSA_SEED          repeats the changes, faults and questions of a run, though not what the clock made of them
EMPUSA_SOAK_SECONDS  how long faults go on
EMPUSA_SOAK_ENTRIES  how many services and switches there are
EMPUSA_SOAK_RATE     changes a second, as far as the machine can
EMPUSA_SOAK_ASKS     questions a second
"""

import os
import re
import threading
import time
import urllib.request

from etcd import Etcd
from process import PATIENCE, Process
from server import BINARY, Registry
from soak_asker import AHEAD, Asker, transfer
from soak_faults import Injector, Side
from soak_model import KEEP_S, MENDED_S, Model
from soak_writer import Lane, make_groups
from soak_zone import TXT, wire

LANES = 3
SETTLE_S = 30
CHILD_S = 5  # for one that has sent all to end
RSS_GROWTH, RSS_SLACK_KB = 1.2, 4 << 10
FD_SLACK = 6
COUNTERS = ("watch_proofs_total", "watch_repairs_total", "watch_reloads_total", "log_lines_lost_total")


def setting(name, default):
    return float(os.environ.get(f"EMPUSA_SOAK_{name}") or default)


class Soak:
    def __init__(self, seed, seconds, has_memory_check=True):
        self.seed, self.seconds, self.has_memory_check = seed, setting("SECONDS", seconds), has_memory_check
        self.entries = int(setting("ENTRIES", 20000))
        self.rate_per_lane = setting("RATE", 500) / LANES
        self.asks_per_thread = setting("ASKS", 400) / 4
        self.model = Model()
        self.cluster = Etcd(members=3)
        self.registry = Registry(self.cluster, "/soak")
        self.lanes = [Lane(self, i, groups)
                      for i, groups in enumerate(make_groups(self.model, b"/soak", self.entries, LANES))]
        self.sides, self.askers, self.servers, self.injector = [], [], [], None
        self.begun = time.monotonic()
        # What is withheld last is still to be found before the end.
        self.withhold_until = self.begun
        self.usage, self.report, self.complaints, self.floors = {}, {}, [], []

    def start_server(self, side):
        """At the same address as before."""
        env = {**self.registry.env, "EMPUSA_ETCD_ENDPOINT": side.endpoints}
        server = Process([BINARY, "serve", "--listen", f"127.0.0.1:{side.port}", "--http", f"127.0.0.1:{side.http_port}",
                          "--allow-transfer", "127.0.0.1/32", "--workers", "2", "--no-resolve-hosts"], env=env)
        self.registry.processes.append(server)
        return server

    def run(self):
        try:
            self._begin()
            self._work()
            self._settle()
            self._compare("zones at the end")
            self._check_usage()
            self._leave()
        finally:
            self._stop()
            print(self.text())
        assert not self.complaints, f"{len(self.complaints)} complaints; EMPUSA_SEED={self.seed}"

    # its parts

    def _begin(self):
        filling = [threading.Thread(target=lane.fill, daemon=True) for lane in self.lanes]
        for thread in filling:
            thread.start()
        for thread in filling:
            thread.join()
        self.model.changes, self.begun = 0, time.monotonic()
        self.injector = Injector(self)
        self.sides = [Side(self, "A", (0, 1, 2)), Side(self, "B", (2, 1, 0))]
        for side in self.sides:
            side.start()
        for side in self.sides:
            side.server.wait_line(r"^INFO:root:serving ", 60)
        self.withhold_until = time.monotonic() + self.seconds - MENDED_S
        self.askers = [Asker(self, side, is_tcp) for side in self.sides for is_tcp in (False, True)]
        for thread in [*self.lanes, *self.askers]:
            thread.start()

    def _work(self):
        """Faults begin once a proof and a part of the changes have warmed the servers up."""
        start = time.monotonic()
        warm = False
        while time.monotonic() < start + self.seconds:
            time.sleep(0.5)
            self._prune()
            self._check_threads()
            if not warm and time.monotonic() > start + self.seconds / 10:
                warm = True
                self._note_usage("warm")
                self.injector.start()
        self.injector.over.set()
        self.injector.is_done.wait()
        self._check_threads()

    def _prune(self):
        now = time.monotonic()
        self.floors.append((now, max(0, min(side.floor for side in self.sides) - AHEAD)))
        while len(self.floors) > 1 and self.floors[1][0] < now - KEEP_S * max(1, PATIENCE / 2):
            self.floors.pop(0)
        self.model.prune(self.floors[0][1])

    def _check_threads(self):
        for thread in [*self.lanes, *self.askers, self.injector]:
            if thread.error:
                raise thread.error
        for side in self.sides:
            if not side.server.is_running() and not side.was_away(time.monotonic() - 1, time.monotonic()):
                raise AssertionError(f"server {side.name} ended: {side.server.err[-20:]}")

    def _settle(self):
        """All has been written, and what was withheld has been found."""
        for lane in self.lanes:
            lane.over.set()
        for lane in self.lanes:
            lane.is_settled.wait()
        self._check_threads()

    def _expect(self, what):
        """A lease that is kept may end even now, where etcd did not renew it in time."""
        return self.model.zone() | {(wire(b"last", b"switch"), TXT, bytes([len(what)]) + what.encode())}

    def _compare(self, what):
        revision = self.cluster.put("/soak/switch/last", what)
        for side in self.sides:
            self._compare_one(side, what, revision)

    def _compare_one(self, side, what, revision):
        """What was withheld may still have to be found; all else is there soon."""
        begin, difference, seen = time.monotonic(), None, []
        limit = (MENDED_S if side.withheld else SETTLE_S) * PATIENCE
        while time.monotonic() < begin + limit:
            found = transfer(side.port)
            seen.append(f"{time.monotonic():.2f}: " + (f"serial {found[1]}, {len(found[0])} records" if found else "refused"))
            if found and found[1] >= revision:
                records, expected = set(found[0]), self._expect(what)
                difference = (sorted(expected - records), sorted(records - expected), len(found[0]) - len(records))
                if difference == ([], [], 0):
                    self.report[f"{what}: records of {side.name}"] = f"{len(records)}, after {time.monotonic() - begin:.1f} s"
                    return
            time.sleep(0.3)
        missing, extra, twice = difference or ([], [], 0)
        lines = [f"{what}: zone of {side.name}: " + (
            f"{len(missing)} missing {missing[:5]}, {len(extra)} too many {extra[:5]}, {twice} twice" if difference
            else f"no transfer at revision {revision}, but {found and found[1]}")]
        lines += [*seen[:10], "...", *seen[-5:], *side.server.err[-40:]]
        for owner, _, data in (missing + extra)[:3]:
            lines += self.model.history(owner, {data}, side.name)
        self.complaints.append("\n    ".join([*lines, *self.injector.lines[-30:]]))
        raise AssertionError(lines[0])

    def _leave(self):
        """All leases end with all that hangs on them, and none is left: a server has none."""
        for lane in self.lanes:
            lane.may_go.set()
        for lane in self.lanes:
            lane.join()
        leaving = [threading.Thread(target=lane.finish, daemon=True) for lane in self.lanes]
        for thread in leaving:
            thread.start()
        for thread in leaving:
            thread.join()
        self._compare("zones without leases")
        if left := self.cluster.call("/lease/leases").get("leases"):
            self.complaints.append(f"leases left: {left}")

    def _stop(self):
        for lane in self.lanes:
            lane.over.set()
            lane.may_go.set()
        for asker in self.askers:
            asker.over.set()
        for asker in self.askers:
            asker.join(30)
            self.complaints += asker.complaints
        for side in self.sides if all(side.server.is_running() for side in self.sides) else ():
            self._check_children(side)
        self.cluster.resume()
        self.registry.stop()
        for side in self.sides:
            for link in side.links:
                link.stop()
        self.cluster.stop()
        if self.injector:
            self.injector.may_go.set()

    def _check_children(self, side):
        """The last transfer's may still be ending."""
        end = time.monotonic() + CHILD_S * PATIENCE
        while children := open(f"/proc/{side.server.pid}/task/{side.server.pid}/children").read():
            if time.monotonic() > end:
                self.complaints.append(f"children of {side.name}: {children}")
                return
            time.sleep(0.1)

    # what the servers use

    def _note_usage(self, when):
        for side in self.sides:
            status = open(f"/proc/{side.server.pid}/status").read()
            self.usage[side.name, when] = (side.server.pid, int(re.search(r"VmRSS:\s+(\d+)", status).group(1)),
                                           len(os.listdir(f"/proc/{side.server.pid}/fd")))

    def _check_usage(self):
        self._note_usage("end")
        for side in self.sides:
            (_, rss, fds), (_, rss_end, fds_end) = self.usage[side.name, "warm"], self.usage[side.name, "end"]
            self.report[f"memory of {side.name}, kB"] = f"{rss} -> {rss_end}"
            self.report[f"descriptors of {side.name}"] = f"{fds} -> {fds_end}"
            if self.has_memory_check and rss_end > rss * RSS_GROWTH + RSS_SLACK_KB:
                self.complaints.append(f"memory of {side.name} grew from {rss} kB to {rss_end} kB")
            if fds_end > fds + FD_SLACK:
                self.complaints.append(f"descriptors of {side.name} grew from {fds} to {fds_end}")
            with urllib.request.urlopen(f"http://127.0.0.1:{side.http_port}/metrics", timeout=10 * PATIENCE) as reply:
                page = reply.read().decode()
            for name in COUNTERS:
                found = re.search(rf"^empusa_{name} (\d+)", page, re.MULTILINE)
                self.report[f"{name} of {side.name}"] = found and int(found.group(1))

    # what it says

    def text(self):
        elapsed = time.monotonic() - self.begun
        asked = sum(asker.asked for asker in self.askers)
        lines = [f"soak: EMPUSA_SEED={self.seed}, {self.entries} entries, {elapsed:.0f} s",
                 f"changes: {self.model.changes}, {self.model.changes / elapsed:.0f}/s",
                 f"questions: {asked}, {asked / elapsed:.0f}/s, stale {sum(a.stale for a in self.askers)}, denied "
                 f"{sum(a.denied for a in self.askers)}, to a server that was stopped or starting "
                 f"{sum(a.excused for a in self.askers)}, slowest answer {max((a.slowest_s for a in self.askers), default=0):.3f} s"]
        counts = {}
        for lane in self.lanes:
            for what, count in lane.counts.items():
                counts[what] = counts.get(what, 0) + count
        lines.append(f"written: {counts}")
        lines.append(f"faults: {self.injector and self.injector.counts}, events withheld {sum(s.withheld for s in self.sides)}")
        lines += [f"{what}: {value}" for what, value in self.report.items()]
        lines.append(f"wrong or lost: {len(self.complaints)}")
        return "\n".join([*lines, *map(str, self.complaints[:10])])
