"""A gateway in front of one member of etcd that spoils what passes: what a proxy, or etcd itself, may send.

It passes all on as it is until it is given a Fault; that one is handed each reply of etcd, and each line of a watch,
and sends the client what it likes, octet by octet.
"""

import http.client
import json
import socket
import threading

METHODS = {"/version": "version", "/kv/range": "range", "/kv/txn": "txn", "/kv/put": "put",
           "/kv/deleterange": "delete", "/lease/grant": "grant", "/lease/keepalive": "keepalive",
           "/lease/timetolive": "timetolive", "/lease/revoke": "revoke", "/watch": "watch",
           "/auth/authenticate": "authenticate"}


class Fault:
    """Passes all on. A class below replaces what it spoils."""

    def answer(self, link, reply):
        """To a whole reply."""
        link.answer(reply.status, reply.body)

    def begin(self, link):
        """Before the first line of a watch."""
        link.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")

    def line(self, link, line):
        """To a line of a watch, with its LF."""
        link.chunk(line)


class Only(Fault):
    """Spoils what answers these methods and passes the rest on."""

    def __init__(self, fault, *methods):
        self.fault, self.methods = fault, methods

    def answer(self, link, reply):
        (self.fault if reply.method in self.methods else super()).answer(link, reply)


class Reply:
    def __init__(self, method, request, status, body):
        self.method, self.request, self.status, self.body = method, request, status, body


class Ended(Exception):
    """The connection is to be closed now."""


class Gateway:
    def __init__(self, member):
        self.member = member
        self.fault = Fault()
        self.asked = {}  # {method: requests}
        self._lock = threading.Lock()
        self._links = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint(self):
        return f"127.0.0.1:{self.port}"

    def spoil(self, fault):
        """From the next reply on; connections of before are cut, so that all is asked again."""
        self.fault = fault
        self.cut()

    def heal(self):
        """What is asked from now on is passed on. An answer that hangs, or has no end, goes on so."""
        self.fault = Fault()

    def cut(self):
        for link in list(self._links):
            link.shut()

    def stop(self):
        self._listener.close()
        self.cut()

    def count(self, *methods):
        return sum(self.asked.get(method, 0) for method in methods) if methods else sum(self.asked.values())

    def note(self, method):
        with self._lock:
            self.asked[method] = self.asked.get(method, 0) + 1

    def _accept(self):
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            link = Link(self, client)
            self._links.add(link)
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link):
        try:
            while link.serve():
                pass
        except (OSError, Ended, http.client.HTTPException, ValueError):
            pass
        finally:
            self._links.discard(link)
            link.close()


class Link:
    """One connection of a client, with one of its own to etcd."""

    def __init__(self, gateway, client):
        self.gateway, self.client = gateway, client
        self.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = client.makefile("rb")
        self.upstream = None
        self.previous = None  # what was answered last on this connection
        self.is_closed = False

    def shut(self):
        self.is_closed = True
        for sock in (self.client, self.upstream and self.upstream.sock):
            try:
                if sock:
                    sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.shut()  # a thread that reads from a socket keeps it open when it is closed
        self.reader.close()
        self.client.close()
        if self.upstream:
            self.upstream.close()

    def serve(self):
        """One request. False: the client has gone."""
        first = self.reader.readline(65536).split()
        if len(first) != 3:
            return False
        headers = http.client.parse_headers(self.reader)
        body = self.reader.read(int(headers.get("Content-Length", 0)))
        path = first[1].decode()
        method = next((name for end, name in METHODS.items() if path.endswith(end)), path)
        self.gateway.note(method)
        forwarded = {name: headers[name] for name in ("Content-Type", "Authorization", "Grpc-Metadata-hasleader")
                     if name in headers}
        self._ask(first[0].decode(), path, body, forwarded)
        reply = self.upstream.getresponse()
        if method == "watch" and reply.status == 200:
            self._stream(reply)
            return False
        answer = Reply(method, json.loads(body) if body else {}, reply.status, reply.read())
        self.gateway.fault.answer(self, answer)
        self.previous = answer
        return True

    def _ask(self, *request):
        """etcd may have been started again since."""
        for is_last in (False, True):
            if not self.upstream:
                self.upstream = http.client.HTTPConnection("127.0.0.1", self.gateway.member.port, timeout=None)
            try:
                self.upstream.request(*request)
                return
            except OSError:
                self.upstream.close()
                self.upstream = None
                if is_last:
                    raise

    def _stream(self, reply):
        """Whoever leaves is noticed here; the loop below waits for etcd."""
        threading.Thread(target=self._notice_end, daemon=True).start()
        is_begun = False
        while line := reply.readline():
            fault = self.gateway.fault
            if not is_begun:
                fault.begin(self)
            is_begun = True
            fault.line(self, line)

    def _notice_end(self):
        try:
            self.client.recv(1)
        except OSError:
            pass
        self.shut()

    def send(self, octets):
        self.client.sendall(octets)

    def head(self, *lines, status="200 OK"):
        self.send("".join([f"HTTP/1.1 {status}\r\n", *(f"{line}\r\n" for line in lines), "\r\n"]).encode())

    def answer(self, status, body, *lines):
        self.head(*lines, "Content-Type: application/json", f"Content-Length: {len(body)}",
                  status=f"{status} {http.client.responses.get(status, 'Unknown')}")
        self.send(body)

    def chunk(self, data):
        self.send(b"%x\r\n%s\r\n" % (len(data), data))
