"""The programs that people have: dig and kdig, resolvers in front of empusa, c-ares, HAProxy."""

import http.server
import os
import select
import shutil
import socket
import subprocess
import threading
import time
import urllib.request

import pytest

import readme
import resolvers
from process import PATIENCE, Process, die_with_parent, free_port, on_free_ports, wait_until
from server import Registry
from test_zone import HOSTS, example_sets, fill_example

ODD = 'Étage 2. Büro "A\\B/ c'
ODD_TEXT = r'\195\137tage\0322\.\032B\195\188ro\032\"A\\B/\032c._web._tcp.empusa.internal.'
CROWD = 150  # BIND takes 100 unless told


@pytest.fixture(scope="module")
def example(module_registry):
    """The worked example and one odd name, with the TTLs that everybody has."""
    fill_example(module_registry)
    return module_registry.serve(*HOSTS)


@pytest.fixture(scope="module")
def lively(etcd):
    """A registry whose server lets others remember its answers for a second only."""
    registry = Registry(etcd, f"/clients-{os.getpid()}")
    fill_example(registry)
    registry.put("web", "Main", "10.1.2.9:81")
    registry.put("web", ODD, "[fd00::9]:80")
    registry.etcd.put_many((registry.service_key("crowd", f"member-{i:03}"), f"10.9.{i}.1:80") for i in range(CROWD))
    registry.server = registry.serve(*HOSTS, "--record-ttl", "1", "--negative-ttl", "1")
    yield registry
    registry.stop()


# dig and kdig

@pytest.mark.parametrize("transport", [["+notcp"], ["+tcp"]], ids=["udp", "tcp"])
@pytest.mark.parametrize("program", ["dig", "kdig"])
def test_dig_shows_every_record_of_the_example(example, program, transport):
    sets = example_sets()
    questions = [word for name, kind in sets for word in (f"{name}.empusa.internal.".lstrip("."), kind)]
    done = subprocess.run([program, "@127.0.0.1", "-p", str(example.port), "+noall", "+answer", *transport, *questions],
                          capture_output=True, text=True, timeout=30 * PATIENCE, check=True)
    shown = sorted(" ".join(line.split(None, 4)) for line in done.stdout.splitlines() if line and line[0] != ";")
    assert shown == sorted(
        f"{name}.empusa.internal. {ttl} IN {kind} {item}".lstrip(".").replace("SERIAL", str(example.dns.serial()))
        for (name, kind), (data, ttl) in sets.items() for item in data)


@pytest.mark.parametrize("program", ["dig", "kdig"])
def test_dig_finds_an_odd_name_by_the_text_it_showed(lively, program):
    def short(*words):
        return subprocess.run([program, "@127.0.0.1", "-p", str(lively.server.port), "+short", *words],
                              capture_output=True, text=True, timeout=30 * PATIENCE, check=True).stdout.splitlines()
    assert sorted(short("_web._tcp.empusa.internal", "PTR")) == sorted([ODD_TEXT, "Main._web._tcp.empusa.internal."])
    assert short(ODD_TEXT, "SRV") == ["0 1 80 fd00-0-0-0-0-0-0-9.addr.empusa.internal."]
    assert len(short("_web._tcp.", "SRV")) == 2


# resolvers

@pytest.fixture(scope="module", params=resolvers.START)
def resolver(request, lively, tmp_path_factory):
    started = resolvers.START[request.param](tmp_path_factory.mktemp(request.param), lively.server.port)
    yield started
    started.stop()


def test_a_resolver_finds_every_record(resolver):
    # The empty non-terminals first, and the NS: neither may hide what lies below.
    for name in ("_tcp", "_udp", "_dns-sd._udp", "addr", "host", "service", "switch", "features.switch"):
        assert resolver.ask(name, "A").rcode == 0, name
    assert resolver.data("", "NS") == ["ns.empusa.internal."]
    for (name, kind), (data, _) in example_sets().items():
        if kind != "SOA":
            found = resolver.data(name, kind)
            assert set(data) <= set(found) and (len(data) == len(found) or "_services" in name), (name, kind, found)


