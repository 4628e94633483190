"""What goes wrong during the soak: one fault after the other, sometimes two at once, each drawn by a seed."""

import signal
import socket
import struct
import threading
import time

from process import PATIENCE, free_port, wait_until
from relay import WatchRelay
from soak_model import MENDED_S, choose, generator

FAR = 3600 * 24


class Link(WatchRelay):
    """The way from one server to one member."""

    def __init__(self, member, withhold):
        super().__init__(member.port)
        self.drops = lambda watch, event: withhold(event)
        self.is_open, self.delay_s = threading.Event(), 0.0
        self.is_open.set()
        self.is_refusing = False

    def reset(self):
        """All connections end at once, by RST."""
        for sock in list(self._sockets):
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except OSError:
                pass
            self._shut(sock)

    def _serve(self, client):
        if self.is_refusing:
            client.close()
        else:
            super()._serve(client)

    def _pump(self, source, take):
        def pass_on(data):
            self.is_open.wait()
            if self.delay_s:
                time.sleep(self.delay_s)
            take(data)
        try:
            while data := source.recv(65536):
                pass_on(data)
        except (OSError, ValueError):
            pass
        self.cut_pair(take)


class Side:
    """One server, its links, and the times at which it cannot answer or cannot know."""

    def __init__(self, soak, name, order):
        self.soak, self.name = soak, name
        self.links = [Link(member, self._withhold) for member in soak.cluster.members]
        self.endpoints = ",".join(self.links[i].endpoint for i in order)
        self.server, self.port, self.http_port = None, free_port(), free_port()
        self.floor = 0  # the highest serial it has shown
        self.away = []  # [from, to] of when it was stopped or starting
        self.share = 0.0  # of the events that are withheld
        self.withheld = 0
        self.rng = generator(soak.seed, f"events of {name}")

    def _withhold(self, event):
        if not self.share or self.rng.random() >= self.share:
            return False
        until = time.monotonic() + (MENDED_S + 15) * max(1, PATIENCE / 2)
        self.soak.model.withhold(self.name, event["name"].encode(), int(event["kv"]["mod_revision"]), until)
        self.withheld += 1
        return True

    def leave(self):
        self.away.append([time.monotonic(), FAR + time.monotonic()])

    def come_back(self):
        self.away[-1][1] = time.monotonic()

    def was_away(self, begin, end):
        return any(start <= end and begin <= stop for start, stop in self.away)

    def start(self):
        self.server = self.soak.start_server(self)
        self.soak.model.reloaded(self.name)


class Fault:
    def __init__(self, name, sides):
        self.name, self.sides, self.begun, self.ended = name, sides, time.monotonic(), FAR + time.monotonic()


