"""The protocol: headers, EDNS, sizes, compression, malformed messages, TCP."""

import contextlib
import random
import re
import socket
import struct
import subprocess
import time

import pytest
from dns.name import from_wire as name_from_wire

from dns_client import (ANY_CLASS, CH, EDE_NOT_AUTHORITATIVE, EDE_PROHIBITED, HS, NONE, OPTION_COOKIE, OPTION_KEEPALIVE,
                        OPTION_NSID, ZONE, Dns, Reply, name_of, opt, option, query_wire, question)
from process import free_port, wait_until
from test_zone import HOSTS, example_sets, fill_example

MANY = 120
FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, NOTAUTH, BADVERS = 1, 2, 3, 4, 5, 9, 16


@pytest.fixture(scope="module")
def server(module_registry):
    registry = module_registry
    fill_example(registry)
    registry.etcd.put_many((registry.service_key("many", f"Instance-{i:03}"), f"10.7.{i}.1:80") for i in range(MANY))
    registry.etcd.put_many((registry.service_key("one-host", f"n{i}"), f"10.8.0.1:{i + 1}") for i in range(10))
    registry.etcd.put_many((registry.service_key("six", f"Six {i}"), f"10.9.0.{i}:80") for i in range(6))
    registry.etcd.put_many((registry.service_key("http", f"Bureau {i}"), "Web.Example.com:80") for i in range(3))
    return registry.serve(*HOSTS, "--nsid", "test-nsid")


@pytest.fixture(scope="module")
def client(server):
    return server.dns


# 1.1 answers

def test_id_and_question_come_back_byte_for_byte(client):
    for identity in (0, 1, 0xFFFF):
        for name in ("dUmMy-SeRvIcE-1._DuMmY-tYpE._tCp", "NoSuch", "", "EXAMPLE.com."):
            asked = question(name, "SRV")
            reply = client.exchange(query_wire(asked, identity=identity))
            assert reply.id == identity and reply.question_count == 1
            assert reply.wire[12:12 + len(asked)] == asked


@pytest.mark.parametrize("flags", [0x0100, 0x0010, 0x0020, 0x0040, 0x0400, 0x0080, 0x0200, 0x000F, 0x07FF])
def test_bits_in_a_query_do_not_change_the_answer(client, flags):
    for name, kind in (("dummy-service-1._dummy-type._tcp", "SRV"), ("nosuch", "A"), ("example.com.", "A")):
        plain, odd = client.ask(name, kind), client.ask(name, kind, flags=flags)
        assert sorted(odd.records()) == sorted(plain.records()) and odd.rcode == plain.rcode
        assert odd.has("QR") and not odd.has("RA") and not odd.flags & 0x0040
        assert odd.has("RD") == bool(flags & 0x0100) and odd.has("AA") == plain.has("AA")
        assert not odd.has("TC") and not odd.has("AD")


def test_the_apex_has_soa_and_ns_with_the_address_of_ns(client):
    assert client.ask("", "SOA").answer_count == 1
    reply = client.ask("", "NS")
    assert ("ns.empusa.internal.", 3600, "A", "127.0.0.1") in reply.records("additional")


@pytest.mark.parametrize("kind", [65, 64, 44, 99, 65280, 65535, 0, 128, "CNAME", "MX", "NSEC", "DNSKEY", "HINFO", "DS"])
def test_an_unknown_type_is_nodata(client, kind):
    for name in ("", "_dummy-type._tcp", "baz.host", "_tcp"):
        assert client.ask(name, kind).is_nodata()
    assert client.ask("nosuch", kind).is_nxdomain()


@pytest.mark.parametrize("kind", [41, 249, 250, 251, 252, 253, 254])
def test_a_pseudo_type_is_answered(client, kind):
    for tcp in (False, True):
        assert client.ask("", kind, tcp=tcp).rcode in (0, FORMERR, NOTIMP, REFUSED)


@pytest.mark.parametrize("kind", ["AXFR", "IXFR"])
def test_a_transfer_is_refused_to_all_by_default(client, kind):
    assert client.ask("", kind, tcp=True).rcode == REFUSED


def test_any_is_answered(client):
    reply = client.ask("dummy-service-1._dummy-type._tcp", "ANY", tcp=True)
    assert {record[2] for record in reply.records()} in ({"SRV", "TXT"}, {"HINFO"})
    for name in ("", "_many._tcp", "many.service", "baz.host", "dummy-service-1._dummy-type._tcp"):
        reply = client.ask(name, "ANY", edns=1232)
        assert reply.rcode == 0 and reply.answer_count >= 1 and len(reply.wire) <= 1232
    assert client.ask("nosuch", "ANY").is_nxdomain() and client.ask("_tcp", "ANY").is_nodata()


