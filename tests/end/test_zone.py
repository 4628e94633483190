"""From registry entry to DNS name: the worked example, every mapping rule, what cannot be served."""

import json
import os
import re
import subprocess

import pytest

from dns_client import EDE_NOT_AUTHORITATIVE, ZONE, name_of
from name_server import with_files
from process import wait_until
from server import run


def fnv1a(octets):
    value = 0x811C9DC5
    for octet in octets:
        value = (value ^ octet) * 0x01000193 & 0xFFFFFFFF
    return f"{value:08x}"


def txt(*strings):
    return " ".join(f'"{string}"' for string in strings)


def labels(name):
    return list(name.labels)


# the worked example

HOSTS = ("--host", "baz=10.9.8.7")
EXAMPLE = """
                                              SOA  ns.empusa.internal. hostmaster.empusa.internal. SERIAL 60 20 604800 5  60
                                              NS   ns.empusa.internal.                              3600
ns                                            A    127.0.0.1                                        3600
b._dns-sd._udp                                PTR  empusa.internal.                                 3600
db._dns-sd._udp                               PTR  empusa.internal.                                 3600
lb._dns-sd._udp                               PTR  empusa.internal.                                 3600
_services._dns-sd._udp                        PTR  _dummy-type._tcp.empusa.internal.                10
_dummy-type._tcp                              PTR  dummy-service-1._dummy-type._tcp.empusa.internal. 10
_dummy-type._tcp                              PTR  dummy-service-2._dummy-type._tcp.empusa.internal. 10
_dummy-type._tcp                              PTR  dummy-service-3._dummy-type._tcp.empusa.internal. 10
_dummy-type._tcp                              SRV  0 1 1235 baz.host.empusa.internal.               10
_dummy-type._tcp                              SRV  0 1 80 10-1-2-3.addr.empusa.internal.            10
_dummy-type._tcp                              SRV  0 1 8080 fd00-0-0-0-0-0-0-1.addr.empusa.internal. 10
_dummy-type._tcp                              TXT  "name=dummy-service-1" "location=baz:1235"       10
_dummy-type._tcp                              TXT  "name=dummy-service-2" "location=10.1.2.3:80"    10
_dummy-type._tcp                              TXT  "name=dummy-service-3" "location=[fd00::1]:8080" 10
dummy-service-1._dummy-type._tcp              SRV  0 1 1235 baz.host.empusa.internal.               10
dummy-service-1._dummy-type._tcp              TXT  ""                                               10
dummy-service-2._dummy-type._tcp              SRV  0 1 80 10-1-2-3.addr.empusa.internal.            10
dummy-service-2._dummy-type._tcp              TXT  ""                                               10
dummy-service-3._dummy-type._tcp              SRV  0 1 8080 fd00-0-0-0-0-0-0-1.addr.empusa.internal. 10
dummy-service-3._dummy-type._tcp              TXT  ""                                               10
10-1-2-3.addr                                 A    10.1.2.3                                         10
fd00-0-0-0-0-0-0-1.addr                       AAAA fd00::1                                          10
baz.host                                      A    10.9.8.7                                         10
dummy-type.service                            A    10.1.2.3                                         10
dummy-type.service                            A    10.9.8.7                                         10
dummy-type.service                            AAAA fd00::1                                          10
dummy-type.service                            SRV  0 1 1235 baz.host.empusa.internal.               10
dummy-type.service                            SRV  0 1 80 10-1-2-3.addr.empusa.internal.            10
dummy-type.service                            SRV  0 1 8080 fd00-0-0-0-0-0-0-1.addr.empusa.internal. 10
dummy-service-1.dummy-type.service            A    10.9.8.7                                         10
dummy-service-1.dummy-type.service            SRV  0 1 1235 baz.host.empusa.internal.               10
dummy-service-2.dummy-type.service            A    10.1.2.3                                         10
dummy-service-2.dummy-type.service            SRV  0 1 80 10-1-2-3.addr.empusa.internal.            10
dummy-service-3.dummy-type.service            AAAA fd00::1                                          10
dummy-service-3.dummy-type.service            SRV  0 1 8080 fd00-0-0-0-0-0-0-1.addr.empusa.internal. 10
super-cool-feature.features.switch            TXT  "enabled"                                        10
"""


def example_sets():
    """{(name, type): ([data], ttl)} of the example."""
    sets = {}
    for line in EXAMPLE.strip("\n").splitlines():
        name, kind, data, ttl = re.fullmatch(r"(\S*)\s+(\S+)\s+(.*\S)\s+(\d+)", line).groups()
        sets.setdefault((name, kind), ([], int(ttl)))[0].append(data)
    return sets


def fill_example(registry):
    registry.put("dummy-type", "dummy-service-1", "baz:1235")
    registry.put("dummy-type", "dummy-service-2", "10.1.2.3:80")
    registry.put("dummy-type", "dummy-service-3", "[fd00::1]:8080")
    return registry.put_switch("features/super-cool-feature", "enabled")


@pytest.fixture(scope="module")
def example(module_registry):
    revision = fill_example(module_registry)
    server = module_registry.serve(*HOSTS)
    server.revision = revision
    return server