def test_a_resolver_keeps_case_and_octets(resolver):
    assert resolver.data("_web._tcp", "PTR") == sorted([ODD_TEXT, "Main._web._tcp.empusa.internal."])
    assert resolver.data(ODD_TEXT, "SRV") == ["0 1 80 fd00-0-0-0-0-0-0-9.addr.empusa.internal."]
    assert resolver.data("_web._tcp", "TXT") == sorted([
        r'"name=\195\137tage 2. B\195\188ro \"A\\B/ c" "location=[fd00::9]:80"', '"name=Main" "location=10.1.2.9:81"'])


@pytest.mark.parametrize("name,kind", [("_crowd._tcp", "SRV"), ("_crowd._tcp", "PTR"), ("_crowd._tcp", "TXT"),
                                       ("crowd.service", "A")])
def test_a_resolver_passes_on_a_crowd(resolver, name, kind):
    assert len(set(resolver.data(name, kind))) == CROWD


def test_a_resolver_says_that_a_name_is_missing_or_without_the_type(resolver):
    assert resolver.ask("nosuch._tcp", "SRV").rcode == 3
    reply = resolver.ask("_web._tcp", "A")
    assert reply.rcode == 0 and reply.answer_count == 0


def test_a_change_is_seen_through_a_resolver_once_the_ttl_is_over(resolver, lively):
    kind = f"late-{resolver.port}"
    where = f"_{kind}._tcp"
    assert resolver.ask(where, "SRV").rcode == 3
    lively.register(kind, "first", "10.7.7.7:70")
    wait_until(lambda: resolver.data(where, "SRV") == ["0 1 70 10-7-7-7.addr.empusa.internal."], 5)
    assert resolver.data("10-7-7-7.addr", "A") == ["10.7.7.7"]
    lively.unregister(kind, "first")
    wait_until(lambda: resolver.ask(where, "SRV").rcode == 3, 5)


PRIVATE = '    private-domain: "empusa.internal"\n'


@pytest.mark.parametrize("is_exempt", [True, False])
def test_unbound_takes_private_addresses_out_unless_told(lively, tmp_path, is_exempt):
    protected = "    private-address: 10.0.0.0/8\n    private-address: fd00::/8\n"
    unbound = resolvers.start_unbound(tmp_path, lively.server.port, (PRIVATE, protected + (PRIVATE if is_exempt else "")))
    try:
        for name, kind, addresses in (("dummy-type.service", "A", {"10.1.2.3", "10.9.8.7"}),
                                      ("dummy-type.service", "AAAA", {"fd00::1"})):
            reply = unbound.ask(name, kind)
            assert set(reply.data()) == (addresses if is_exempt else set()), reply.message
        assert len(unbound.data("_dummy-type._tcp", "SRV")) == 3
    finally:
        unbound.stop()


# c-ares

def cares_query(port, name, kind):
    """c-ares' results and error for a question: one of the two is None."""
    pycares = pytest.importorskip("pycares")
    channel = pycares.Channel(servers=["127.0.0.1"], udp_port=port, tcp_port=port, timeout=5)
    done = []
    channel.query(name, getattr(pycares, f"QUERY_TYPE_{kind}"), lambda *result: done.append(result))
    while not done:
        reading, writing = channel.getsock()
        reading, writing, _ = select.select(reading, writing, [], channel.timeout())
        for sock in reading or [pycares.ARES_SOCKET_BAD]:
            channel.process_fd(sock, pycares.ARES_SOCKET_BAD)
        for sock in writing:
            channel.process_fd(pycares.ARES_SOCKET_BAD, sock)
    return done[0]


