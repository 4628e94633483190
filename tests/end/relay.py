"""TCP relays in front of one port: a link that can be cut, or fall silent without a word; and one that keeps things
from etcd's watches."""

import base64
import json
import selectors
import socket
import threading

from process import free_port


class Relay:
    def __init__(self, target):
        self.target = target
        self.port = free_port()
        self.mode = "pass"  # pass, hang: nothing moves, nothing is closed; cut: closed and refused
        self._pairs = {}
        self._stop = False
        self._selector = selectors.DefaultSelector()
        self._listener = None
        self._lock = threading.Lock()
        self._listen()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def endpoint(self):
        return f"127.0.0.1:{self.port}"

    def _listen(self):
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self._listener.listen()
        self._selector.register(self._listener, selectors.EVENT_READ)

    def cut(self):
        with self._lock:
            self.mode = "cut"
            self._selector.unregister(self._listener)
            self._listener.close()
            for sock in list(self._pairs):
                self._close(sock)

    def hang(self):
        with self._lock:
            self.mode = "hang"

    def heal(self):
        """As new: connections from before are gone, new ones pass."""
        with self._lock:
            for sock in list(self._pairs):
                self._close(sock)
            if self.mode == "cut":
                self._listen()
            self.mode = "pass"

    def stop(self):
        self._stop = True
        self._thread.join()
        with self._lock:
            for sock in [*self._pairs, self._listener]:
                sock.close()
            self._selector.close()

    def _close(self, sock):
        other = self._pairs.pop(sock, None)
        self._pairs.pop(other, None)
        for each in (sock, other):
            if each is not None and each.fileno() >= 0:
                self._selector.unregister(each)
                each.close()

    def _run(self):
        while not self._stop:
            for key, _ in self._selector.select(0.02):
                with self._lock:
                    if self.mode == "pass" and key.fileobj.fileno() >= 0:
                        self._move(key.fileobj)
            if self.mode == "hang":
                threading.Event().wait(0.02)

    def _move(self, sock):
        if sock is self._listener:
            client = sock.accept()[0]
            try:
                upstream = socket.create_connection(("127.0.0.1", self.target), 2)
            except OSError:
                client.close()
                return
            self._pairs.update({client: upstream, upstream: client})
            for each in (client, upstream):
                self._selector.register(each, selectors.EVENT_READ)
            return
        try:
            data = sock.recv(65536)
            if not data:
                raise ConnectionError
            self._pairs[sock].sendall(data)
        except OSError:
            self._close(sock)


class WatchRelay:
    """Passes everything but what its rules keep from the watches. Watches are numbered as they are made, from 0; an
    event is etcd's object with its key decoded. A rule may be set or changed at any time."""

    link = None  # what handles a connection: Link, below

    def __init__(self, target):
        self.target = target
        self.watches = 0
        self.drops = lambda watch, event: False  # this event is not delivered
        self.mutes = lambda watch: False  # nothing more is
        self.halves = lambda watch, event: False  # half of its line is, and then nothing more
        self.cuts = lambda watch, event: False  # the connection ends before it
        self.stillborn = lambda watch: False  # half of the first line is delivered
        self.refuses = lambda: False  # a new watch is never answered
        self._sockets = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint(self):
        return f"127.0.0.1:{self.port}"

    def cut(self):
        """All connections; new ones pass."""
        for sock in list(self._sockets):
            self._shut(sock)

    def stop(self):
        self._shut(self._listener)  # which wakes who waits for connections
        self._listener.close()
        self.cut()

    @staticmethod
    def _shut(sock):
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _accept(self):
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            upstream = socket.create_connection(("127.0.0.1", self.target), 5)
            upstream.settimeout(None)
        except OSError:
            client.close()
            return
        link = (self.link or Link)(self, client, upstream)
        self._sockets |= {client, upstream}
        answers = threading.Thread(target=self._pump, args=(upstream, link.answer), daemon=True)
        answers.start()
        self._pump(client, link.ask)
        self._shut(upstream)
        answers.join()
        self._sockets -= {client, upstream}
        client.close()
        upstream.close()

    def _pump(self, source, take):
        try:
            while data := source.recv(65536):
                take(data)
        except OSError:
            pass
        self.cut_pair(take)

    def cut_pair(self, take):
        for sock in (take.__self__.client, take.__self__.upstream):
            self._shut(sock)


class Link:
    """One connection: plain until a watch is asked for on it."""

    def __init__(self, relay, client, upstream):
        self.relay, self.client, self.upstream = relay, client, upstream
        self.watch = None  # its number
        self.head, self.raw, self.body = b"", b"", b""
        self.in_body = self.is_mute = False

    def ask(self, data):
        if data.split(b"\r\n", 1)[0].endswith(b"/watch HTTP/1.1"):
            self.watch = self.relay.watches
            self.relay.watches += 1
            self.is_mute = self.relay.refuses()
        self.upstream.sendall(data)

    def answer(self, data):
        if self.watch is None:
            self.client.sendall(data)
            return
        if not self.in_body:
            self.head += data
            if b"\r\n\r\n" not in self.head:
                return
            head, data = self.head.split(b"\r\n\r\n", 1)
            self.in_body = True
            self._send(head + b"\r\n\r\n")
        self.raw += data
        self._take_chunks()
        while b"\n" in self.body:
            line, self.body = self.body.split(b"\n", 1)
            self._take_line(line)

    def _take_chunks(self):
        while b"\r\n" in self.raw:
            size, rest = self.raw.split(b"\r\n", 1)
            length = int(size, 16)
            if len(rest) < length + 2:
                return
            self.body += rest[:length]
            self.raw = rest[length + 2:]

    def _take_line(self, line):
        self.is_mute = self.is_mute or self.relay.mutes(self.watch)
        value = json.loads(line)
        result = value.get("result", {})
        events = result.get("events", [])
        if result.get("created") and self.relay.stillborn(self.watch):
            self._send_chunk(line[:len(line) // 2])
            self.is_mute = True
        for event in events:
            event["name"] = base64.b64decode(event["kv"]["key"]).decode()
        if any(self.relay.halves(self.watch, event) for event in events):
            self._send_chunk(line[:len(line) // 2])
            self.is_mute = True
        if any(self.relay.cuts(self.watch, event) for event in events):
            raise ConnectionError("cut")
        kept = [event for event in events if not self.relay.drops(self.watch, event)]
        if len(kept) < len(events):
            result["events"] = [{k: v for k, v in event.items() if k != "name"} for event in kept]
            line = json.dumps(value).encode()
        if kept or not events:
            self._send_chunk(line + b"\n")

    def _send_chunk(self, data):
        self._send(b"%x\r\n%s\r\n" % (len(data), data))

    def _send(self, data):
        if not self.is_mute:
            self.client.sendall(data)