def test_the_server_says_what_it_serves(example):
    assert re.fullmatch(rf"INFO:root:serving empusa\.internal on 127\.0\.0\.1:{example.port}: 3 services, 1 switches, "
                        r"revision \d+", example.serving), example.serving
    assert int(example.serving.split()[-1]) >= example.revision


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("key,expected", example_sets().items(), ids=lambda value: " ".join(map(str, value[0:2])))
def test_every_record_of_the_example_is_served(example, key, expected, tcp):
    (name, kind), (data, ttl) = key, expected
    reply = example.dns.ask(name, kind, tcp=tcp, edns=1232)
    owner = name_of(name).to_text()
    serial = str(reply.soa[0].serial) if kind == "SOA" else ""
    assert reply.has("AA") and reply.rcode == 0
    assert sorted(reply.records()) == sorted(
        (owner, ttl, kind, item.replace("SERIAL", serial)) for item in data)


def test_the_serial_is_the_revision(example):
    assert example.dns.serial() == int(example.serving.split()[-1]) & 0xFFFFFFFF


def test_every_letter_case_finds_the_same(example):
    for (name, kind), (data, _) in example_sets().items():
        if kind != "SOA":
            reply = example.dns.ask(name.upper(), kind, tcp=True)
            assert reply.data() == sorted(data) and {record[0] for record in reply.records()} == {
                name_of(name.upper()).to_text()}


@pytest.mark.parametrize("name", ["_tcp", "_udp", "_dns-sd._udp", "addr", "switch", "service", "host",
                                  "features.switch"])
@pytest.mark.parametrize("kind", ["A", "TXT", "PTR"])
def test_an_empty_non_terminal_is_nodata(example, name, kind):
    assert example.dns.ask(name, kind).is_nodata()


@pytest.mark.parametrize("name,kind", [("dummy-service-1._dummy-type._tcp", "A"), ("_dummy-type._tcp", "A"),
                                       ("10-1-2-3.addr", "AAAA"), ("fd00-0-0-0-0-0-0-1.addr", "A"),
                                       ("baz.host", "AAAA"), ("ns", "AAAA"), ("ns", "TXT"), ("", "A"), ("", "DS"),
                                       ("super-cool-feature.features.switch", "A"),
                                       ("dummy-service-2.dummy-type.service", "AAAA"),
                                       ("dummy-type.service", "TXT"), ("_services._dns-sd._udp", "SRV")])
def test_a_name_without_the_type_is_nodata(example, name, kind):
    reply = example.dns.ask(name, kind)
    assert reply.is_nodata() and reply.soa.ttl == 5


@pytest.mark.parametrize("name", [
    "nosuch", "nosuch._tcp", "nosuch._dummy-type._tcp", "_dummy-type._udp", "_nosuch._tcp", "10-1-2-4.addr",
    "10.1.2.3.addr", "fd00--1.addr", "nosuch.host", "nosuch.service", "nosuch.dummy-type.service", "nosuch.switch",
    "nosuch.features.switch", "features.super-cool-feature.switch", "_sub._dummy-type._tcp", "r._dns-sd._udp",
    "dr._dns-sd._udp", "nosuch._dns-sd._udp", "x.10-1-2-3.addr", "x.baz.host", "x.ns",
    "x.super-cool-feature.features.switch", "x.dummy-service-1.dummy-type.service",
    "x.dummy-service-1._dummy-type._tcp", "x.b._dns-sd._udp", "x._services._dns-sd._udp", "*", "*._tcp",
    "*._dummy-type._tcp", "*.addr", "dummy-type._tcp", "_dummy-type.service"])
def test_a_missing_name_is_nxdomain(example, name):
    for kind in ("A", "SRV"):
        reply = example.dns.ask(name, kind)
        assert reply.is_nxdomain(), (name, reply.message)
        assert reply.soa.ttl == 5 and reply.authority_count == 1


@pytest.mark.parametrize("name", ["example.com.", ".", "internal.", "xempusa.internal.", "empusa.internal.example.",
                                  "_tcp.", "_udp.", "_dummy-type._sctp.", "tcp."])
def test_a_name_outside_is_refused(example, name):
    reply = example.dns.ask(name, "SRV", edns=1232)
    assert reply.rcode == 5 and not reply.has("AA") and reply.ede == EDE_NOT_AUTHORITATIVE
    assert reply.answer_count == reply.authority_count == 0


@pytest.mark.parametrize("name,kind", [key for key in example_sets() if key[0].endswith(("_tcp", "_udp"))])
def test_a_short_name_is_answered_as_if_the_zones_followed(example, name, kind):
    long, short = example.dns.ask(name, kind, tcp=True), example.dns.ask(name + ".", kind, tcp=True)
    assert short.has("AA") and short.rcode == 0
    assert short.data() == long.data() and short.ttls() == long.ttls()
    assert {record[0] for record in short.records()} == {name + "."}
    assert example.dns.ask(name.upper() + ".", kind, tcp=True).data() == long.data()


def test_a_negative_answer_to_a_short_name_has_no_soa(example):
    for name, rcode in (("_nosuch._tcp.", 3), ("_dummy-type._tcp.", 0), ("x._dummy-type._tcp.", 3)):
        reply = example.dns.ask(name, "A")
        assert reply.rcode == rcode and reply.has("AA")
        assert reply.answer_count == reply.authority_count == 0