@pytest.mark.parametrize("rdclass", [CH, HS, NONE, 2, 0, 65535])
def test_another_class_is_refused(client, rdclass):
    assert client.ask("dummy-service-1._dummy-type._tcp", "SRV", rdclass=rdclass).rcode in (REFUSED, FORMERR, NOTIMP)
    assert client.ask("dummy-service-1._dummy-type._tcp", "SRV", rdclass=rdclass).answer_count == 0


def test_class_any_is_answered_or_refused(client):
    assert client.ask("baz.host", "A", rdclass=ANY_CLASS).rcode in (0, REFUSED)


def test_the_version_is_hidden(client):
    for name in ("version.bind.", "version.server.", "id.server.", "hostname.bind."):
        reply = client.ask(name, "TXT", rdclass=CH)
        assert reply.rcode == REFUSED or reply.answer_count == 1


@pytest.mark.parametrize("opcode", range(16))
def test_responses_are_dropped(client, opcode):
    wire = query_wire(question("", "SOA"), flags=0x8000 | opcode << 11)
    assert client.is_silent(wire)
    with client.connect() as stream:
        stream.send(wire, query_wire(question("", "SOA"), identity=0xBEEF))
        reply = stream.receive()
        assert reply is None or Reply(reply).id == 0xBEEF


@pytest.mark.parametrize("opcode", range(1, 16))
@pytest.mark.parametrize("with_question", [True, False])
@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_another_opcode_is_not_implemented(client, opcode, with_question, tcp):
    wire = query_wire(*([question("", "SOA")] if with_question else []), flags=opcode << 11, identity=77)
    reply = client.exchange(wire, tcp)
    allowed = (NOTIMP, REFUSED, NOTAUTH) if opcode in (4, 5) else (NOTIMP,)
    if not with_question and opcode in (4, 5):
        allowed += (FORMERR,)
    assert reply.rcode in allowed and reply.opcode == opcode and reply.id == 77
    assert reply.has("QR") and reply.answer_count == reply.authority_count == reply.additional_count == 0


def test_udp_and_tcp_say_the_same(client):
    for name, kind in example_sets():
        udp, tcp = client.ask(name, kind, edns=1232), client.ask(name, kind, edns=1232, tcp=True)
        assert sorted(udp.records()) == sorted(tcp.records()) and udp.flags == tcp.flags


# 1.2 additional records

def groups(reply):
    """Additional records by owner, the OPT apart."""
    found = {}
    for owner, _, kind, data in reply.records("additional"):
        found.setdefault(owner.lower(), []).append((kind, data))
    return found


@pytest.mark.parametrize("name,kind,expected", [
    ("dummy-service-2._dummy-type._tcp", "SRV", {"10-1-2-3.addr.empusa.internal.": [("A", "10.1.2.3")]}),
    ("dummy-service-3._dummy-type._tcp", "SRV", {"fd00-0-0-0-0-0-0-1.addr.empusa.internal.": [("AAAA", "fd00::1")]}),
    ("dummy-service-1._dummy-type._tcp", "SRV", {"baz.host.empusa.internal.": [("A", "10.9.8.7")]}),
    ("dummy-service-1._dummy-type._tcp", "TXT", {}),
    ("_one-host._tcp", "SRV", {"10-8-0-1.addr.empusa.internal.": [("A", "10.8.0.1")]}),
    ("_dummy-type._tcp", "TXT", {}),
    ("nosuch", "SRV", {}),
])
def test_an_srv_brings_its_addresses(client, name, kind, expected):
    for tcp in (False, True):
        assert groups(client.ask(name, kind, edns=1232, tcp=tcp)) == expected


@pytest.mark.parametrize("size,tcp", [(None, False), (512, False), (700, False), (1232, False), (1232, True), (8192, True),
                                      (65535, True)])
@pytest.mark.parametrize("name", ["_dummy-type._tcp", "_six._tcp", "_one-host._tcp", "_many._tcp"])
def test_a_ptr_brings_all_or_nothing_of_an_instance(client, name, size, tcp):
    reply = client.ask(name, "PTR", edns=size, tcp=tcp)
    found = groups(reply)
    instances = {item.to_text().lower() for item in reply.names()}
    assert not reply.is_truncated or not tcp
    for owner, records in found.items():
        if owner in instances:
            kinds = [kind for kind, _ in records]
            assert sorted(kinds) == ["SRV", "TXT"]
            target = next(data for kind, data in records if kind == "SRV").split()[3].lower()
            assert target in found, f"{owner} without the addresses of {target}"
    if tcp and size == 65535 and name != "_many._tcp":
        assert instances <= set(found)