def test_c_ares_reads_the_answers(example):
    kind = "dummy-type"
    srvs, _ = cares_query(example.port, f"_{kind}._tcp.empusa.internal", "SRV")
    assert sorted(f"{srv.priority} {srv.weight} {srv.port} {srv.host}." for srv in srvs) == \
        sorted(example_sets()[f"_{kind}._tcp", "SRV"][0])
    ptr, _ = cares_query(example.port, f"_{kind}._tcp.empusa.internal", "PTR")
    assert ptr.name.endswith(f"._{kind}._tcp.empusa.internal")
    addresses, _ = cares_query(example.port, f"{kind}.service.empusa.internal", "A")
    assert {address.host for address in addresses} == {"10.1.2.3", "10.9.8.7"}
    addresses, _ = cares_query(example.port, f"{kind}.service.empusa.internal", "AAAA")
    assert [address.host for address in addresses] == ["fd00::1"]
    strings, _ = cares_query(example.port, "super-cool-feature.features.switch.empusa.internal", "TXT")
    assert [string.text for string in strings] == ["enabled"]


def test_c_ares_takes_a_crowd_over_tcp_and_the_srv_of_an_odd_name(lively):
    srvs, _ = cares_query(lively.server.port, "_crowd._tcp.empusa.internal", "SRV")
    assert len(srvs) == CROWD
    escaped = ODD.replace("\\", r"\\").replace(".", r"\.")  # it reads a backslash so, but never \DDD
    srvs, _ = cares_query(lively.server.port, f"{escaped}._web._tcp.empusa.internal".encode(), "SRV")
    assert [srv.port for srv in srvs] == [80]


# HAProxy

class _Shop(http.server.ThreadingHTTPServer):
    """A web server that says its name."""

    daemon_threads = True

    def __init__(self, name):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(name)))
                self.end_headers()
                self.wfile.write(name.encode())

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def location(self):
        return f"127.0.0.1:{self.server_port}"

    def close(self):
        self.shutdown()
        self.server_close()


@pytest.fixture
def shops():
    made = {name: _Shop(name) for name in ("one", "two")}
    yield made
    for shop in made.values():
        shop.close()


HAPROXY = """
global
    stats socket {directory}/stats
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend web
    bind 127.0.0.1:{port}
    default_backend shop
"""


@on_free_ports
def start_haproxy(*args):
    started = Haproxy(*args)
    wait_until(started.is_up, what="haproxy")
    return started


class Haproxy(Process):
    """The README's lines, but it asks again sooner, whatever the TTL, and takes servers that share an address."""

    CHANGES = (("resolvers empusa\n", "resolvers empusa\n    hold valid 200ms\n    timeout resolve 200ms\n"),
               (" resolve-opts allow-dup-ip", ""),
               (" resolvers empusa check", " resolvers empusa resolve-opts allow-dup-ip check"))

    def __init__(self, directory, server_port, *changes):
        if not shutil.which("haproxy"):
            pytest.skip("no haproxy here")
        self.port, self.control = free_port(), str(directory / "stats")
        lines = readme.moved(readme.block("HAProxy, with the server at"), server_port, ":")
        for before, after in (*self.CHANGES, *changes):
            lines = lines.replace(before, after, 1)
        assert "hold valid" in lines and "allow-dup-ip" in lines, lines
        path = directory / "haproxy.cfg"
        path.write_text(HAPROXY.format(port=self.port, directory=directory) + lines)
        super().__init__(["haproxy", "-db", "-f", path])

    def is_up(self):
        self.check()
        with socket.socket() as probe, socket.socket(socket.AF_UNIX) as control:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0 and control.connect_ex(self.control) == 0

    def servers(self):
        """{port: weight} of the servers that it knows."""
        with socket.socket(socket.AF_UNIX) as control:
            if control.connect_ex(self.control) != 0:
                return {}
            control.sendall(b"show servers state shop\n")
            text = b"".join(iter(lambda: control.recv(65536), b"")).decode()
        title, *rows = [line.removeprefix("# ").split() for line in text.splitlines()[1:] if line]
        rows = [dict(zip(title, row)) for row in rows]
        return {int(row["srv_port"]): int(row["srv_uweight"]) for row in rows
                if row["srv_port"] != "0" and row["srv_addr"] not in ("", "-")}

    def answers(self):
        """Who answers ten requests."""
        heard = set()
        for _ in range(10):
            done = subprocess.run(["curl", "-s", "--max-time", "10", f"http://127.0.0.1:{self.port}/"],
                                  capture_output=True, text=True, preexec_fn=die_with_parent, check=False)
            heard.add(done.stdout if done.returncode == 0 else "")
        return heard