def test_dig_sees_the_example(example):
    out = subprocess.run(["dig", "@127.0.0.1", "-p", str(example.port), "+short", "_dummy-type._tcp", "SRV"],
                         capture_output=True, text=True, timeout=30, check=True).stdout
    assert sorted(out.split("\n")) == ["", "0 1 1235 baz.host.empusa.internal.",
                                       "0 1 80 10-1-2-3.addr.empusa.internal.",
                                       "0 1 8080 fd00-0-0-0-0-0-0-1.addr.empusa.internal."]


# types

TYPES = [  # type, label, base if it differs by more than case
    ("ipp._tcp", "_ipp._tcp", None),
    ("_ipp", "_ipp._tcp", None),
    ("IPP", "_ipp._tcp", None),
    ("_Ipp._TCP", "_ipp._tcp", None),
    ("dns._udp", "_dns._udp", None),
    ("DNS._Udp", "_dns._udp", None),
    ("my_type", "_my-type._tcp", "my_type"),
    ("My.Odd Type!", "_my-odd-d5bbdd5b._tcp", "My.Odd Type!"),
    ("ab.cd.ef", "_ab-cd-d0ed8e68._tcp", "ab.cd.ef"),
    ("12.34", "_x12-34-d623125b._tcp", "12.34"),
    ("123", "_123._tcp", None),
    ("a", "_a._tcp", None),
    ("double--hyphen", "_double--hyphen._tcp", None),
    ("a" * 62, "_" + "a" * 62 + "._tcp", None),
    ("a" * 63, "_aaaaaa-" + fnv1a(b"a" * 63) + "._tcp", "a" * 63),
    ("-x-", "_x-" + fnv1a(b"-x-") + "._tcp", "-x-"),
    ("---", "_x-" + fnv1a(b"---") + "._tcp", "---"),
    ("__ipp", "_ipp-" + fnv1a(b"_ipp") + "._tcp", "_ipp"),
    ("ipp_", "_ipp-" + fnv1a(b"ipp_") + "._tcp", "ipp_"),
    ("1234567.8", "_x12345-" + fnv1a(b"1234567.8") + "._tcp", "1234567.8"),
    ("abcde.fgh", "_abcde-" + fnv1a(b"abcde.fgh") + "._tcp", "abcde.fgh"),
    ("a.b._udp", "_a-b-" + fnv1a(b"a.b") + "._udp", "a.b"),
    ("ipp._sctp", "_ipp-sc-" + fnv1a(b"ipp._sctp") + "._tcp", "ipp._sctp"),
    ("ipp.tcp", "_ipp-tc-" + fnv1a(b"ipp.tcp") + "._tcp", "ipp.tcp"),
]


@pytest.mark.parametrize("kind,label,base", TYPES, ids=[row[0][:20] for row in TYPES])
def test_a_type_becomes_a_label(registry, kind, label, base):
    registry.put(kind, "n", "10.0.0.1:80")
    dns = registry.serve().dns
    view = label.split(".")[0][1:]
    assert dns.data("_services._dns-sd._udp", "PTR") == [f"{label}.{ZONE}"]
    assert dns.data(label, "PTR") == [f"n.{label}.{ZONE}"]
    assert dns.data(f"n.{label}", "SRV") == ["0 1 80 10-0-0-1.addr.empusa.internal."]
    assert dns.data(f"n.{label}", "TXT") == [txt("" if base is None else f"type={base}")]
    assert dns.data(f"{view}.service", "A") == dns.data(f"n.{view}.service", "A") == ["10.0.0.1"]


def test_a_type_of_utf8_becomes_a_label(registry):
    registry.put("Drück dienst", "n", "10.0.0.1:80")
    label = "_dr-ck-" + fnv1a("Drück dienst".encode()) + "._tcp"
    assert registry.serve().dns.data("_services._dns-sd._udp", "PTR") == [f"{label}.{ZONE}"]


def test_the_suffix_of_a_type_wins_over_the_entrys_protocol(registry):
    registry.put("a", "n", '{"location":"10.0.0.1:1","protocol":"udp"}')
    registry.put("b._tcp", "n", '{"location":"10.0.0.1:1","protocol":"udp"}')
    registry.put("c", "n", '{"location":"10.0.0.1:1","protocol":"tcp"}')
    assert registry.serve().dns.data("_services._dns-sd._udp", "PTR") == [
        f"{label}.{ZONE}" for label in ("_a._udp", "_b._tcp", "_c._tcp")]


def test_the_host_view_joins_tcp_and_udp(registry):
    registry.put("dns._tcp", "n", "10.0.0.1:53")
    registry.put("dns._udp", "n", "10.0.0.2:53")
    dns = registry.serve().dns
    assert dns.data("dns.service", "A") == ["10.0.0.1", "10.0.0.2"]
    assert len(dns.data("dns.service", "SRV")) == 2
    assert dns.data("_dns._udp", "SRV") == ["0 1 53 10-0-0-2.addr.empusa.internal."]


def test_the_type_dns_sd_is_not_published(registry):
    for kind in ("dns-sd", "_dns-sd._udp", "DNS-SD", "dns_sd"):
        registry.put(kind, "b", "10.0.0.1:1")
    registry.put("t", "n", "10.0.0.1:1")
    dns = registry.serve().dns
    assert dns.data("b._dns-sd._udp", "PTR") == [ZONE]
    assert dns.data("_services._dns-sd._udp", "PTR") == [f"_t._tcp.{ZONE}"]
    assert dns.ask("_dns-sd._tcp", "PTR").is_nxdomain() and dns.ask("dns-sd.service", "A").is_nxdomain()


