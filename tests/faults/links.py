"""A link that can do all that a network does to what goes over it, to all of it or to some kinds of requests only."""

import queue
import socket
import struct
import threading
import time

from relay import Link, WatchRelay

EVERYTHING = ""
WATCH, RANGE, TXN, GRANT, KEEPALIVE = "/watch", "/kv/range", "/kv/txn", "/lease/grant", "/lease/keepalive"


class FaultLink(Link):
    """A connection whose answers meet the fault that is set for the request before them."""

    path = ""
    is_reset = False
    _late = None

    def ask(self, data):
        line = data.split(b"\r\n", 1)[0]
        if line.endswith(b" HTTP/1.1"):
            self.path = line.split()[1].decode()
        fault = self.relay.fault_of(self.path)
        if fault is lost_request:
            return
        super().ask(data)

    def _send(self, data):
        fault = self.relay.fault_of(self.path)
        if fault and not self.is_mute:
            fault(self, data)
        else:
            super()._send(data)

    def answer(self, data):
        """A plain answer is sent as it is, a watch's by the base class, line by line; both by _send()."""
        if self.watch is None:
            self._send(data)
        else:
            super().answer(data)

    def pass_on(self, data):
        self.client.sendall(data)

    def pass_on_later(self, data, seconds):
        if not self._late:
            self._late = queue.Queue()
            threading.Thread(target=self._pass_on_late, daemon=True).start()
        self._late.put((time.monotonic() + seconds, data))

    def _pass_on_late(self):
        try:
            while self.client.fileno() >= 0:
                try:
                    due, data = self._late.get(timeout=1)
                except queue.Empty:
                    continue
                time.sleep(max(0.0, due - time.monotonic()))
                self.pass_on(data)
        except OSError:
            pass  # the connection has ended meanwhile


# Faults: what becomes of a piece of an answer.

def stall(link, _data):
    """Nothing more arrives, and nothing is closed."""
    link.is_mute = True


def halve(link, data):
    """The first half arrives, and the connection ends in the middle of a line."""
    link.pass_on(data[:len(data) // 2])
    raise ConnectionError("halved")


def half_and_stall(link, data):
    link.pass_on(data[:len(data) // 2])
    link.is_mute = True


def reset(link, _data):
    """The connection is reset, not closed."""
    link.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.is_reset = True
    raise ConnectionError("reset")


def close(_link, _data):
    raise ConnectionError("closed")


def lost_request(link, _data):
    """The request does not arrive either."""
    link.is_mute = True


def delay(seconds):
    """A long way: everything comes so much later, and as fast as it was sent."""
    def late(link, data):
        link.pass_on_later(data, seconds)
    late.__name__ = f"delay {seconds:g} s"
    return late


def dribble(link, data):
    """One octet a packet, for the first ones."""
    for i in range(min(len(data), 200)):
        link.pass_on(data[i:i + 1])
    link.pass_on(data[200:])


def garbage(link, data):
    """What was never sent."""
    link.pass_on(bytes(octet ^ 0x55 for octet in data))


class FaultRelay(WatchRelay):
    """The rules of WatchRelay for watches, and faults by the kind of a request. Another etcd may take the target's place."""

    link = FaultLink

    def __init__(self, target):
        self._faults = {}
        super().__init__(target)

    def fault_of(self, path):
        return next((fault for kind, fault in self._faults.items() if path.endswith(kind)), None)

    def cut_pair(self, take):
        """Of one to be reset the sending half stays open, or its end would be sent: that comes when it is closed."""
        if take.__self__.is_reset:
            take.__self__.client.shutdown(socket.SHUT_RD)
            self._shut(take.__self__.upstream)
        else:
            super().cut_pair(take)

    def set_fault(self, fault, *kinds):
        """None for the first: as it should be. Connections that there are stay."""
        for kind in kinds or (EVERYTHING,):
            self._faults[kind] = fault

    def heal(self):
        """As new: connections from before are ended."""
        self._faults = {}
        self.drops = self.cuts = self.halves = lambda watch, event: False
        self.mutes = self.stillborn = lambda watch: False
        self.refuses = lambda: False
        self.cut()

    def retarget(self, port):
        """Another etcd behind the same address."""
        self.target = port
        self.cut()


class FullBacklog:
    """A port where connections are neither taken nor refused, as of a machine whose packets are lost."""

    def __init__(self, port):
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen(0)
        self.port = port
        self._fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            self._fillers.append(filler)
        threading.Event().wait(0.05)

    def stop(self):
        for sock in [*self._fillers, self._listener]:
            sock.close()
