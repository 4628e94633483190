"""A TCP relay in front of one port: a link that can be cut, or fall silent without a word."""

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