# instances

def instance(name):
    """The label of an instance, by the design's words."""
    if len(name) <= 63 and not any(c < 32 or c == 127 for c in name) and name != b"*":
        return name
    end = min(len(name), 54)
    while end > 51 and end < len(name) and name[end] & 0xC0 == 0x80:
        end -= 1
    return bytes(63 if c < 32 or c == 127 else c for c in name[:end]) + b"~" + fnv1a(name).encode()


NAMES = ["plain", "MiXeD", "Étage 2. Bureau A", "a/b", "a/b/c d", "two words", "dot.ted", ".", "..", "back\\slash",
         '"quoted"', "under_score", "-", "trailing ", " leading", "@", "~", "**", "*.x", "*", "日本語", "x" * 62, "x" * 63,
         "x" * 64, "x" * 200, "é" * 31 + "x", "é" * 32, "x" + "é" * 40, "日" * 21, "日" * 22, "x" + "日" * 25, "xx" + "日" * 25,
         "😀" * 16, "x" + "😀" * 16, "xx" + "😀" * 16, "xxx" + "😀" * 16, "a\tb", "\x7f", "\x01" * 63, "a\x00b", "\u0085",
         b"\xff", b"\x80" * 70, b"\xff\xfe." + b"\xc3" * 60, b"x" * 53 + b"\x80\x80\x80\x80\x80" + b"y" * 20]


def test_an_instance_is_one_label_with_its_octets(registry):
    names = [name if isinstance(name, bytes) else name.encode() for name in NAMES]
    registry.etcd.put_many((registry.service_key("t", name), f"10.0.0.1:{i + 1}") for i, name in enumerate(names))
    dns = registry.serve().dns
    expected = {instance(name): i + 1 for i, name in enumerate(names)}
    seen = {labels(name)[0] for name in dns.ask("_t._tcp", "PTR", tcp=True).names()}
    # Letter case apart, all of these are different names.
    assert seen == set(expected)
    for label, port in expected.items():
        owner = name_of([label, "_t", "_tcp"])
        assert dns.data(owner, "SRV") == [f"0 1 {port} 10-0-0-1.addr.empusa.internal."], label
        assert dns.data(owner, "TXT") == ['""'], label
    names_in_txt = {rdata.strings[0] for rrset in dns.ask("_t._tcp", "TXT", tcp=True).message.answer
                    for rdata in rrset}
    assert names_in_txt == {b"name=" + name for name in names}
    for label in expected:
        if not label.startswith(b"-"):  # letters, digits, hyphens, but no host name
            is_ldh = re.fullmatch(rb"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?", label)
            reply = dns.ask(name_of([label, "t", "service"]), "A")
            assert reply.data() == ["10.0.0.1"] if is_ldh else reply.is_nxdomain(), label


def test_a_dot_in_a_name_makes_no_further_label(registry):
    registry.put("t", "a.b", "10.0.0.1:1")
    dns = registry.serve().dns
    assert dns.data(name_of([b"a.b", "_t", "_tcp"]), "SRV") and dns.ask("a.b._t._tcp", "SRV").is_nxdomain()


# locations and targets

TARGETS = [  # location, target, type and data of its address
    ("10.1.2.3:80", "10-1-2-3.addr.empusa.internal.", ("A", "10.1.2.3")),
    ("0.0.0.0:80", "0-0-0-0.addr.empusa.internal.", ("A", "0.0.0.0")),
    ("[fd00::1]:80", "fd00-0-0-0-0-0-0-1.addr.empusa.internal.", ("AAAA", "fd00::1")),
    ("[FD00::ABCD]:80", "fd00-0-0-0-0-0-0-abcd.addr.empusa.internal.", ("AAAA", "fd00::abcd")),
    ("[::]:80", "0-0-0-0-0-0-0-0.addr.empusa.internal.", ("AAAA", "::")),
    ("[2001:db8:0:1::10]:80", "2001-db8-0-1-0-0-0-10.addr.empusa.internal.", ("AAAA", "2001:db8:0:1::10")),
    ("[::ffff:10.1.2.3]:80", "10-1-2-3.addr.empusa.internal.", ("A", "10.1.2.3")),
    ("web.example.com:80", "web.example.com.", None),
    ("Web.Example.COM.:80", "Web.Example.COM.", None),
    ("dotless.:80", "dotless.", None),
    ("nohost:80", "nohost.host.empusa.internal.", None),
    ("baz:80", "baz.host.empusa.internal.", ("A", "10.9.8.7")),
    ("baz:80", "baz.host.empusa.internal.", ("AAAA", "fd00::99")),
]


@pytest.fixture(scope="module")
def targets(module_registry):
    for i, (location, _, _) in enumerate(TARGETS):
        module_registry.put("target", f"n{i}", location)
    return module_registry.serve(*HOSTS, "--host", "baz=fd00::99")


@pytest.mark.parametrize("i,target,address", [(i, *row[1:]) for i, row in enumerate(TARGETS)],
                         ids=[row[0] for row in TARGETS])