def test_a_browse_of_three_fits_one_datagram(client):
    found = groups(client.ask("_dummy-type._tcp", "PTR", edns=1232))
    assert len(found) == 6 and sum(len(records) for records in found.values()) == 9


@pytest.mark.parametrize("name,kind", [("_one-host._tcp", "SRV"), ("_one-host._tcp", "PTR"), ("_one-host._tcp", "ANY"),
                                       ("one-host.service", "A"), ("one-host.service", "SRV"), ("one-host.service", "ANY"),
                                       ("_dummy-type._tcp", "ANY"), ("", "ANY"), ("", "NS"), ("_many._tcp", "PTR"),
                                       ("_many._tcp", "ANY"), ("dummy-type.service", "ANY"), ("ns", "A"),
                                       ("dummy-service-1._dummy-type._tcp", "ANY")])
def test_no_record_comes_twice(client, name, kind):
    for tcp in (False, True):
        reply = client.ask(name, kind, edns=8192, tcp=tcp)
        everything = [(owner.lower(), kind, data.lower()) for section in ("answer", "authority", "additional")
                      for owner, _, kind, data in reply.records(section)]
        assert len(everything) == len(set(everything))


# 1.3 EDNS

def edns_query(*opts, **options):
    return query_wire(question("", "SOA"), additional=opts, **options)


def test_an_opt_is_answered_with_one_and_none_with_none(client):
    for name, kind in (("", "SOA"), ("nosuch", "A"), ("example.com.", "A"), ("_many._tcp", "PTR")):
        reply = client.ask(name, kind, edns=4096)
        assert reply.message.edns == 0 and reply.message.payload == 1232
        assert client.ask(name, kind).message.edns == -1


@pytest.mark.parametrize("version", [1, 2, 255])
def test_another_edns_version_is_badvers(client, version):
    reply = client.exchange(edns_query(opt(version=version, options=option(OPTION_NSID) + option(65001, b"x"))))
    assert reply.rcode == BADVERS and reply.message.edns == 0
    assert reply.answer_count == reply.authority_count == 0 and not reply.has("AA") and 65001 not in reply.options


@pytest.mark.parametrize("code", [0, 4, 5, 8, 12, 13, 65001, 65535])
def test_an_unknown_option_is_ignored_and_not_echoed(client, code):
    data = struct.pack("!HBB", 1, 24, 0) + b"\x0a\x00\x00" if code == 8 else b"\0\0\0\0"
    reply = client.exchange(edns_query(opt(options=option(code, data))))
    assert reply.rcode == 0 and reply.answer_count == 1 and code not in reply.options


def test_do_is_copied_and_the_other_flags_are_not(client):
    for flags in (0, 0x8000, 0x7FFF, 0xFFFF):
        reply = client.exchange(edns_query(opt(flags=flags)))
        assert reply.rcode == 0 and reply.message.ednsflags & 0xFFFF == flags & 0x8000


BAD_OPTS = [
    ("two", [opt(), opt()]),
    ("an owner that is not the root", [opt(owner=b"\1x\0")]),
    ("an option longer than the record", [opt(options=struct.pack("!HH", 65001, 10) + b"x")]),
    ("half an option header", [opt(options=b"\xfd\xe9\0")]),
    ("a client cookie of 7", [opt(options=option(OPTION_COOKIE, b"x" * 7))]),
    ("a client cookie of 9", [opt(options=option(OPTION_COOKIE, b"x" * 9))]),
    ("a cookie of 15", [opt(options=option(OPTION_COOKIE, b"x" * 15))]),
    ("a cookie of 41", [opt(options=option(OPTION_COOKIE, b"x" * 41))]),
    ("an empty cookie", [opt(options=option(OPTION_COOKIE))]),
    ("a record cut short", [opt()[:-1]]),
    ("a record longer than the message", [opt()[:-2] + b"\0\5"]),
]


@pytest.mark.parametrize("additional", [row[1] for row in BAD_OPTS], ids=[row[0] for row in BAD_OPTS])
def test_a_bad_opt_is_a_format_error(client, additional):
    for tcp in (False, True):
        reply = client.exchange(edns_query(*additional), tcp)
        assert reply.rcode == FORMERR and reply.answer_count == 0


def test_an_opt_in_the_answer_section_is_a_format_error(client):
    assert client.exchange(query_wire(question("", "SOA"), answer=opt(), counts=(1, 1, 0, 0))).rcode == FORMERR


@pytest.mark.parametrize("size,limit", [(None, 512), (0, 512), (100, 512), (511, 512), (512, 512), (800, 800), (1232, 1232),
                                        (4096, 1232), (65535, 1232)])