@pytest.fixture
def haproxy(registry, shops, tmp_path):
    for name, shop in shops.items():
        registry.register("web", name, shop.location)
    started = start_haproxy(tmp_path, registry.serve().port)
    yield started
    started.stop()


def test_haproxy_follows_the_registry(haproxy, registry, shops):
    ports = {name: shop.server_port for name, shop in shops.items()}

    def weights():
        known = haproxy.servers()
        return {name: known.get(port) for name, port in ports.items()}

    wait_until(lambda: all(weights().values()), what="both servers")
    wait_until(lambda: haproxy.answers() == {"one", "two"})
    registry.ok("service", "drain", "--service-type", "web", "--service-name", "one")
    wait_until(lambda: weights()["one"] == 0, what="weight 0")
    assert weights()["two"] > 0 and haproxy.answers() == {"two"}
    registry.ok("service", "undrain", "--service-type", "web", "--service-name", "one")
    wait_until(lambda: weights()["one"], what="a weight again")
    registry.unregister("web", "two")
    wait_until(lambda: set(haproxy.servers()) == {ports["one"]}, what="one server")
    assert haproxy.answers() == {"one"}


def _asked(port):
    """Questions over TCP that a server has answered."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10 * PATIENCE) as reply:
        return sum(int(line.split()[-1]) for line in reply.read().decode().splitlines()
                   if line.startswith("empusa_dns_queries_total{") and 'transport="tcp"' in line)


def test_haproxy_keeps_its_servers_while_a_type_grows_and_shrinks(registry, tmp_path):
    def put(first, end):
        registry.etcd.put_many((registry.service_key("web", f"member-{i}"), f"127.1.{i // 200}.{i % 200 + 1}:{20000 + i}")
                               for i in range(first, end))
    put(0, 100)
    status = free_port()
    process = start_haproxy(tmp_path, registry.serve("--http", f"127.0.0.1:{status}").port,
                            (" shop 20 ", " shop 320 "), (" check", ""))
    try:
        wait_until(lambda: len(process.servers()) == 100, what="100 servers")
        for count in (150, 170, 300):
            before = len(process.servers())
            put(before, count)
            known = []
            wait_until(lambda: known.append(len(process.servers())) or known[-1] == count, what=f"{count} servers")
            assert min(known) >= before, "servers were lost"
        before, begun = _asked(status), time.monotonic()
        time.sleep(3)
        assert len(process.servers()) == 300
        # One question each 200 ms, for the whole type.
        assert _asked(status) - before < 20 * (time.monotonic() - begun)
        for i in range(120, 300):
            registry.delete("service", "web", f"member-{i}")
        wait_until(lambda: len(process.servers()) == 120, 20, what="120 servers")
    finally:
        process.stop()


@pytest.mark.parametrize("count", [60, 120])
@pytest.mark.parametrize("hosts", [1, 120])
def test_haproxy_takes_a_crowd(registry, tmp_path, count, hosts):
    registry.etcd.put_many((registry.service_key("web", f"member-{i}"), f"127.0.{i % hosts}.1:{20000 + i}")
                           for i in range(count))
    process = start_haproxy(tmp_path, registry.serve().port, (" shop 20 ", f" shop {count} "), (" check", ""))
    try:
        wait_until(lambda: len(process.servers()) == count, what=f"{count} servers")
    finally:
        process.stop()