def test_a_location_becomes_a_target(targets, i, target, address):
    assert targets.dns.ask(f"n{i}._target._tcp", "SRV", tcp=True).data() == [f"0 1 80 {target}"]
    if address:
        assert targets.dns.data(name_of(target), address[0]) == [address[1]]


def test_a_host_without_an_address_is_nodata(targets):
    for kind in ("A", "AAAA", "TXT"):
        assert targets.dns.ask("nohost.host", kind).is_nodata()
    assert targets.dns.ask("other.host", "A").is_nxdomain()


def test_two_spellings_of_an_address_are_one(targets):
    assert targets.dns.data("10-1-2-3.addr", "A") == ["10.1.2.3"]
    assert targets.dns.ask("0-0-0-0-0-ffff-a01-203.addr", "AAAA").is_nxdomain()


def test_a_host_domain_may_be_elsewhere(registry):
    registry.put("t", "n", "baz:80")
    dns = registry.serve("--host-domain", "example.net", *HOSTS).dns
    assert dns.data("n._t._tcp", "SRV") == ["0 1 80 baz.example.net."]
    assert dns.ask("baz.example.net.", "A").rcode == 5 and dns.ask("baz.host", "A").is_nxdomain()
    assert dns.data("t.service", "A") == ["10.9.8.7"]


def test_a_host_domain_inside_the_zone_may_only_be_host(registry):
    result = registry("serve", "--host-domain", "machines.empusa.internal")
    assert result.status == 2 and "--host-domain" in result.err and result.err.count("\n") == 1


def test_a_domain_of_ones_own(registry):
    registry.put("t", "n", "10.0.0.1:80")
    server = registry.serve("--domain", "Reg.Example.")
    assert server.dns.data("n._t._tcp.reg.example.", "SRV") == ["0 1 80 10-0-0-1.addr.Reg.Example."] \
        or server.dns.data("n._t._tcp.reg.example.", "SRV") == ["0 1 80 10-0-0-1.addr.reg.example."]
    assert server.dns.ask("n._t._tcp.empusa.internal.", "SRV").rcode == 5
    assert server.dns.data("n._t._tcp.", "SRV")


def test_name_servers_can_be_named(registry):
    dns = registry.serve("--ns", "ns1=10.0.0.1", "--ns", "ns2=10.0.0.2", "--ns", "ns2=fd00::2",
                         "--ns", "ns.example.com=10.0.0.3").dns
    reply = dns.ask("", "NS", tcp=True)
    assert reply.data() == ["ns.example.com.", f"ns1.{ZONE}", f"ns2.{ZONE}"]
    assert dns.data("ns2", "A") == ["10.0.0.2"] and dns.data("ns2", "AAAA") == ["fd00::2"]
    assert dns.ask("ns", "A").is_nxdomain() and dns.ask("ns1", "TXT").is_nodata()
    assert {record[0] for record in reply.records("additional")} == {f"ns1.{ZONE}", f"ns2.{ZONE}"}


# entries in JSON

def test_an_entry_in_json_is_served_whole(registry):
    registry.put("web", "n", json.dumps({
        "location": "10.0.0.1:80", "protocol": "udp", "priority": 10, "weight": 5, "unknown": [1, {}],
        "txt": {"path": "/", "beta": True, "empty": "", "a": "é\u0001\"\\"}, "subtypes": ["printer", "Two words"]}))
    dns = registry.serve().dns
    assert dns.data("n._web._udp", "SRV") == ["10 5 80 10-0-0-1.addr.empusa.internal."]
    pairs = [rdata.strings for rrset in dns.ask("n._web._udp", "TXT").message.answer for rdata in rrset]
    assert pairs == [(b'a=\xc3\xa9\x01"\\', b"beta", b"empty=", b"path=/")]
    of_type = [rdata.strings for rrset in dns.ask("_web._udp", "TXT").message.answer for rdata in rrset]
    assert of_type == [(b"name=n", b"location=10.0.0.1:80", *pairs[0])]
    for subtype in ("_printer", r"_Two\032words"):
        assert dns.data(f"{subtype}._sub._web._udp", "PTR") == [f"n._web._udp.{ZONE}"]
    assert dns.ask("_sub._web._udp", "PTR").is_nodata() and dns.ask("_x._sub._web._udp", "PTR").is_nxdomain()
    assert dns.data("_services._dns-sd._udp", "PTR") == [f"_web._udp.{ZONE}"]


def test_pairs_and_type_are_sorted_by_their_octets(registry):
    registry.put("My_Type", "n", '{"location":"10.0.0.1:80","txt":{"z":"1","A":"2","typf":"3","a=":"x","B":true}}')
    strings = [rdata.strings for rrset in registry.serve().dns.ask("n._my-type._tcp", "TXT").message.answer
               for rdata in rrset][0]
    assert list(strings) == sorted(strings) and b"type=My_Type" in strings and b"A=2" in strings and b"B" in strings


def test_a_draining_instance_has_weight_0(registry):
    registry.put("t", "n", '{"location":"10.0.0.1:80","weight":7,"state":"draining"}')
    registry.put("t", "o", '{"location":"10.0.0.1:81","weight":7,"state":"up"}')
    assert registry.serve().dns.data("_t._tcp", "SRV") == ["0 0 80 10-0-0-1.addr.empusa.internal.",
                                                           "0 7 81 10-0-0-1.addr.empusa.internal."]