@pytest.mark.parametrize("kind", ["PTR", "SRV", "TXT"])
def test_a_udp_answer_keeps_to_both_limits(client, size, limit, kind):
    reply = client.ask("_many._tcp", kind, edns=size)
    assert len(reply.wire) <= limit and reply.is_truncated and reply.rcode == 0 and reply.has("AA")
    assert reply.message.edns == (-1 if size is None else 0)
    if size is None:
        assert reply.answer_count > 0 and len(reply.wire) > 400, "without EDNS it carries what fits"
    whole = set(client.ask("_many._tcp", kind, tcp=True).records())
    assert set(reply.records()) <= whole


@pytest.mark.parametrize("kind", ["PTR", "SRV", "TXT"])
def test_tcp_carries_all(client, kind):
    for size in (None, 512, 1232, 65535):
        reply = client.ask("_many._tcp", kind, tcp=True, edns=size)
        assert reply.answer_count == MANY and not reply.is_truncated
    assert client.ask("many.service", "A", tcp=True).answer_count == MANY


def test_missing_additionals_never_truncate(client):
    """Six of an SRV fit into 512 octets or so; their addresses do not."""
    for name, kind in (("_six._tcp", "SRV"), ("_six._tcp", "PTR"), ("_dummy-type._tcp", "PTR")):
        whole = client.ask(name, kind, tcp=True).wire
        bare = max(at + length for section, _, _, at, length in raw_records(whole) if section == 1)
        for size in range(512, 1233, 48):
            reply = client.ask(name, kind, edns=size)
            assert len(reply.wire) <= size
            assert reply.is_truncated == (bare + len(opt()) > size), (name, kind, size, bare)


@pytest.mark.parametrize("size", [None, 512, 4096, 8192, 20000])
@pytest.mark.parametrize("kind", ["SRV", "PTR"])
def test_additionals_over_tcp_stop_at_what_clients_take(client, kind, size):
    reply = client.ask("_many._tcp", kind, edns=size, tcp=True)
    assert reply.answer_count == MANY
    assert not groups(reply) or len(reply.wire) <= (size or 65535)
    if size in (None, 20000):
        assert len(groups(reply)) >= MANY


def test_nsid_comes_when_asked(client):
    assert client.ask("", "SOA", edns=1232, options=option(OPTION_NSID)).options[OPTION_NSID] == b"test-nsid"
    assert OPTION_NSID not in client.ask("", "SOA", edns=1232).options


def test_nsid_is_the_host_name_by_default(registry):
    dns = registry.serve().dns
    assert dns.ask("", "SOA", edns=1232, options=option(OPTION_NSID)).options[OPTION_NSID] == \
        socket.gethostname().encode()


def test_a_cookie_is_given_and_taken(client):
    mine = bytes(range(8))
    first = client.ask("", "SOA", edns=1232, options=option(OPTION_COOKIE, mine)).options[OPTION_COOKIE]
    assert first[:8] == mine and len(first) == 24 and first[8:12] == b"\1\0\0\0"
    assert abs(struct.unpack("!I", first[12:16])[0] - time.time()) < 60
    again = client.ask("", "SOA", edns=1232, options=option(OPTION_COOKIE, first))
    assert again.rcode == 0 and again.answer_count == 1 and again.options[OPTION_COOKIE][:8] == mine
    for forged in (first[:-1] + bytes([first[-1] ^ 1]), mine + b"\0" * 8, mine + b"\1" * 32):
        reply = client.ask("", "SOA", edns=1232, options=option(OPTION_COOKIE, forged))
        assert reply.rcode in (0, 23) and len(reply.options[OPTION_COOKIE]) == 24


def test_a_cookie_alone_is_answered(client):
    wire = query_wire(additional=[opt(options=option(OPTION_COOKIE, b"12345678"))])
    reply = client.exchange(wire)
    assert reply.rcode == 0 and reply.question_count == 0 and len(reply.options[OPTION_COOKIE]) == 24