class Injector(threading.Thread):
    """Draws faults until it is told to stop, and undoes each."""

    KINDS = {"kill_member": 4, "stop_member": 4, "kill_leader": 3, "stop_leader": 3, "stop_majority": 2, "cut": 4, "stall": 4,
             "delay": 3, "mute": 3, "withhold": 4, "reset": 3, "compact": 4, "stop_server": 3, "kill_server": 2, "hangup": 2}

    def __init__(self, soak):
        super().__init__(daemon=True)
        self.soak, self.cluster = soak, soak.cluster
        self.rng = generator(soak.seed, "faults")
        self.over, self.is_done, self.may_go = threading.Event(), threading.Event(), threading.Event()
        self.lines, self.counts, self.faults = [], {}, []
        self.error = None

    def note(self, text):
        self.lines.append(f"{time.monotonic() - self.soak.begun:8.2f} ({time.monotonic():.2f}) {text}")

    def run(self):
        first = ["withhold", "withhold"]  # they can only be found if there is time left
        try:
            while not self.over.wait(self.rng.uniform(0.5, 2.0)):
                names = [first.pop() if first else choose(self.rng, self.KINDS)]
                if self.rng.random() < 0.3:
                    names.append(choose(self.rng, self.KINDS))
                if time.monotonic() > self.soak.withhold_until:
                    names = [name for name in names if name != "withhold"] or ["compact"]
                self._inject(names)
        except BaseException as error:  # pylint: disable=broad-except
            self.error = error
        self.is_done.set()
        self.may_go.wait()  # what this thread has started ends with it

    def _inject(self, names):
        """One that harms members goes with one that harms links or servers, so that two of three members stay."""
        of_members = [name for name in names if name.endswith(("member", "leader", "majority"))]
        of_servers = [name for name in names if name.endswith("_server")]
        names = [name for name in names if name not in of_members[1:] + of_servers[1:]]
        undo = []
        for name in names:
            fault = Fault(name, self.soak.sides)
            self.faults.append(fault)
            self.counts[name] = self.counts.get(name, 0) + 1
            undo.append((fault, getattr(self, name)(fault)))
        for fault, (duration, end) in undo:
            self.over.wait(duration)
        # A server that was killed gets ready when all else is well.
        for fault, (_, end) in sorted(undo, key=lambda pair: pair[0].name == "kill_server"):
            self.note(f"{fault.name} ends")
            end()
        for member in self.cluster.members:
            wait_until(lambda m=member: self._answers(m), 60, "each member answers again")
        for fault, _ in undo:
            fault.ended = time.monotonic()

    def _answers(self, member):
        try:
            self.cluster.call("/kv/range", {"key": "eA=="}, member=member, timeout=1)
            return True
        except Exception:  # pylint: disable=broad-except
            return False

    def is_healthy(self, side, begin, end):
        """Whether nothing was wrong with what a server hears, in all of this time."""
        return not any(side in fault.sides and fault.begun <= end and begin <= fault.ended for fault in self.faults[-8:]) \
            and not side.was_away(begin, end)

    # faults: each begins, and returns how long it lasts and what ends it

    def _one_member(self, is_leader):
        if is_leader:
            leader = wait_until(self._leader, 30, "there is a leader")
            return leader
        return self.rng.choice(self.cluster.members)

    def _leader(self):
        try:
            return self.cluster.leader()
        except Exception:  # pylint: disable=broad-except
            return None

    def _kill(self, member, duration):
        self.note(f"{member.name} is killed")
        self.cluster.kill_member(member)
        return duration, lambda: self.cluster.start_member(member)

    def _pause(self, members, duration):
        self.note(f"{' '.join(member.name for member in members)} stopped")
        self.cluster.pause(*members)
        return duration, lambda: self.cluster.resume(*members)

    def kill_member(self, _):
        return self._kill(self._one_member(False), self.rng.uniform(0.5, 6))

    def kill_leader(self, _):
        return self._kill(self._one_member(True), self.rng.uniform(0.5, 6))

    def stop_member(self, _):
        return self._pause([self._one_member(False)], self.rng.uniform(0.5, 8))

    def stop_leader(self, _):
        return self._pause([self._one_member(True)], self.rng.uniform(0.5, 8))

    def stop_majority(self, _):
        return self._pause(self.rng.sample(self.cluster.members, 2), self.rng.uniform(0.5, 6))

    def _side(self, fault):
        side = self.rng.choice(self.soak.sides)
        fault.sides = [side]
        links = side.links if self.rng.random() < 0.5 else [self.rng.choice(side.links)]
        return side, links

    def cut(self, fault):
        side, links = self._side(fault)
        self.note(f"{side.name}: {len(links)} links are cut")
        for link in links:
            link.is_refusing = True
            link.cut()

        def end():
            for link in links:
                link.is_refusing = False
        return self.rng.uniform(0.5, 6), end

    def stall(self, fault):
        side, links = self._side(fault)
        self.note(f"{side.name}: {len(links)} links stall")
        for link in links:
            link.is_open.clear()

        def end():
            for link in links:
                link.is_open.set()
        return self.rng.uniform(0.5, 8), end

    def delay(self, fault):
        side, links = self._side(fault)
        delay_s = self.rng.uniform(0.02, 0.3)
        self.note(f"{side.name}: {len(links)} links delay by {delay_s:.2f} s")
        for link in links:
            link.delay_s = delay_s

        def end():
            for link in links:
                link.delay_s = 0.0
        return self.rng.uniform(1, 6), end

    def withhold(self, fault):
        side, _ = self._side(fault)
        self.note(f"{side.name}: events are withheld")
        side.share = self.rng.choice([0.002, 0.01, 0.1])

        def end():
            side.share = 0.0
        return self.rng.uniform(0.5, 2), end

    def mute(self, fault):
        """A watch that says nothing more, on links where all else is answered."""
        side, _ = self._side(fault)
        self.note(f"{side.name}: watches are mute")
        for link in side.links:
            link.mutes = lambda watch: True

        def end():
            for link in side.links:
                link.mutes = lambda watch: False
                link.cut()
        return self.rng.uniform(1, 8), end

    def reset(self, fault):
        side, links = self._side(fault)
        self.note(f"{side.name}: {len(links)} links are reset")
        for link in links:
            link.reset()
        return 0.1, lambda: None

    def compact(self, _):
        self.note("compaction")
        try:
            self.cluster.compact()
        except Exception as error:  # pylint: disable=broad-except
            self.note(f"no compaction: {error!r}")
        return 0.1, lambda: None

    def stop_server(self, fault):
        side, _ = self._side(fault)
        self.note(f"{side.name}: server stopped")
        side.leave()
        side.server.send(signal.SIGSTOP)

        def end():
            side.server.send(signal.SIGCONT)
            side.come_back()
        return self.rng.uniform(0.2, 5), end

    def kill_server(self, fault):
        side, _ = self._side(fault)
        self.note(f"{side.name}: server is killed")
        side.leave()
        side.server.kill()

        def end():
            side.start()
            wait_until(lambda: side.server.find_line(r"^INFO:root:serving ") or not side.server.is_running(), 60)
            assert side.server.is_running(), side.server.err[-20:]
            side.come_back()
        return self.rng.uniform(0.0, 2), end

    def hangup(self, fault):
        side, _ = self._side(fault)
        self.note(f"{side.name}: SIGHUP")
        if not side.was_away(time.monotonic(), time.monotonic()):
            side.server.send(signal.SIGHUP)
            side.server.send(signal.SIGUSR1)
        fault.sides = []
        return 0.1, lambda: None