IGNORED = ['"protocol":"sctp"', '"protocol":6', '"priority":65536', '"priority":-1', '"priority":1.5', '"priority":"1"',
           '"weight":70000', '"weight":null', '"weight":true', '"txt":5', '"txt":"a=b"', '"txt":["a=b"]', '"subtypes":"x"',
           '"subtypes":{"x":1}', '"state":7', '"state":"gone"', '"other":{"deep":[[[]]]}', '"txt":{"":"x"}',
           '"txt":{"k":"' + "v" * 254 + '"}', '"priority":1e30']


def test_a_wrong_member_is_ignored_alone(registry):
    for i, member in enumerate(IGNORED):
        registry.put("t", f"n{i}", f'{{"location":"10.0.0.1:80",{member}}}')
    dns = registry.serve().dns
    for i, member in enumerate(IGNORED):
        assert dns.data(f"n{i}._t._tcp", "SRV") == ["0 1 80 10-0-0-1.addr.empusa.internal."], member
        assert dns.data(f"n{i}._t._tcp", "TXT") == ['""'], member


BAD = [b"", b"baz", b"baz:0", b"10.0.0.01:80", b"[fe80::1%eth0]:80", b"http://baz:80", b" baz:80", b"baz:80\n\t", b"{", b"{}",
       b'{"location":5}', b'{"location":"baz"}', b'{"location":"baz:80"', b'{"location":"baz:80"}x', b"[]", b'"baz:80"',
       b"null", b"\x00", b"\xff" * 100, b"a" * 70000, b'{"location":"' + b"a" * 70000 + b':80"}', b"[" * 10000,
       b'{"txt":' + b"[" * 5000, b"b\xc3\xa4z:80", b"baz:80\x00"]


def test_a_bad_value_spoils_only_itself(registry):
    for i, value in enumerate(BAD):
        registry.put("t", f"bad{i:02}", value)
        registry.put("t", f"good{i:02}", f"10.0.0.1:{i + 1}")
    server = registry.serve()
    assert f" {len(BAD)} services" in server.serving
    assert len(server.dns.data("_t._tcp", "PTR")) == len(BAD)
    for i in range(len(BAD)):
        assert server.dns.ask(f"bad{i:02}._t._tcp", "SRV").is_nxdomain(), BAD[i]
        assert server.dns.data(f"good{i:02}._t._tcp", "SRV")
        assert len([line for line in server.err if f"t/bad{i:02}" in line and "more of these" not in line]) <= 1, i
    said = [line for line in server.err if "t/bad" in line and "more of these" not in line]
    assert 10 <= len(said) <= len(BAD)


def test_a_bad_value_written_again_and_again_is_said_once(registry):
    """As a script that registers periodically would."""
    server = registry.serve()
    for _ in range(5):
        registry.put("t", "bad", "rubbish")
    registry.put("t", "last", "10.0.0.1:80")
    wait_until(lambda: server.dns.data("last._t._tcp", "SRV"))
    assert len([line for line in server.said() if "t/bad" in line]) == 1


def test_a_value_that_turns_bad_and_good_again_is_followed(registry):
    registry.put("t", "n", "10.0.0.1:80")
    registry.put("t", "o", "10.0.0.1:81")
    dns = registry.serve().dns
    for value, ports in (("rubbish", ["81"]), ("10.0.0.1:82", ["81", "82"]), ("{}", ["81"])):
        registry.put("t", "n", value)
        wait_until(lambda: sorted(data.split()[2] for data in dns.data("_t._tcp", "SRV")) == ports, what=value)


def test_odd_keys_spoil_nothing(registry):
    for key in (b"", b"service", b"service/", b"service/t", b"service/t/", b"service//n", b"switch", b"switch/",
                b"switch//a", b"switch/a/", b"other/x", b"service/\xff/n", b"\x00"):
        registry.etcd.put(registry.key(key), "10.0.0.1:80")
    registry.put("t", "n", "10.0.0.1:80")
    dns = registry.serve().dns
    assert dns.data("_t._tcp", "PTR") == [f"n._t._tcp.{ZONE}"]


# collisions

def collide(registry, order):
    entries = [("IPP", "Same", '{"location":"10.0.0.1:1","txt":{"from":"IPP"}}'),
               ("ipp", "same", '{"location":"10.0.0.2:2","txt":{"from":"ipp"}}'),
               ("_ipp._tcp", "SAME", '{"location":"10.0.0.3:3","txt":{"from":"_ipp"}}')]
    for kind, name, value in (entries[i] for i in order):
        registry.put(kind, name, value)


def collision_answers(dns):
    return [dns.data("same._ipp._tcp", "SRV"), dns.data("same._ipp._tcp", "TXT"), dns.data("_ipp._tcp", "SRV"),
            dns.data("_ipp._tcp", "TXT"), [name.lower() for name in dns.data("_ipp._tcp", "PTR")],
            dns.data("ipp.service", "A"), dns.data("same.ipp.service", "A")]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize("live", [False, True], ids=["loaded", "live"])
