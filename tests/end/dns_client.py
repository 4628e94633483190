"""Questions to a server: octets as they are, or through dnspython."""

import random
import socket
import struct

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from process import PATIENCE

ZONE = "empusa.internal."
IN, CH, HS, NONE, ANY_CLASS = 1, 3, 4, 254, 255
EDE_STALE, EDE_NOT_READY, EDE_PROHIBITED, EDE_NOT_AUTHORITATIVE, EDE_INVALID = 3, 14, 18, 20, 24
OPTION_NSID, OPTION_COOKIE, OPTION_KEEPALIVE, OPTION_EDE = 3, 10, 11, 15


def name_of(text, zone=ZONE):
    """A name from text (escapes allowed), a list of labels, or a dns.name.Name. Without a final
    dot it lies below the zone; "" is the zone itself."""
    if isinstance(text, dns.name.Name):
        return text
    origin = dns.name.from_text(zone)
    if isinstance(text, (list, tuple)):
        return dns.name.Name([part if isinstance(part, bytes) else part.encode() for part in text]
                             ).concatenate(origin)
    if text == "":
        return origin
    # From octets: dnspython would turn UTF-8 in text into IDNA.
    return dns.name.from_text(text.encode() if isinstance(text, str) else text, origin)


def wire_name(name):
    return name_of(name).to_wire()


def type_code(rdtype):
    return rdtype if isinstance(rdtype, int) else int(dns.rdatatype.from_text(rdtype))


def question(name, rdtype, rdclass=IN):
    wire = name if isinstance(name, bytes) else wire_name(name)
    return wire + struct.pack("!HH", type_code(rdtype), rdclass)


def option(code, data=b""):
    return struct.pack("!HH", code, len(data)) + data


def opt(size=1232, version=0, flags=0, options=b"", owner=b"\0", extended=0):
    return owner + struct.pack("!HHBBHH", 41, size, extended, version, flags, len(options)) + options


def query_wire(*questions, flags=0, identity=None, additional=(), counts=None, answer=b""):
    """A message in octets; counts overrides what the header says of the four sections."""
    identity = random.randrange(65536) if identity is None else identity
    counts = counts or (len(questions), 0, 0, len(additional))
    return struct.pack("!HHHHHH", identity, flags, *counts) + b"".join(questions) + answer + b"".join(additional)


class Reply:
    """A reply's header and records, read from the octets, every record on its own."""

    def __init__(self, wire):
        self.wire = wire
        (self.id, self.flags, self.question_count, self.answer_count, self.authority_count,
         self.additional_count) = struct.unpack("!HHHHHH", wire[:12])
        # dnspython knows only some opcodes, and another format of a message for some of those.
        self.message = None if self.opcode else dns.message.from_wire(wire, one_rr_per_rrset=True)

    @property
    def rcode(self):
        return int(self.message.rcode()) if self.message else self.flags & 15

    @property
    def opcode(self):
        return self.flags >> 11 & 15

    def has(self, flag):
        return bool(self.flags & getattr(dns.flags, flag))

    @property
    def is_truncated(self):
        return self.has("TC")

    def records(self, section="answer"):
        """(owner, ttl, type, data) of each record, as text, in the order of the message."""
        return [(rrset.name.to_text(), rrset.ttl, dns.rdatatype.to_text(rrset.rdtype), rdata.to_text())
                for rrset in getattr(self.message, section) for rdata in rrset]

    def lines(self, section="answer"):
        return sorted(" ".join(map(str, record)) for record in self.records(section))

    def data(self, section="answer", rdtype=None):
        return sorted(record[3] for record in self.records(section) if rdtype in (None, record[2]))

    def names(self, section="answer"):
        """The dns.name.Name in each PTR or NS, the target of each SRV."""
        return [getattr(rdata, "target", None) for rrset in getattr(self.message, section) for rdata in rrset]

    def ttls(self, section="answer"):
        return {record[1] for record in self.records(section)}

    @property
    def options(self):
        """{code: data} of the OPT's options."""
        return {int(item.otype): item.to_wire() for item in self.message.options}

    @property
    def ede(self):
        data = self.options.get(OPTION_EDE)
        return None if data is None else struct.unpack("!H", data[:2])[0]

    @property
    def soa(self):
        for section in (self.message.authority, self.message.answer):
            for rrset in section:
                if rrset.rdtype == dns.rdatatype.SOA:
                    return rrset
        return None

    def is_nodata(self):
        return self.rcode == 0 and self.answer_count == 0 and self.soa is not None and self.has("AA")

    def is_nxdomain(self):
        return self.rcode == 3 and self.answer_count == 0 and self.soa is not None and self.has("AA")


class Dns:
    """A server at one address."""

    def __init__(self, port, host="127.0.0.1"):
        self.host, self.port = host, port
        self.family = socket.AF_INET6 if ":" in host else socket.AF_INET

    def udp_socket(self, timeout=5):
        sock = socket.socket(self.family, socket.SOCK_DGRAM)
        sock.settimeout(timeout * PATIENCE)
        sock.connect((self.host, self.port))  # so that only replies from this very address arrive
        return sock

    def udp(self, wire, timeout=5):
        """The reply's octets, or None if there is none."""
        with self.udp_socket(timeout) as sock:
            sock.send(wire)
            try:
                return sock.recv(65535)
            except TimeoutError:
                return None

    def connect(self, timeout=5):
        return Stream(socket.create_connection((self.host, self.port), timeout * PATIENCE))

    def tcp(self, wire, timeout=5):
        with self.connect(timeout) as stream:
            stream.send(wire)
            return stream.receive()

    def exchange(self, wire, tcp=False):
        raw = (self.tcp if tcp else self.udp)(wire)
        assert raw is not None, "no reply"
        return Reply(raw)

    def is_silent(self, wire):
        """Whether a message earns no reply: a good one, sent after it from the same socket, is answered first."""
        with self.udp_socket() as sock:
            sock.send(wire)
            probe = query_wire(question("", "SOA"), identity=0xBEEF)
            # The kernel may hand the two to the server in one batch, but never in another order.
            sock.send(probe)
            return Reply(sock.recv(65535)).id == 0xBEEF

    def ask(self, name, rdtype, *, tcp=False, edns=None, flags=0, rdclass=IN, options=b"", do=False):
        """edns: the size to announce, None for none."""
        additional = [] if edns is None else [opt(edns, flags=0x8000 if do else 0, options=options)]
        wire = query_wire(question(name, rdtype, rdclass), flags=flags, additional=additional)
        reply = self.exchange(wire, tcp)
        assert reply.id == struct.unpack("!H", wire[:2])[0]
        return reply

    def data(self, name, rdtype, tcp=True):
        """The data of the answer as sorted text, whole because it comes over TCP."""
        return self.ask(name, rdtype, tcp=tcp).data()

    def serial(self):
        return self.ask("", "SOA").soa[0].serial


class Stream:
    """A TCP connection: messages behind their two octets of length."""

    def __init__(self, sock):
        self.sock = sock

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, *wires):
        self.sock.sendall(b"".join(struct.pack("!H", len(wire)) + wire for wire in wires))

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.sock.recv(count - len(data))
            if not piece:
                return None
            data += piece
        return data

    def receive(self):
        """The next message's octets; None when the server closed."""
        try:
            head = self._exactly(2)
            return head and self._exactly(struct.unpack("!H", head)[0])
        except ConnectionResetError:
            return None
