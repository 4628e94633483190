"""Relays that keep one request back: its sender gives it up, and it is delivered long after."""

from relay import Relay


class Hold:
    """What several relays hold together: the first request with these octets in it, and no other."""

    def __init__(self, marker):
        self.marker = marker
        self.held = None  # (where it goes, its octets)

    def release(self):
        assert self.held, "nothing was held"
        upstream, octets = self.held
        upstream.settimeout(10)
        upstream.sendall(octets)
        return upstream.recv(65536)


class Holder(Relay):
    def __init__(self, target, hold):
        self.hold = hold
        super().__init__(target)

    def _move(self, sock):
        if self.hold.held or sock is self._listener:
            super()._move(sock)
            return
        self._peek(sock)

    def _peek(self, sock):
        """A request of empusa's comes in one piece: it is small."""
        try:
            octets = sock.recv(65536)
            if not octets:
                raise ConnectionError
            if self.hold.marker in octets:
                upstream = self._pairs.pop(sock)
                self._pairs.pop(upstream)
                self._selector.unregister(upstream)
                self._selector.unregister(sock)
                self.hold.held = (upstream, octets)
                return
            self._pairs[sock].sendall(octets)
        except OSError:
            self._close(sock)