def test_colliding_entries_are_united_whatever_their_order(registry, order, live):
    if not live:
        collide(registry, order)
    dns = registry.serve().dns
    if live:
        collide(registry, order)
        wait_until(lambda: len(dns.data("_ipp._tcp", "SRV")) == 3)
        registry.wait_served(dns)
    srv = [f"0 1 {i} 10-0-0-{i}.addr.empusa.internal." for i in (1, 2, 3)]
    assert collision_answers(dns) == [
        srv, [txt("from=IPP")], srv,
        [txt("name=Same", "location=10.0.0.1:1", "from=IPP")],
        [f"same._ipp._tcp.{ZONE}"], ["10.0.0.1", "10.0.0.2", "10.0.0.3"], ["10.0.0.1", "10.0.0.2", "10.0.0.3"]]


def test_when_the_first_of_two_goes_the_second_stands(registry):
    collide(registry, (0, 1, 2))
    dns = registry.serve().dns
    registry.delete("service", "IPP", "Same")
    wait_until(lambda: len(dns.data("_ipp._tcp", "SRV")) == 2)
    registry.wait_served(dns)
    # "/service/_ipp._tcp/SAME" sorts before "/service/ipp/same".
    assert dns.data("same._ipp._tcp", "TXT") == [txt("from=_ipp")]
    registry.delete("service", "_ipp._tcp", "SAME")
    wait_until(lambda: len(dns.data("_ipp._tcp", "SRV")) == 1)
    registry.wait_served(dns)
    assert dns.data("_ipp._tcp", "PTR") == [f"same._ipp._tcp.{ZONE}"]
    registry.delete("service", "ipp", "same")
    wait_until(lambda: dns.ask("_ipp._tcp", "PTR").is_nxdomain())
    registry.wait_served(dns)
    assert dns.ask("same._ipp._tcp", "SRV").is_nxdomain() and dns.ask("ipp.service", "A").is_nxdomain()


# switches

def test_switches_are_text_under_their_path_backwards(registry):
    values = {"a": "1", "a/b": "2", "a/b/c": "", "Deep/Path/Here": "yes", "d.ot": "x", "sp ace": "y", "é": "ž",
              "long255": "x" * 255, "long256": "y" * 256, "long700": "z" * 700, "octets": b"\x00\xff\n\"\\",
              "big": "w" * 16384}
    for path, value in values.items():
        registry.put_switch(path, value)
    server = registry.serve()
    assert f" {len(values)} switches" in server.serving
    for path, value in values.items():
        owner = name_of([*reversed(path.split("/")), "switch"])
        raw = value if isinstance(value, bytes) else value.encode()
        reply = server.dns.ask(owner, "TXT", tcp=True)
        strings = [rdata.strings for rrset in reply.message.answer for rdata in rrset]
        assert strings == [tuple(raw[i:i + 255] for i in range(0, len(raw), 255)) or (b"",)], path


def test_a_switch_that_cannot_be_published_spoils_nothing(registry):
    bad = {"big": "x" * 16385, "*": "v", "a/*/b": "v", "a//b": "v", "x" * 64: "v", "/".join(["x" * 60] * 5): "v"}
    for path, value in {**bad, "good": "v"}.items():
        registry.put_switch(path, value)
    server = registry.serve()
    assert " 1 switches" in server.serving
    assert server.dns.data("good.switch", "TXT") == ['"v"']
    assert server.dns.ask("big.switch", "TXT").is_nxdomain() and server.dns.ask("*.switch", "TXT").is_nxdomain()


def test_a_leaf_that_goes_leaves_its_parent(registry):
    for path in ("a", "a/b/c"):
        registry.put_switch(path, "v")
    dns = registry.serve().dns
    assert dns.ask("b.a.switch", "TXT").is_nodata()
    registry.delete("switch", "a/b/c")
    wait_until(lambda: dns.ask("c.b.a.switch", "TXT").is_nxdomain())
    registry.wait_served(dns)
    assert dns.ask("b.a.switch", "TXT").is_nxdomain() and dns.data("a.switch", "TXT") == ['"v"']


def test_without_switches_there_are_none(registry):
    registry.put_switch("a", "v")
    assert registry.serve("--no-switches").dns.ask("a.switch", "TXT").is_nxdomain()


# times to live

def own_lease(registry, ttl):
    """A lease whose ID tells its TTL, as empusa chooses them."""
    return registry.etcd.grant(ttl, 0x45 << 55 | min(ttl, 255) << 47 | os.getpid() << 16 | ttl)


def test_a_ttl_is_never_above_its_leases(registry):
    registry.put("none", "n", "10.0.0.1:80")
    registry.put("own", "n", "10.0.0.2:80", own_lease(registry, 30))
    registry.put("long", "n", "10.0.0.3:80", own_lease(registry, 3600))
    registry.put("foreign", "n", "10.0.0.4:80", registry.etcd.grant(300))
    registry.put_switch("own", "v", own_lease(registry, 31))
    registry.put("mixed", "a", "10.0.0.5:80")
    registry.put("mixed", "b", "10.0.0.6:80", own_lease(registry, 20))
    dns = registry.serve("--record-ttl", "60", "--negative-ttl", "7").dns
    for kind, i, ttl in (("none", 1, 60), ("own", 2, 30), ("long", 3, 60), ("foreign", 4, 5)):
        for name, rdtype in ((f"n._{kind}._tcp", "SRV"), (f"n._{kind}._tcp", "TXT"), (f"_{kind}._tcp", "PTR"),
                             (f"_{kind}._tcp", "SRV"), (f"_{kind}._tcp", "TXT"), (f"{kind}.service", "A"),
                             (f"10-0-0-{i}.addr", "A"), (f"n.{kind}.service", "A")):
            assert dns.ask(name, rdtype).ttls() == {ttl}, (name, rdtype)
    for rdtype in ("PTR", "SRV", "TXT"):
        assert dns.ask("_mixed._tcp", rdtype).ttls() == {20}, "of a set, the least of its members"
    assert dns.ask("a._mixed._tcp", "SRV").ttls() == {60} and dns.ask("b._mixed._tcp", "SRV").ttls() == {20}
    assert dns.ask("own.switch", "TXT").ttls() == {31}
    assert dns.ask("nosuch", "A").soa.ttl == 7


