"""A DNS client just good enough to check and time single answers over UDP."""
import itertools
import select
import socket
import struct

import dataset

CLASS_IN, CLASS_ANY, OPCODE_UPDATE = 1, 255, 5


class Reply:
    def __init__(self, octets):
        self.octets = octets
        flags, _, self.answers = struct.unpack("!3H", octets[2:8])
        self.rcode, self.truncated = flags & 15, bool(flags & 0x200)

    def _skip_name(self, at):
        while self.octets[at]:
            if self.octets[at] >= 0xC0:
                return at + 2
            at += 1 + self.octets[at]
        return at + 1

    def srv_port(self):
        """The port of the first answer, an SRV record; None without one."""
        if not self.answers or self.rcode:
            return None
        at = self._skip_name(self._skip_name(12) + 4)
        if struct.unpack("!H", self.octets[at:at + 2])[0] != dataset.TYPE_SRV:
            return None
        return struct.unpack("!H", self.octets[at + 14:at + 16])[0]


class Client:
    def __init__(self, port, timeout_s=1.0):
        self.timeout_s, self.ids = timeout_s, itertools.count(1)
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def exchange(self, octets):
        """The reply with the same ID; None without one in time or from a closed port."""
        try:
            self.socket.send(octets)
            while select.select([self.socket], [], [], self.timeout_s)[0]:
                reply = self.socket.recv(65535)
                if len(reply) >= 12 and reply[:2] == octets[:2]:
                    return Reply(reply)
        except ConnectionRefusedError:
            pass
        return None

    def ask(self, name, qtype):
        return self.exchange(dataset.packet(name, qtype, next(self.ids) & 0xFFFF))

    def replace_srv(self, owner, port, target):
        """RFC 2136: delete the owner's SRV records and add one. True when it was done."""
        delete = owner + struct.pack("!HHIH", dataset.TYPE_SRV, CLASS_ANY, 0, 0)
        data = struct.pack("!3H", 0, 1, port) + target
        add = owner + struct.pack("!HHIH", dataset.TYPE_SRV, CLASS_IN, 10, len(data)) + data
        zone = dataset.wire_name(dataset.DOMAIN) + struct.pack("!HH", dataset.TYPE_SOA, CLASS_IN)
        header = struct.pack("!6H", next(self.ids) & 0xFFFF, OPCODE_UPDATE << 11, 1, 0, 2, 0)
        reply = self.exchange(header + zone + delete + add)
        return reply is not None and reply.rcode == 0
