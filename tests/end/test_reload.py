"""A long random history leads to the same zone as loading its outcome afresh."""

import json
import random
import threading

import pytest

from dns_client import Reply, name_of, query_wire, question
from process import wait_until

TYPES = ["web", "WEB", "_web._tcp", "web._udp", "my_type", "my-type", "My.Odd Type!", "dns-sd", "x" * 70]
NAMES = ["a", "A", "b", "c.d", "e/f", "é x", "*", "~", "y" * 80, "n1", "n2", "n3", "n4", "n5", "n6", "n7"]
HOSTS = ["10.0.0.1", "10.0.0.2", "[fd00::1]", "[::ffff:10.0.0.1]", "baz", "BAZ", "qux", "nohost", "web.example.com",
         "Web.Example.com.", "1.2.3", "bad host"]
LABELS = ["_web._tcp", "_web._udp", "_my-type._tcp", "_my-type._udp", "_my-odd-d5bbdd5b._tcp", "_my-odd-d5bbdd5b._udp"]
SWITCHES = ["a", "a/b", "a/b/c", "A/b", "x/y", "*", "z" * 64]
OPTIONS = ["--host", "baz=10.9.8.7", "--host", "baz=fd00::7", "--host", "qux=10.9.8.8", "--record-ttl", "60"]


def value():
    location = f"{random.choice(HOSTS)}:{random.choice([80, 81, 443, 0])}"
    if random.random() < 0.5:
        return location
    entry = {"location": location}
    for member, choices in (("protocol", ["tcp", "udp", "sctp"]), ("priority", [0, 5, 70000]), ("weight", [0, 1, 9]),
                            ("txt", [{}, {"k": "v"}, {"a": True, "b": ""}, 5]), ("state", ["up", "draining"]),
                            ("subtypes", [[], ["printer"], ["printer", "scanner"], "x"])):
        if random.random() < 0.4:
            entry[member] = random.choice(choices)
    return json.dumps(entry)


def change(registry, leases):
    """One random step."""
    if random.random() < 0.2:
        key, text = registry.key("switch", random.choice(SWITCHES)), random.choice(["on", "", "x" * 300, "x" * 17000])
    else:
        key, text = registry.service_key(random.choice(TYPES), random.choice(NAMES)), value()
    if random.random() < 0.35:
        registry.etcd.delete(key)
    else:
        registry.etcd.put(key, text, random.choice([0, 0, 0, *leases]))


def view(dns, instances):
    """All that can be asked: {(name, type): (rcode, records)}."""
    asked = {}
    for label in LABELS:
        views = [label, f"_printer._sub.{label}", f"_scanner._sub.{label}", f"_sub.{label}", label.split(".")[0][1:] + ".service"]
        asked.update({(name_of(name), kind): None for name in views for kind in ("PTR", "SRV", "TXT", "A", "AAAA")})
    for instance in instances:
        asked.update({(instance, kind): None for kind in ("SRV", "TXT")})
    for name in ("a", "b", "n1", "n2", "n3"):
        for kind in ("web", "my-type", "my-odd-d5bbdd5b"):
            asked.update({(name_of(f"{name}.{kind}.service"), rdtype): None for rdtype in ("A", "AAAA", "SRV")})
    for name in ("10-0-0-1.addr", "10-0-0-2.addr", "fd00-0-0-0-0-0-0-1.addr", "baz.host", "qux.host", "nohost.host",
                 "addr", "host", "switch", "a.switch", "b.a.switch", "c.b.a.switch", "x.switch", "y.x.switch", "_tcp",
                 "_udp", "service", "_services._dns-sd._udp", "_dns-sd._udp"):
        asked.update({(name_of(name), kind): None for kind in ("A", "AAAA", "TXT", "PTR")})
    with dns.connect() as stream:
        for name, kind in asked:
            reply = ask(stream, name, kind)
            # Of two spellings of one target a set holds either: to DNS they are the same record.
            asked[name, kind] = (reply.rcode, sorted(record if record[2] == "TXT" else (*record[:3], record[3].lower())
                                                     for record in reply.records()))
    return asked


def ask(stream, name, kind):
    stream.send(query_wire(question(name, kind)))
    return Reply(stream.receive())


class Reader(threading.Thread):
    """Asks all the time while things change: whatever it is told must be sound."""

    def __init__(self, dns):
        super().__init__(daemon=True)
        self.dns, self.is_over, self.fault, self.count = dns, False, None, 0
        self.random = random.Random(1)

    def run(self):
        try:
            while not self.is_over:
                label = self.random.choice(LABELS)
                name = self.random.choice([label, f"_printer._sub.{label}", label.split(".")[0][1:] + ".service",
                                           f"n1.{label}", "_services._dns-sd._udp", "10-0-0-1.addr", "baz.host"])
                kind = self.random.choice(["PTR", "SRV", "TXT", "A", "ANY"])
                self.check(self.dns.ask(name, kind, edns=self.random.choice([None, 512, 1232, 8192]),
                                        tcp=self.random.random() < 0.5))
                self.count += 1
        except Exception as error:  # pylint: disable=broad-except
            self.fault = error

    @staticmethod
    def check(reply):
        assert reply.rcode in (0, 3)
        records = [(owner.lower(), kind, data if kind == "TXT" else data.lower())
                   for section in ("answer", "authority", "additional") for owner, _, kind, data in reply.records(section)]
        assert len(records) == len(set(records)), records

    def finish(self):
        self.is_over = True
        self.join()
        assert self.fault is None and self.count > 0, self.fault


@pytest.mark.parametrize("steps", [300, pytest.param(6000, marks=pytest.mark.long)])
def test_a_history_and_a_fresh_load_agree(registry, seed, steps):
    leases = [registry.etcd.grant(600), registry.etcd.grant(600, 0x45 << 55 | 20 << 47 | random.randrange(1 << 46))]
    one = registry.serve(*OPTIONS).dns
    reader = Reader(one)
    reader.start()
    for chapter in range(3):
        for _ in range(steps // 3):
            change(registry, leases)
        revision = registry.put_switch("last", str(chapter))
        two = registry.serve(*OPTIONS)
        for dns in (one, two.dns):
            wait_until(lambda: dns.data("last.switch", "TXT") == [f'"{chapter}"'])
        registry.wait_served(one, two.dns)
        assert one.serial() == two.dns.serial() == revision
        instances = {target for label in LABELS for target in one.ask(label, "PTR", tcp=True).names()}
        left, right = view(one, instances), view(two.dns, instances)
        for (name, kind), (rcode, records) in left.items():
            again, fresh = right[name, kind]
            assert (rcode, sorted(set(records) - set(fresh)), sorted(set(fresh) - set(records))) == (again, [], []), (
                name.to_text(), kind)
        assert sum(1 for rcode, _ in left.values() if rcode == 0) > 50
        assert two.stop() == 0
    reader.finish()
    registry.etcd.delete_prefix(registry.root + "/")
    wait_until(lambda: one.ask("_services._dns-sd._udp", "PTR").answer_count == 0)
    registry.wait_served(one)
    emptied = registry.serve(*OPTIONS).dns
    assert view(one, []) == view(emptied, [])