# roots

def test_two_roots_never_see_each_other(registry, bind_registry):
    longer = bind_registry(registry.etcd)
    longer.root = longer.env["EMPUSA_TREE_ROOT"] = registry.root + "bar"
    below = bind_registry(registry.etcd)
    below.root = below.env["EMPUSA_TREE_ROOT"] = registry.root + "/service/t"
    registry.put("t", "here", "10.0.0.1:80")
    longer.put("t", "there", "10.0.0.2:80")
    below.put("t", "below", "10.0.0.3:80")
    dns = {which: which.serve().dns for which in (registry, longer, below)}
    assert dns[longer].data("_t._tcp", "PTR") == [f"there._t._tcp.{ZONE}"]
    assert dns[below].data("_t._tcp", "PTR") == [f"below._t._tcp.{ZONE}"]
    assert dns[registry].data("_t._tcp", "PTR") == sorted(
        [f"here._t._tcp.{ZONE}", f"service/t/below._t._tcp.{ZONE}"])
    rows = json.loads(longer.ok("service", "list", "--format", "json").out)
    assert [row["service"] for row in rows] == [f"{longer.root}/service/t/there"]


# host names

@pytest.fixture
def hosts_directory(tmp_path):
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n10.9.8.7 baz\nfd00::7 baz\n10.6.6.6 lonely.empusa.internal\n")
    (tmp_path / "resolv").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    if subprocess.run(with_files(tmp_path, "true"), capture_output=True, check=False).returncode != 0:
        pytest.skip("no mount namespaces here")
    return tmp_path


def test_a_hosts_addresses_come_from_the_hosts_file(registry, hosts_directory):
    registry.put("t", "n", "baz:80")
    registry.put("t", "o", "nobody:80")
    import server as module
    plain = module.BINARY
    server = None
    try:
        wrapper = hosts_directory / "empusa"
        wrapper.write_text("#!/bin/sh\nexec " + " ".join(
            f"'{word}'" for word in with_files(hosts_directory, plain)) + ' "$@"\n')
        wrapper.chmod(0o755)
        module.BINARY = str(wrapper)
        server = registry.serve(resolve=True)
    finally:
        module.BINARY = plain
    dns = server.dns
    wait_until(lambda: dns.data("baz.host", "A") == ["10.9.8.7"])
    wait_until(lambda: dns.data("baz.host", "AAAA") == ["fd00::7"])
    wait_until(lambda: dns.data("t.service", "A") == ["10.9.8.7"])
    assert dns.ask("nobody.host", "A").is_nodata()
    serial = dns.serial()
    registry.put("t", "p", "localhost:80")
    wait_until(lambda: dns.data("localhost.host", "A") == ["127.0.0.1"])
    wait_until(lambda: dns.serial() > serial)
    registry.delete("service", "t", "n")
    wait_until(lambda: dns.ask("baz.host", "A").is_nxdomain())


@pytest.mark.parametrize("args,named", [
    (("--domain", ""), "--domain"), (("--domain", "a..b"), "a..b"), (("--domain", "x" * 64 + ".y"), "--domain"),
    (("--record-ttl", "-1"), "--record-ttl"), (("--record-ttl", "abc"), "abc"), (("--negative-ttl", "x"), "x"),
    (("--host", "baz"), "baz"), (("--host", "baz=nonsense"), "nonsense"), (("--host", "a.b=10.0.0.1"), "a.b"),
    (("--ns", "ns1"), "ns1"), (("--ns", "ns1=x"), "ns1=x"), (("--ns", "x.addr.empusa.internal=10.0.0.1"), "--ns"),
    (("--workers", "-1"), "--workers"), (("--listen", "localhost"), "localhost"), (("--listen", "127.0.0.1:99999"), "99999"),
    (("--listen", "1.2.3:53"), "1.2.3:53"), (("--max-udp-size", "100"), "--max-udp-size"), (("--rate-limit", "-1"), "-1"),
    (("--allow-query", "10.0.0.0/33"), "10.0.0.0/33"), (("--allow-query", "x"), "x"),
    (("--cookie-secret-file", "/nonexistent/file"), "/nonexistent/file"),
    (("--user", "no-such-user-here"), "no-such-user-here"), (("--tcp-idle", "x"), "--tcp-idle"),
    (("--tcp-connections", "x"), "--tcp-connections"), (("surplus",), "surplus")],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_a_bad_option_of_serve_is_refused_by_name(registry, args, named):
    result = run("serve", *args, env=registry.env, timeout=10)
    assert result.status in (1, 2) and named in result.err and result.err.count("\n") == 1, result
