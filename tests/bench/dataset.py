"""The registry that all servers are measured with: instances, their keys, the zone, the queries.

Everything follows from a seed. N instances over T large types, and 32 small types of 10 for the questions
about a whole type. Instance i is `inst-%06d` of `svc-%04d`, at an IPv4 address and port that no other has.
"""
import json
import random
import struct

DOMAIN = "empusa.internal"
ROOT = "/bench"
SMALL_TYPES, SMALL_SIZE = 32, 10
SIZES = {"1k": (1_000, 10), "100k": (100_000, 1_000), "1m": (1_000_000, 1_000)}
CHANGES = 20_000  # entries changed in one pass of micro.c
TYPE_A, TYPE_SOA, TYPE_PTR, TYPE_TXT, TYPE_SRV = 1, 6, 12, 16, 33
# kind of query: its share of the mix in percent
MIX = {"srv": 50, "txt": 20, "a": 15, "ptr": 5, "type-srv": 5, "missing": 5}


def wire_name(*labels):
    parts = [label for part in labels for label in part.split(".")]
    return b"".join(bytes([len(part)]) + part.encode() for part in parts) + b"\0"


def packet(name, qtype, message_id=0):
    """A query with EDNS, 1232 octets. `name` in wire form."""
    return (struct.pack("!6H", message_id, 0, 1, 0, 0, 1) + name + struct.pack("!2H", qtype, 1)
            + struct.pack("!BHHIH", 0, 41, 1232, 0, 0))


class Dataset:
    def __init__(self, size, seed):
        self.size, self.types = SIZES[size]
        self.label, self.seed = size, seed
        # An odd factor permutes the numbers below 2^24: all addresses are distinct.
        self.factor = random.Random(seed).randrange(1, 1 << 24) | 1

    def instance(self, i):
        """(type, name, address as four numbers, port) of instance i."""
        large = self.small()[0]
        kind = i % self.types if i < large else self.types + (i - large) // SMALL_SIZE
        address = (i * self.factor + self.seed) & 0xFFFFFF
        return (f"svc-{kind:04d}", f"inst-{i:06d}",
                f"10.{address >> 16}.{address >> 8 & 255}.{address & 255}", self.port(i))

    def port(self, i, change=0):
        """The port of instance i after so many changes: always another one."""
        return 1024 + (i * 7 + change) % 60000

    def entry(self, i, change=0):
        """Key and value in etcd."""
        kind, name, address, _ = self.instance(i)
        return f"{ROOT}/service/{kind}/{name}", f"{address}:{self.port(i, change)}"

    def small(self):
        """The numbers of the instances of small types."""
        return range(self.size - SMALL_TYPES * SMALL_SIZE, self.size)

    def write_keys(self, path):
        """For micro.c: what follows the root, a tab, the value."""
        self.write_lines(path, (self.entry(i) for i in range(self.size)))

    def write_changes(self, path):
        """For micro.c: other values of random instances, then yet others of the same."""
        chosen = random.Random(self.seed).sample(range(self.size), min(self.size, CHANGES))
        self.write_lines(path, (self.entry(i, change) for change in (1, 2) for i in chosen))

    @staticmethod
    def write_lines(path, entries):
        with open(path, "w", encoding="ascii") as out:
            out.writelines(f"{key[len(ROOT):]}\t{value}\n" for key, value in entries)

    def write_list(self, path):
        """What `empusa service list --format json` says."""
        with open(path, "w", encoding="ascii") as out:
            for i in range(self.size):
                key, location = self.entry(i)
                out.write(("," if i else "[") + json.dumps({"service": key, "location": location, "ttl": None}) + "\n")
            out.write("]\n")

    def write_zone(self, path):
        """What `empusa zone` says, for the servers that read master files."""
        types = self.types + SMALL_TYPES
        with open(path, "w", encoding="ascii") as out:
            out.write(f"$ORIGIN {DOMAIN}.\n$TTL 10\n"
                      f"@ 60 SOA ns hostmaster 1 60 20 604800 5\n@ 3600 NS ns\nns 3600 A 127.0.0.1\n")
            for name in ("b", "db", "lb"):
                out.write(f"{name}._dns-sd._udp 3600 PTR @\n")
            for kind in range(types):
                out.write(f"_services._dns-sd._udp PTR _svc-{kind:04d}._tcp\n")
            for kind in range(types):
                out.writelines(self.records(kind))

    def members(self, kind):
        """The numbers of the instances of a type."""
        if kind >= self.types:
            first = self.small()[0] + (kind - self.types) * SMALL_SIZE
            return range(first, first + SMALL_SIZE)
        return range(kind, self.small()[0], self.types)

    def records(self, kind):
        """The lines of a type, sets together: scattered ones cost NSD many times the memory."""
        of_type, view = f"_svc-{kind:04d}._tcp", f"svc-{kind:04d}.service"
        rows = []
        for i in self.members(kind):
            _, name, address, port = self.instance(i)
            target = address.replace(".", "-") + ".addr"
            rows.append((name, address, port, target, f"SRV 0 1 {port} {target}"))
        for name, *_ in rows:
            yield f"{of_type} PTR {name}.{of_type}\n"
        for *_, srv in rows:
            yield f"{of_type} {srv}\n"
        for name, address, port, *_ in rows:
            yield f'{of_type} TXT "name={name}" "location={address}:{port}"\n'
        for _, address, *_ in rows:
            yield f"{view} A {address}\n"
        for *_, srv in rows:
            yield f"{view} {srv}\n"
        for name, address, _, target, srv in rows:
            yield (f'{name}.{of_type} {srv}\n{name}.{of_type} TXT ""\n{target} A {address}\n'
                   f"{name}.{view} A {address}\n{name}.{view} {srv}\n")

    def query(self, kind, rng):
        """A random query of a kind of MIX: (name in wire form, type)."""
        if kind in ("ptr", "type-srv"):
            of_type = self.instance(rng.choice(self.small()))[0]
            return wire_name(f"_{of_type}._tcp", DOMAIN), TYPE_PTR if kind == "ptr" else TYPE_SRV
        of_type, name, address, _ = self.instance(rng.randrange(self.size))
        if kind == "a":
            return wire_name(address.replace(".", "-") + ".addr", DOMAIN), TYPE_A
        if kind == "missing":
            name = name.replace("inst", "gone")
        return (wire_name(name, f"_{of_type}._tcp", DOMAIN), TYPE_TXT if kind == "txt" else TYPE_SRV)

    def write_queries(self, path, kinds=None):
        """Prebuilt queries for load.c: enough that even a large zone does not fit the caches."""
        rng = random.Random(self.seed)
        count = min(max(2 * self.size, 1 << 14), 1 << 19)
        kinds = kinds or list(MIX)
        choice = rng.choices(kinds, [MIX[kind] for kind in kinds], k=count)
        with open(path, "wb") as out:
            for kind in choice:
                query = packet(*self.query(kind, rng))
                out.write(struct.pack("!H", len(query)) + query)
