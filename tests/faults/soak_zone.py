"""What an entry of the registry is in DNS, said once more and independently of empusa: a value and the records it makes.

A record is (owner, type, data): names as lower-case octets of the wire, all of the zone's name included, so that two of
them compare as DNS compares. Type 0 stands for a name that exists without a record of its own.
"""

import ipaddress
import json
import re
import struct

A, NS, SOA, PTR, TXT, AAAA, SRV = 1, 2, 6, 12, 16, 28, 33


ZONE = b"\6empusa\10internal\0"


def wire(*labels):
    """Labels below the zone."""
    return b"".join(bytes([len(label)]) + label for label in labels) + ZONE


META = wire(b"_services", b"_dns-sd", b"_udp")


def fnv1a(octets):
    value = 0x811C9DC5
    for octet in octets:
        value = (value ^ octet) * 0x01000193 & 0xFFFFFFFF
    return b"%08x" % value


def fold_type(kind):
    """(label, base, protocol that the type's own name says or None) of a type."""
    base, protocol = kind, None
    found = re.fullmatch(rb"(.+)\.(_tcp|_udp)", kind, re.IGNORECASE | re.DOTALL)
    if found:
        base, protocol = found.group(1), found.group(2).lower()
    base = base[1:] if base.startswith(b"_") else base
    folded = base.lower().replace(b"_", b"-")
    if re.fullmatch(rb"[a-z0-9]([a-z0-9-]{0,60}[a-z0-9])?", folded):
        return b"_" + folded, base, protocol
    short = re.sub(rb"[^a-z0-9]+", b"-", base.lower()).strip(b"-")[:6].strip(b"-") or b"x"
    if not re.search(rb"[a-z]", short):
        short = (b"x" + short)[:6]
    return b"_" + short + b"-" + fnv1a(base), base, protocol


def string(octets):
    return bytes([len(octets[:255])]) + octets[:255]


class Entry:
    """A service: what its value says, and its records."""

    __slots__ = ("value", "lease", "records")

    def __init__(self, kind, name, fields, lease=None):
        """fields: location and whatever else the JSON may have; location alone is plain text."""
        self.lease = lease
        self.value = (json.dumps(fields, separators=(",", ":"), ensure_ascii=False) if len(fields) > 1
                      else fields["location"]).encode()
        self.records = frozenset(service_records(kind, name, fields))


class Switch:
    """`path` is below <root>/switch/."""

    __slots__ = ("value", "lease", "records")

    def __init__(self, path, value, lease=None):
        self.value, self.lease = value, lease
        labels = [b"switch", *path.lower().split(b"/")]
        made = {(wire(*labels[i:0:-1], b"switch"), 0, b"") for i in range(1, len(labels))}
        data = b"".join(string(value[i:i + 255]) for i in range(0, len(value), 255)) or b"\0"
        self.records = frozenset(made | {(wire(*labels[::-1]), TXT, data)})


def target_of(host):
    """(the SRV's target, type of its address, the address) for a host that is an address."""
    address = ipaddress.ip_address(host.strip("[]"))
    if address.version == 4:
        return wire(str(address).replace(".", "-").encode(), b"addr"), A, address.packed
    groups = "-".join(f"{int(group, 16):x}" for group in address.exploded.split(":"))
    return wire(groups.encode(), b"addr"), AAAA, address.packed


def service_records(kind, name, fields):
    label, base, protocol = fold_type(kind)
    protocol = protocol or b"_" + fields.get("protocol", "tcp").encode()
    host, port = fields["location"].rsplit(":", 1)
    target, address_type, address = target_of(host)
    weight = 0 if fields.get("state") == "draining" else fields.get("weight", 1)
    srv = struct.pack("!HHH", fields.get("priority", 0), weight, int(port)) + target

    type_name = wire(label, protocol)
    own_name = wire(name, label, protocol).lower()
    pairs = sorted(key.encode() if value is True else f"{key}={value}".encode()
                   for key, value in fields.get("txt", {}).items())
    told = pairs if base.lower() == label[1:] else sorted([*pairs, b"type=" + base])
    yield META, PTR, type_name
    yield type_name, PTR, own_name
    yield type_name, SRV, srv
    yield type_name, TXT, b"".join(map(string, (b"name=" + name, b"location=" + fields["location"].encode(), *pairs)))
    yield own_name, SRV, srv
    yield own_name, TXT, b"".join(map(string, told)) or b"\0"
    yield target, address_type, address
    view = wire(label[1:], b"service")
    yield view, SRV, srv
    yield view, address_type, address
    if re.fullmatch(rb"[a-z0-9-]+", name.lower()):
        own_view = wire(name.lower(), label[1:], b"service")
        yield own_view, SRV, srv
        yield own_view, address_type, address
    for subtype in fields.get("subtypes", ()):
        yield wire(b"_sub", label, protocol), 0, b""
        yield wire(b"_" + subtype.encode().lower(), b"_sub", label, protocol), PTR, own_name