def test_servers_with_one_secret_take_each_others_cookies(registry, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("000102030405060708090a0b0c0d0e0f\n")
    one, two = (registry.serve("--cookie-secret-file", str(secret)).dns for _ in range(2))
    mine = option(OPTION_COOKIE, b"abcdefgh")
    first, second = (each.ask("", "SOA", edns=1232, options=mine).options[OPTION_COOKIE] for each in (one, two))
    assert first[:12] == second[:12]
    if first[12:16] == second[12:16]:
        assert first == second


def test_keepalive_over_tcp_tells_the_idle_time(client):
    wanted = option(OPTION_KEEPALIVE)
    timeout = client.ask("", "SOA", edns=1232, tcp=True, options=wanted).options[OPTION_KEEPALIVE]
    assert struct.unpack("!H", timeout)[0] == 100
    assert OPTION_KEEPALIVE not in client.ask("", "SOA", edns=1232, options=wanted).options
    assert OPTION_KEEPALIVE not in client.ask("", "SOA", edns=1232, tcp=True).options


def test_an_extended_error_says_why(client):
    assert client.ask("example.com.", "A", edns=1232).ede == EDE_NOT_AUTHORITATIVE
    assert client.ask("", "SOA", edns=1232).ede is None and client.ask("nosuch", "A", edns=1232).ede is None


def test_an_access_list_keeps_others_out(registry):
    server = registry.serve("--allow-query", "10.0.0.0/8", "--allow-query", "127.0.0.2/32", listen="0.0.0.0")
    for tcp in (False, True):
        reply = server.dns.ask("", "SOA", edns=1232, tcp=tcp)
        assert reply.rcode == REFUSED and reply.ede == EDE_PROHIBITED and not reply.has("AA")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.bind(("127.0.0.2", 0))
        sock.connect(("127.0.0.1", server.port))
        sock.send(query_wire(question("", "SOA")))
        assert Reply(sock.recv(512)).rcode == 0


def test_loopback_is_exempt_from_the_rate_limit(registry):
    dns = registry.serve("--rate-limit", "1").dns
    assert not any(dns.ask("", "SOA").is_truncated for _ in range(300))


def test_the_own_limit_can_be_set(registry):
    registry.etcd.put_many((registry.service_key("many", f"n{i:03}"), f"10.7.{i}.1:80") for i in range(MANY))
    dns = registry.serve("--max-udp-size", "600").dns
    reply = dns.ask("_many._tcp", "PTR", edns=4096)
    assert len(reply.wire) <= 600 and reply.is_truncated and reply.message.payload == 600


# compression

def raw_records(wire):
    """(section, owner, type, offset of data, length of data, pointers used) of each record."""
    found, at = [], 12
    counts = struct.unpack("!HHHH", wire[4:12])

    def skip(at):
        while True:
            length = wire[at]
            if length & 0xC0 == 0xC0:
                target = struct.unpack("!H", wire[at:at + 2])[0] & 0x3FFF
                assert target < at and target >= 12, "a pointer points back"
                return at + 2
            assert length & 0xC0 == 0
            at += 1 + length
            if length == 0:
                return at
    for _ in range(counts[0]):
        at = skip(at) + 4
    for section, count in enumerate(counts[1:], 1):
        for _ in range(count):
            start = at
            at = skip(at)
            kind, _, _, length = struct.unpack("!HHIH", wire[at:at + 10])
            at += 10
            found.append((section, name_from_wire(wire, start)[0], kind, at, length))
            if kind in (2, 12):
                skip(at)
            at += length
    assert at == len(wire), "octets behind the last record"
    return found


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("name,kind", [("_dummy-type._tcp", "SRV"), ("_dummy-type._tcp", "PTR"), ("_http._tcp", "PTR"),
                                       ("_many._tcp", "SRV"), ("_many._tcp", "PTR"), ("", "NS"), ("", "SOA"),
                                       ("", "ANY"), ("nosuch", "A"), ("_http._tcp.", "PTR"), ("_http._tcp.", "SRV"),
                                       ("http.service", "SRV"), ("dummy-type.service", "ANY")])
def test_srv_targets_are_not_compressed_and_pointers_point_back(client, name, kind, tcp):
    reply = client.ask(name, kind, edns=1232, tcp=tcp)
    for _, _, rdtype, at, length in raw_records(reply.wire):
        if rdtype == 33:
            rdata = reply.wire[at:at + length]
            assert name_from_wire(rdata, 6)[0].to_wire() == rdata[6:]


def test_names_in_data_keep_the_registrys_case(client):
    for name in ("_HtTp._TcP", "_hTTP._tcp", "_HtTp._TcP.", "_HTTP._TCP.EMPUSA.INTERNAL."):
        reply = client.ask(name, "PTR", edns=1232)
        assert reply.data() == [rf"Bureau\032{i}._http._tcp.empusa.internal." for i in range(3)]
        for owner, _, kind, data in reply.records("additional"):
            assert re.fullmatch(r"Bureau\\032\d\._http\._tcp\.empusa\.internal\.", owner), owner
            assert kind != "SRV" or data == "0 1 80 Web.Example.com."
        assert {record[0] for record in reply.records()} == {name_of(name).to_text()}
        assert set(client.ask(name, "SRV").data()) == {"0 1 80 Web.Example.com."}
    assert client.ask("_SERVICES._DNS-SD._UDP", "PTR").data() == client.ask("_services._dns-sd._udp", "PTR").data()
    assert client.ask("B._dns-SD._udp", "PTR").data() == [ZONE]
    assert client.ask("EMPUSA.internal.", "NS").data() == [f"ns.{ZONE}"]


def test_answers_rotate(client):
    first = {client.ask("_six._tcp", "SRV").records()[0][3] for _ in range(60)}
    assert len(first) > 1


# 1.4 malformed messages

SOA = question("", "SOA")
HEADER_ONLY = query_wire(identity=1)
LONG = b"\x3f" + b"a" * 63


def test_less_than_a_header_is_dropped(client):
    for length in range(12):
        assert client.is_silent(query_wire(SOA)[:length])


MALFORMED = [  # name, message, rcodes; None = silence
    ("no question", HEADER_ONLY, (FORMERR,)),
    ("no question but EDNS", query_wire(additional=[opt()]), (FORMERR,)),
    ("two questions", query_wire(SOA, SOA), (FORMERR,)),
    ("two questions announced", query_wire(SOA, counts=(2, 0, 0, 0)), (FORMERR,)),
    ("65535 questions announced", query_wire(SOA, counts=(65535, 0, 0, 0)), (FORMERR,)),
    ("a question announced and missing", query_wire(counts=(1, 0, 0, 0)), (FORMERR, None)),
    ("a question without class", query_wire(SOA[:-2], counts=(1, 0, 0, 0)), (FORMERR, None)),
    ("a name without end", query_wire(b"\x03abc", counts=(1, 0, 0, 0)), (FORMERR, None)),
    ("a label longer than the message", query_wire(b"\x3fabc", counts=(1, 0, 0, 0)), (FORMERR, None)),
    ("a pointer to itself", query_wire(b"\xc0\x0c\0\1\0\1", counts=(1, 0, 0, 0)), (FORMERR, None)),
    ("a pointer into the header", query_wire(b"\xc0\x00\0\1\0\1", counts=(1, 0, 0, 0)), (FORMERR, None)),
    ("a pointer forward", query_wire(b"\xc0\x40\0\1\0\1" + b"\0" * 60, counts=(1, 0, 0, 0)), (FORMERR, None)),
    ("a pointer behind the end", query_wire(b"\xff\xff\0\1\0\1", counts=(1, 0, 0, 0)), (FORMERR, None)),
    ("a label, then a loop", query_wire(b"\1a\xc0\x0c\0\1\0\1", counts=(1, 0, 0, 0)), (FORMERR, None)),
    ("half a pointer", query_wire(b"\xc0", counts=(1, 0, 0, 0)), (FORMERR, None)),
    ("label type 0x40", query_wire(b"\x41a\0\0\1\0\1", counts=(1, 0, 0, 0)), (FORMERR, None)),
    ("label type 0x80", query_wire(b"\x81a\0\0\1\0\1", counts=(1, 0, 0, 0)), (FORMERR, None)),
    ("a name of 256 octets", query_wire(LONG * 3 + b"\x3e" + b"a" * 62 + b"\0" + b"\0\1\0\1"), (FORMERR, None)),
    ("a name of 300 octets", query_wire(LONG * 4 + b"\x20" + b"a" * 32 + b"\0" + b"\0\1\0\1"), (FORMERR, None)),
    ("octets behind the question", query_wire(SOA) + b"rubbish", (0, FORMERR)),
    ("a stray answer", query_wire(SOA, answer=b"\0\0\1\0\1\0\0\0\0\0\4abcd", counts=(1, 1, 0, 0)), (0, FORMERR)),
    ("an answer announced and missing", query_wire(SOA, counts=(1, 1, 0, 0)), (FORMERR, None)),
    ("an additional announced and missing", query_wire(SOA, counts=(1, 0, 0, 1)), (FORMERR, None)),
    ("65535 additionals announced", query_wire(SOA, additional=[opt()], counts=(1, 0, 0, 65535)), (FORMERR, None)),
    ("octets behind an OPT", query_wire(SOA, additional=[opt()]) + b"x", (0, FORMERR)),
]


@pytest.mark.parametrize("wire,rcodes", [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
def test_a_malformed_message_is_a_format_error(client, wire, rcodes):
    for send in (client.udp, client.tcp):
        if None in rcodes and send is client.udp and client.is_silent(wire):
            continue
        raw = send(wire)
        if None in rcodes and raw is None:
            continue
        reply = Reply(raw)
        assert reply.rcode in rcodes and reply.id == struct.unpack("!H", wire[:2])[0]
        assert b"rubbish" not in reply.wire and reply.opcode == 0 and reply.has("QR")
        assert reply.rcode == 0 or reply.answer_count == 0


def test_names_are_taken_up_to_the_limits(client):
    below = name_of("").to_wire()
    room = 255 - len(below)
    fill = LONG * 3 + bytes([room - 193]) + b"b" * (room - 193)
    for wire, rcode in ((fill + below, NXDOMAIN), (LONG * 3 + b"\x3d" + b"a" * 61 + b"\0", REFUSED)):
        assert len(wire) == 255
        reply = client.exchange(query_wire(question(wire, "A")))
        assert reply.rcode == rcode and reply.wire[12:267] == wire


def test_labels_are_octets(client):
    for label in (b".", b" ", b"\0", b"\xff", b"\\", b"a.b", b"\r\n"):
        assert client.ask(name_of([label, "_dummy-type", "_tcp"]), "SRV").is_nxdomain()


def seeds():
    return [query_wire(question(name, kind), additional=[opt(options=options)] if options is not None else [])
            for name, kind, options in (("", "SOA", None), ("_dummy-type._tcp", "PTR", b""), ("nosuch", "A", None),
                                        ("_many._tcp", "SRV", option(OPTION_COOKIE, b"12345678") + option(OPTION_NSID)),
                                        ("_tcp.", "ANY", b""), ("super-cool-feature.features.switch", "TXT", None))]


def mutate(wire):
    wire = bytearray(wire)
    for _ in range(random.randrange(1, 6)):
        where = random.randrange(len(wire))
        what = random.randrange(5)
        if what == 0:
            wire[where] = random.randrange(256)
        elif what == 1:
            wire[where] ^= 1 << random.randrange(8)
        elif what == 2:
            del wire[where:where + random.randrange(1, 8)]
        elif what == 3:
            wire[where:where] = random.randbytes(random.randrange(1, 16))
        else:
            wire[where:] = wire[where:] * 2
        if not wire:
            return random.randbytes(random.randrange(1, 40))
    return bytes(wire[:4000])


def test_mutated_messages_over_udp_do_no_harm(server, client, seed):
    good = seeds()
    with client.udp_socket(0.2) as sock:
        for i in range(10000):
            wire = mutate(random.choice(good)) if i % 4 else random.randbytes(random.randrange(1, 600))
            try:
                sock.send(wire)
                if i % 50 == 0:
                    raw = sock.recv(65535)
                    assert len(raw) >= 12 and raw[2] & 0x80
            except TimeoutError:
                pass
    assert client.ask("", "SOA").answer_count == 1 and server.is_running()


def test_mutated_messages_over_tcp_do_no_harm(server, client, seed):
    good = seeds()
    for i in range(1000):
        wire = mutate(random.choice(good))
        with client.connect() as stream:
            length = len(wire) if i % 3 else random.randrange(65536)
            stream.sock.sendall(struct.pack("!H", length) + wire)
            if i % 10 == 0:
                stream.sock.settimeout(0.02)
                try:
                    stream.receive()
                except TimeoutError:
                    pass
    assert client.ask("", "SOA", tcp=True).answer_count == 1 and server.is_running()


# 1.5 TCP

def test_many_queries_on_one_connection_are_all_answered(client):
    names = [("_dummy-type._tcp", "PTR"), ("nosuch", "A"), ("_many._tcp", "SRV"), ("example.com.", "A"), ("", "SOA")]
    wires = [query_wire(question(*names[i % 5]), identity=i) for i in range(500)]
    with client.connect() as stream:
        stream.send(*wires)
        assert {Reply(stream.receive()).id for _ in wires} == set(range(500))
        stream.send(wires[7])
        assert Reply(stream.receive()).id == 7, "still open"


def test_a_message_may_come_octet_by_octet(client):
    with client.connect() as stream:
        stream.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire = query_wire(SOA, identity=9)
        for octet in struct.pack("!H", len(wire)) + wire:
            stream.sock.sendall(bytes([octet]))
        assert Reply(stream.receive()).id == 9


def test_a_split_anywhere_is_no_matter(client):
    wire = query_wire(SOA, identity=9)
    framed = struct.pack("!H", len(wire)) + wire
    with client.connect() as stream:
        stream.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = framed * 8
        for step in (1, 3, 7, 20, 31):
            for i in range(0, len(data), step):
                stream.sock.sendall(data[i:i + step])
            assert [Reply(stream.receive()).id for _ in range(8)] == [9] * 8


def test_a_half_closed_connection_is_answered_and_closed(client):
    with client.connect() as stream:
        stream.send(*[query_wire(question("_many._tcp", "SRV"), identity=i) for i in range(20)])
        stream.sock.shutdown(socket.SHUT_WR)
        assert {Reply(stream.receive()).id for _ in range(20)} == set(range(20))
        assert stream.receive() is None


def test_answers_come_in_one_piece_with_their_length(client):
    with client.connect() as stream:
        stream.send(query_wire(SOA))
        data = stream.sock.recv(65535)
        assert len(data) == 2 + struct.unpack("!H", data[:2])[0]


@pytest.mark.parametrize("octets", [struct.pack("!H", length) + b"x" * length for length in range(12)] + [
    b"\xff\xff" + b"x" * 100, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", bytes.fromhex("16030100f8010000f40303") + b"x" * 240,
    b"\x00"], ids=lambda octets: f"{len(octets)}")
@pytest.mark.parametrize("ending", ["close", "half", "reset"])
def test_rubbish_on_a_connection_is_harmless(server, client, octets, ending):
    with client.connect() as stream:
        stream.sock.sendall(octets)
        if ending == "half":
            with contextlib.suppress(OSError):  # it may have been closed already
                stream.sock.shutdown(socket.SHUT_WR)
            while stream.receive() is not None:
                pass
        elif ending == "reset":
            stream.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert client.ask("", "SOA", tcp=True).answer_count == 1 and server.is_running()


def test_an_idle_connection_is_closed(registry):
    dns = registry.serve("--tcp-idle", "1").dns
    with dns.connect(20) as stream:
        stream.send(query_wire(SOA))
        assert stream.receive() is not None
        assert stream.receive() is None
    with dns.connect(20) as stream:
        stream.sock.sendall(b"\0\x20half a message")
        assert stream.receive() is None


def test_a_full_house_makes_room(registry):
    dns = registry.serve("--tcp-connections", "4", "--workers", "1").dns
    streams = []
    for _ in range(12):
        streams.append(dns.connect())
        streams[-1].send(query_wire(SOA))
        assert streams[-1].receive() is not None
    for stream in streams:
        stream.sock.close()


def test_a_slow_reader_holds_up_nobody(server, client):
    with client.connect() as slow:
        slow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sock.settimeout(0.5)
        wires = [query_wire(question("_many._tcp", "SRV"), identity=i) for i in range(100)]
        try:
            for _ in range(100):
                slow.send(*wires)
        except (TimeoutError, ConnectionError):
            pass
        for _ in range(20):
            assert client.ask("", "SOA", tcp=True).answer_count == 1 and client.ask("", "SOA").answer_count == 1
    assert server.is_running()


# addresses

@pytest.mark.parametrize("listen,targets", [("0.0.0.0", ["127.0.0.1", "127.0.0.2", "127.1.2.3"]), ("::", ["::1"])])
def test_a_wildcard_replies_from_the_address_that_was_asked(registry, listen, targets):
    server = registry.serve(listen=listen)
    for target in targets:
        dns = Dns(server.port, target)
        for tcp in (False, True):
            assert dns.ask("", "SOA", tcp=tcp).answer_count == 1, target
    assert server.dns.ask("ns", "A").is_nodata(), "a wildcard is no address to tell anyone"


def test_several_addresses_are_listened_to(registry):
    server = registry.serve("--listen", f"127.0.0.9:{(port := free_port())}", "--workers", "4")
    assert Dns(port, "127.0.0.9").ask("", "SOA").answer_count == server.dns.ask("", "SOA").answer_count == 1
    assert server.dns.data("ns", "A") == ["127.0.0.1", "127.0.0.9"]
    assert f"127.0.0.9:{port}" in server.serving


def test_dig_is_content(client):
    for args in (["+tcp"], ["+notcp"], ["+noedns"], ["+cookie"], ["+nsid"], ["+dnssec"], ["+bufsize=512"]):
        out = subprocess.run(["dig", "@127.0.0.1", "-p", str(client.port), *args, "_many._tcp." + ZONE, "PTR"],
                             capture_output=True, text=True, timeout=30, check=True).stdout
        assert "status: NOERROR" in out and f"ANSWER: {MANY}" in out, out
        assert not re.search("WARN|warning|malformed|mismatch", out, re.I) or "recursion" in out, out


def test_concurrent_clients_get_their_own_answers(client):
    wait_until(lambda: client.ask("", "SOA"))
    socks = [client.udp_socket() for _ in range(50)]
    for i, sock in enumerate(socks):
        for j in range(10):
            sock.send(query_wire(question(f"instance-{i:03}._many._tcp", "SRV"), identity=i * 10 + j))
    for i, sock in enumerate(socks):
        replies = [Reply(sock.recv(1232)) for _ in range(10)]
        assert {reply.id for reply in replies} == {i * 10 + j for j in range(10)}
        assert {tuple(reply.data()) for reply in replies} == {(f"0 1 80 10-7-{i}-1.addr.empusa.internal.",)}
        sock.close()