def fixed_records():
    """What the zone has by itself, but for its SOA."""
    yield ZONE, NS, wire(b"ns")
    yield wire(b"ns"), A, bytes([127, 0, 0, 1])
    for label in (b"b", b"db", b"lb"):
        yield wire(label, b"_dns-sd", b"_udp"), PTR, ZONE
    for labels in ((b"_tcp",), (b"_udp",), (b"_dns-sd", b"_udp"), (b"addr",), (b"service",), (b"switch",), (b"host",)):
        yield wire(*labels), 0, b""


# messages

def read_name(octets, at):
    """(the name in lower case, where what follows it begins)"""
    name, end = b"", None
    while True:
        length = octets[at]
        if length >= 0xC0:
            end = end or at + 2
            at = (length & 0x3F) << 8 | octets[at + 1]
        elif length == 0:
            return (name + b"\0").lower(), end or at + 1
        else:
            name += octets[at:at + 1 + length]
            at += 1 + length


class Message:
    """A reply, read once: its records as above, and what its header says."""

    __slots__ = ("rcode", "is_truncated", "question", "answer", "serial", "additional", "is_stale", "ede", "max_ttl",
                 "identity")

    def __init__(self, octets):
        self.identity, flags, questions, *counts = struct.unpack("!HHHHHH", octets[:12])
        self.rcode, self.is_truncated = flags & 15, bool(flags & 0x200)
        self.ede, self.serial, self.max_ttl, at = None, None, 0, 12
        self.question = None
        if questions:
            self.question, at = read_name(octets, 12)
            at += 4
        self.answer, at = self._section(octets, at, counts[0])
        _, at = self._section(octets, at, counts[1])
        self.additional, at = self._section(octets, at, counts[2])
        self.is_stale = self.ede == 3

    def _section(self, octets, at, count):
        records = []
        for _ in range(count):
            if self.question and octets[at] == 0xC0 and octets[at + 1] == 12:
                owner, at = self.question, at + 2
            else:
                owner, at = read_name(octets, at)
            kind, _, ttl, length = struct.unpack("!HHIH", octets[at:at + 10])
            at += 10
            end = at + length
            if kind == 41:
                self._options(octets[at:end])
            else:
                self.max_ttl = max(self.max_ttl, ttl)
                records.append((owner, kind, self._data(octets, kind, at, end)))
            at = end
        return records, at

    def _data(self, octets, kind, at, end):
        if kind in (PTR, NS):
            return read_name(octets, at)[0]
        if kind == SRV:
            return octets[at:at + 6] + read_name(octets, at + 6)[0]
        if kind == SOA:
            self.serial = struct.unpack("!I", octets[end - 20:end - 16])[0]
            return b""
        return octets[at:end]

    def _options(self, octets):
        at = 0
        while at + 4 <= len(octets):
            code, length = struct.unpack("!HH", octets[at:at + 4])
            if code == 15 and length >= 2:
                self.ede = struct.unpack("!H", octets[at + 4:at + 6])[0]
            at += 4 + length


OPT = b"\0" + struct.pack("!HHBBHH", 41, 1232, 0, 0, 0, 0)


def query(identity, name, kind):
    """With an OPT record, so that an answer says when it is stale."""
    return struct.pack("!HHHHHH", identity, 0, 1, 0, 0, 1) + name + struct.pack("!HH", kind, 1) + OPT
