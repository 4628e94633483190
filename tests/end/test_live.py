"""Changes and faults while answering: what DNS shows, what it never shows."""

import http.client
import http.server
import os
import re
import signal
import socket
import threading
import time
import urllib.error
import urllib.request

import pytest

from dns_client import EDE_INVALID, EDE_NOT_READY, EDE_STALE, ZONE
from process import PATIENCE, Process, free_port, wait_until
from relay import Relay
from server import BINARY, clean_environment, run
from test_status_http import Stopped

SERVFAIL = 2
OLD = ["0 1 80 10-0-0-1.addr.empusa.internal."]


def is_stale(dns, name="n._t._tcp", kind="SRV"):
    return dns.ask(name, kind, edns=1232).ede == EDE_STALE


def ports(dns, kind="t"):
    return sorted(int(data.split()[2]) for data in dns.data(f"_{kind}._tcp", "SRV"))


@pytest.fixture
def relay(own_etcd):
    link = Relay(own_etcd.members[0].port)
    yield link
    link.stop()


# changes

def test_what_the_command_line_does_is_visible(registry):
    dns = registry.serve().dns
    assert dns.ask("n._t._tcp", "SRV").is_nxdomain()
    registry.register("t", "n", "10.0.0.1:80", "--txt", "a=b")
    wait_until(lambda: dns.data("n._t._tcp", "SRV") == OLD)
    registry.wait_served(dns)
    assert dns.data("n._t._tcp", "TXT") == ['"a=b"'] and dns.data("_services._dns-sd._udp", "PTR") == [f"_t._tcp.{ZONE}"]
    assert dns.data("t.service", "A") == ["10.0.0.1"]
    registry.register("t", "n", "10.0.0.2:81")
    wait_until(lambda: dns.data("n._t._tcp", "SRV") == ["0 1 81 10-0-0-2.addr.empusa.internal."])
    registry.wait_served(dns)
    assert dns.data("n._t._tcp", "TXT") == ['""'] and dns.ask("10-0-0-1.addr", "A").is_nxdomain()
    registry.ok("service", "drain", "--service-type", "t", "--service-name", "n")
    wait_until(lambda: dns.data("n._t._tcp", "SRV") == ["0 0 81 10-0-0-2.addr.empusa.internal."])
    registry.unregister("t", "n")
    wait_until(lambda: dns.ask("n._t._tcp", "SRV").is_nxdomain())
    registry.wait_served(dns)
    for name in ("_t._tcp", "10-0-0-2.addr", "t.service", "n.t.service", "_services._dns-sd._udp"):
        assert dns.ask(name, "PTR").answer_count == 0, name
    assert dns.ask("_t._tcp", "PTR").is_nxdomain()
    registry.ok("switch", "set", "a/b", "on")
    wait_until(lambda: dns.data("b.a.switch", "TXT") == ['"on"'])
    registry.ok("switch", "toggle", "a/b")
    wait_until(lambda: dns.data("b.a.switch", "TXT") == ['"no"'])
    registry.ok("switch", "remove", "a/b")
    wait_until(lambda: dns.ask("b.a.switch", "TXT").is_nxdomain())


def test_the_serial_is_the_revision_of_the_change(registry):
    dns = registry.serve().dns
    before = dns.serial()
    for i in range(5):
        revision = registry.put("t", "n", f"10.0.0.1:{i + 1}")
        wait_until(lambda: ports(dns) == [i + 1])
        registry.wait_served(dns)
        assert before < dns.serial() == revision & 0xFFFFFFFF
        before = revision
    registry.etcd.put("/elsewhere/x", "y")
    assert dns.serial() == before


def test_an_expired_lease_leaves_dns(registry):
    dns = registry.serve().dns
    registry.register("t", "n", "10.0.0.1:80", "--ttl", "2")
    wait_until(lambda: dns.data("n._t._tcp", "SRV") == OLD)
    wait_until(lambda: dns.ask("n._t._tcp", "SRV").is_nxdomain())


def test_a_thousand_changes_at_once_are_followed(registry):
    dns = registry.serve().dns
    registry.etcd.put_many((registry.service_key("t", f"n{i:04}"), f"10.0.0.{i % 8}:{i + 1}") for i in range(1000))
    wait_until(lambda: len(ports(dns)) == 1000)
    registry.etcd.put_many((registry.service_key("t", f"n{i:04}"), f"10.1.0.{i % 8}:{i + 1}") for i in range(500))
    last = name = f"n{499:04}._t._tcp"
    wait_until(lambda: dns.data(last, "SRV") == ["0 1 500 10-1-0-3.addr.empusa.internal."], what=name)
    registry.wait_served(dns)
    assert len(dns.data("t.service", "A")) == 16
    registry.etcd.delete_prefix(registry.key("service", "t", "n00"))
    wait_until(lambda: len(ports(dns)) == 900)
    assert ports(dns) == list(range(101, 1001))
    registry.etcd.delete_prefix(registry.root + "/")
    wait_until(lambda: dns.ask("_t._tcp", "SRV").is_nxdomain())


def test_no_answer_points_at_a_missing_name_while_things_change(registry):
    registry.put("t", "stays", "10.9.9.9:9")
    dns = registry.serve().dns
    for i in range(60):
        registry.put("t", "n", f"10.0.0.{i}:80") if i % 3 else registry.delete("service", "t", "n")
        reply = dns.ask("_t._tcp", "PTR", edns=1232)
        assert reply.rcode == 0 and f"stays._t._tcp.{ZONE}" in reply.data()
        owners = {record[0] for record in reply.records("additional")}
        for target in reply.data("additional", "SRV"):
            assert target.split()[3] in owners


def test_two_servers_on_one_etcd_agree(registry):
    registry.put("t", "early", "10.0.0.9:9")
    one = registry.serve().dns
    for i in range(20):
        registry.put("t", f"n{i}", f"10.0.0.{i % 4}:{i + 1}")
    registry.delete("service", "t", "n3")
    two = registry.serve().dns
    revision = registry.put("u", "last", "10.0.1.1:80")
    for dns in (one, two):
        wait_until(lambda: dns.data("last._u._tcp", "SRV"))
    registry.wait_served(one, two)
    assert one.serial() == two.serial() == revision
    for name, kind in (("_t._tcp", "SRV"), ("_t._tcp", "PTR"), ("_t._tcp", "TXT"), ("t.service", "A"), ("", "SOA"),
                       ("_services._dns-sd._udp", "PTR"), ("n3._t._tcp", "SRV"), ("nosuch", "A")):
        left, right = one.ask(name, kind, tcp=True), two.ask(name, kind, tcp=True)
        assert left.rcode == right.rcode and left.lines() == right.lines() and left.lines("authority") == right.lines(
            "authority")


# without etcd

def test_without_etcd_it_starts_not_ready_and_becomes_ready(own_registry):
    etcd = own_registry.etcd
    own_registry.put("t", "n", "10.0.0.1:80")
    etcd.kill()
    server = own_registry.serve_unready()
    dns = server.dns
    wait_until(lambda: server.find_line(r"^(WARNING|ERROR):root:.*" + re.escape(etcd.endpoints)))
    for tcp in (False, True):
        reply = dns.ask("n._t._tcp", "SRV", edns=1232, tcp=tcp)
        assert reply.rcode == SERVFAIL and reply.ede == EDE_NOT_READY and reply.answer_count == 0
    assert dns.ask("", "SOA").rcode == SERVFAIL and dns.ask("", "SOA").message.edns == -1
    assert server.find_line("serving") is None
    etcd.start()
    server.wait_ready()
    assert dns.data("n._t._tcp", "SRV") == OLD


def test_a_server_that_never_was_ready_stops_on_a_signal(own_registry):
    own_registry.etcd.kill()
    server = own_registry.serve_unready()
    wait_until(lambda: server.err)
    assert server.stop() == 0


@pytest.mark.parametrize("fault", ["stopped", "killed", "hanging", "cut"])
def test_etcd_away_leaves_answers_that_are_marked_stale(own_registry, relay, fault):
    etcd = own_registry.etcd
    own_registry.put("t", "n", "10.0.0.1:80")
    server = own_registry.serve("--record-ttl", "60", "--negative-ttl", "40", endpoints=relay.endpoint)
    dns = server.dns
    assert dns.ask("n._t._tcp", "SRV").ttls() == {60}
    {"stopped": etcd.pause, "killed": etcd.kill, "hanging": relay.hang, "cut": relay.cut}[fault]()
    wait_until(lambda: is_stale(dns))
    for tcp in (False, True):
        reply = dns.ask("n._t._tcp", "SRV", edns=1232, tcp=tcp)
        assert reply.data() == OLD and reply.ttls() == {30} and reply.has("AA")
        assert max(reply.ttls("additional") - {0}) <= 30
        assert dns.ask("n._t._tcp", "SRV", tcp=tcp).message.edns == -1
        missing = dns.ask("nosuch._t._tcp", "SRV", edns=1232, tcp=tcp)
        assert missing.is_nxdomain() and missing.soa.ttl <= 30 and missing.ede == EDE_STALE
        assert max(dns.ask("", "NS", tcp=tcp).ttls()) <= 30 and max(dns.ask("", "SOA", tcp=tcp).ttls()) <= 30
    {"stopped": etcd.resume, "killed": etcd.start, "hanging": relay.heal, "cut": relay.heal}[fault]()
    own_registry.put("t", "n", "10.0.0.2:80")
    wait_until(lambda: dns.data("n._t._tcp", "SRV") == ["0 1 80 10-0-0-2.addr.empusa.internal."], 30)
    wait_until(lambda: not is_stale(dns))
    assert dns.ask("n._t._tcp", "SRV").ttls() == {60}
    server.wait_line("contact with etcd again")
    complaints = [line for line in server.err if line.startswith(("WARNING:", "ERROR:"))]
    assert 1 <= len(complaints) <= 3, complaints


def test_after_the_stale_limit_it_fails_rather_than_lies(own_registry):
    own_registry.put("t", "n", "10.0.0.1:80")
    dns = own_registry.serve("--stale-limit", "2").dns
    own_registry.etcd.kill()
    wait_until(lambda: dns.ask("n._t._tcp", "SRV").rcode == SERVFAIL, 30)
    for name in ("n._t._tcp", "nosuch", ""):
        reply = dns.ask(name, "SRV", edns=1232)
        assert reply.rcode == SERVFAIL and reply.ede == EDE_INVALID and reply.answer_count == 0
    own_registry.etcd.start()
    wait_until(lambda: dns.data("n._t._tcp", "SRV") == OLD, 30)


def test_an_outage_that_is_over_does_not_count_against_the_stale_limit(own_registry, relay):
    own_registry.put("t", "n", "10.0.0.1:80")
    server = own_registry.serve("--stale-limit", "3", endpoints=relay.endpoint)
    dns = server.dns
    relay.cut()
    wait_until(lambda: is_stale(dns))
    relay.heal()
    wait_until(lambda: dns.ask("n._t._tcp", "SRV", edns=1232).ede is None)
    end = time.monotonic() + 3.5
    while time.monotonic() < end:
        reply = dns.ask("n._t._tcp", "SRV", edns=1232)
        assert reply.data() == OLD and reply.ede is None
        time.sleep(0.1)
    assert not any("away for --stale-limit" in line for line in server.said())


class WithoutWatch(http.server.BaseHTTPRequestHandler):
    """A gateway that passes everything on to `target` but watches."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.endswith("/watch"):
            self.close_connection = True
            return
        connection = http.client.HTTPConnection(self.server.target, timeout=5)
        connection.request(self.command, self.path, body)
        reply = connection.getresponse()
        data = reply.read()
        self.send_response(reply.status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET

    def log_message(self, *_):
        pass


def test_a_load_without_a_watch_counts_as_away(own_registry):
    own_registry.put("t", "n", "10.0.0.1:80")
    port = free_port()
    server = own_registry.serve_unready("--stale-limit", "2", endpoints=f"127.0.0.1:{port}")
    wait_until(lambda: server.find_line(r"^WARNING:root:no contact with etcd"), 30)
    dns = server.dns
    assert dns.ask("n._t._tcp", "SRV", edns=1232).ede == EDE_NOT_READY
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), WithoutWatch) as gateway:
        gateway.target = own_registry.etcd.endpoints
        threading.Thread(target=gateway.serve_forever, daemon=True).start()
        wait_until(lambda: is_stale(dns), 30)
        wait_until(lambda: dns.ask("n._t._tcp", "SRV", edns=1232).ede == EDE_INVALID, 30)
        gateway.shutdown()


def test_a_short_interruption_is_caught_up_with(own_registry, relay):
    for i in range(10):
        own_registry.put("t", f"n{i}", f"10.0.0.{i}:{i + 1}")
    dns = own_registry.serve(endpoints=relay.endpoint).dns
    relay.cut()
    wait_until(lambda: is_stale(dns, "_t._tcp"))
    own_registry.delete("service", "t", "n0")
    own_registry.put("t", "n1", "10.0.0.1:100")
    own_registry.put("t", "new", "10.0.0.99:99")
    relay.heal()
    wait_until(lambda: ports(dns) == [3, 4, 5, 6, 7, 8, 9, 10, 99, 100], 30)


def test_a_compaction_while_away_is_answered_by_a_reload(own_registry, relay):
    for i in range(300):
        own_registry.put("t", f"n{i}", f"10.0.0.1:{i + 1}")
    server = own_registry.serve(endpoints=relay.endpoint)
    dns = server.dns
    relay.cut()
    wait_until(lambda: is_stale(dns, "_t._tcp"))
    own_registry.etcd.delete_prefix(own_registry.key("service", "t", "n1"))
    own_registry.put("t", "new", "10.0.0.1:999")
    own_registry.etcd.compact()
    own_registry.put("t", "newer", "10.0.0.1:1000")
    relay.heal()
    kept = [i + 1 for i in range(300) if not str(i).startswith("1")]

    def caught_up():
        seen = ports(dns)
        assert set(kept) <= set(seen), "nothing flaps"
        return seen == kept + [999, 1000]
    wait_until(caught_up, 30)
    own_registry.wait_served(dns)
    assert dns.serial() == own_registry.etcd.revision()


@pytest.mark.parametrize("token", [None, "another"], ids=["same-cluster-id", "other-cluster-id"])
@pytest.mark.parametrize("busy", [False, True], ids=["at-a-lower-revision", "at-a-higher-revision"])
def test_a_wiped_etcd_is_loaded_again(own_registry, relay, busy, token):
    for i in range(20):
        own_registry.put("t", f"old{i}", f"10.0.0.1:{i + 1}")
    dns = own_registry.serve(endpoints=relay.endpoint).dns
    serial = dns.serial()
    relay.cut()
    own_registry.etcd.wipe(token)
    for i in range(60 if busy else 3):
        own_registry.put("t", f"new{i}", f"10.0.0.2:{i + 101}")
    relay.heal()
    wait_until(lambda: ports(dns) == list(range(101, 161 if busy else 104)), 30)
    wait_until(lambda: dns.serial() != serial)
    assert (dns.serial() - serial) % (1 << 32) < 1 << 31, "never backwards"
    own_registry.put("t", "last", "10.0.0.3:7")
    wait_until(lambda: 7 in ports(dns))


def test_a_restored_etcd_is_loaded_again(own_registry, relay):
    own_registry.put("t", "n", "10.0.0.1:1")
    own_registry.etcd.save()
    for i in range(10):
        own_registry.put("t", f"later{i}", f"10.0.0.1:{i + 10}")
    dns = own_registry.serve(endpoints=relay.endpoint).dns
    assert len(ports(dns)) == 11
    relay.cut()
    own_registry.etcd.restore()
    relay.heal()
    wait_until(lambda: ports(dns) == [1], 30)


def test_a_server_that_slept_through_a_compaction_catches_up(own_registry):
    for i in range(50):
        own_registry.put("t", f"n{i}", f"10.0.0.1:{i + 1}")
    server = own_registry.serve()
    server.send(signal.SIGSTOP)
    own_registry.etcd.delete_prefix(own_registry.key("service", "t", "n1"))
    for i in range(200):
        own_registry.put("u", "n", f"10.0.0.2:{i + 1}")
    own_registry.etcd.compact()
    server.send(signal.SIGCONT)
    wait_until(lambda: ports(server.dns, "u") == [200], 30)
    own_registry.wait_served(server.dns)
    assert ports(server.dns) == [i + 1 for i in range(50) if not str(i).startswith("1")]


def test_a_restarted_server_has_the_same_serial(registry):
    registry.put("t", "n", "10.0.0.1:80")
    first = registry.serve()
    serial = first.dns.serial()
    assert first.stop() == 0
    assert registry.serve().dns.serial() == serial


@pytest.mark.long
def test_a_gap_too_long_to_replay_is_loaded(own_registry, relay):
    own_registry.put("t", "n", "10.0.0.1:1")
    dns = own_registry.serve(endpoints=relay.endpoint).dns
    relay.cut()
    for i in range(250):
        own_registry.etcd.put_many((f"/elsewhere/{j}", str(i)) for j in range(100))
    for i in range(21000):
        own_registry.etcd.put("/elsewhere/x", str(i))
    own_registry.put("t", "n", "10.0.0.1:2")
    relay.heal()
    wait_until(lambda: ports(dns) == [2], 30)


@pytest.mark.long
def test_a_large_tree_is_loaded_and_followed(own_registry):
    own_registry.etcd.put_many((own_registry.service_key(f"t{i % 100}", f"n{i:05}"), f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}:80")
                               for i in range(60000))
    server = own_registry.serve()
    assert " 60000 services" in server.serving
    own_registry.put("t7", "last", "10.99.0.1:80")
    wait_until(lambda: server.dns.data("last._t7._tcp", "SRV"))
    own_registry.etcd.delete_prefix(own_registry.key("service", "t7") + b"/")
    wait_until(lambda: server.dns.ask("_t7._tcp", "PTR").is_nxdomain())


# the process

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well(registry, number):
    server = registry.serve()
    with server.dns.connect():
        assert server.stop(number) == 0
    with pytest.raises(ConnectionError):
        server.dns.connect()


def test_the_port_is_free_again_at_once(registry):
    first = registry.serve()
    assert first.dns.ask("", "SOA", tcp=True).answer_count == 1
    assert first.stop() == 0
    again = Process([BINARY, "serve", "--no-resolve-hosts", "--listen", f"127.0.0.1:{first.port}"], env=registry.env)
    registry.processes.append(again)
    again.wait_line("serving")


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM], ids=["udp", "tcp"])
def test_a_port_that_is_taken_is_a_clear_error(registry, kind):
    port = free_port()
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        line = run("serve", "--listen", f"127.0.0.1:{port}", env=registry.env).error_line()
    assert line.startswith("ERROR:root:") and f"127.0.0.1:{port}" in line


def test_a_second_server_on_the_port_fails_clearly(registry):
    server = registry.serve()
    line = run("serve", "--listen", f"127.0.0.1:{server.port}", env=registry.env).error_line()
    assert line.startswith("ERROR:root:") and f"127.0.0.1:{server.port}" in line
    assert server.dns.ask("", "SOA").answer_count == 1


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told_when_it_is_ready(registry, tmp_path, abstract):
    name = f"@empusa-e2e-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name[1:] if abstract else name)
        sock.settimeout(20)
        registry.serve(env={"NOTIFY_SOCKET": name})
        assert b"READY=1" in sock.recv(1024).split(b"\n")


def start_under(manager, registry, kind, **env):
    env = {"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "200000", **env}
    if kind == "serve":
        return registry.serve("--allow-transfer", "127.0.0.0/8", env=env)
    return registry.hold("t", "n", "10.0.0.1:80", "--ttl", "5", "--refresh-every", "1", env=env)


@pytest.mark.parametrize("kind", ["serve", "keeper"])
def test_systemd_is_told_that_it_lives_until_it_ends(registry, manager, kind):
    process = start_under(manager, registry, kind)
    heard = manager.hear_until("READY=1", process)
    assert set(heard) <= {"READY=1", "WATCHDOG=1"}
    for _ in range(5):
        assert manager.hear() == ("WATCHDOG=1", process.pid)
    if kind == "serve":
        assert process.dns.ask("", "SOA", tcp=True).rcode == 0
    assert process.stop() == 0
    manager.hear_until("STOPPING=1", process)


@pytest.mark.parametrize("kind", ["serve", "keeper"])
def test_a_loop_that_is_stuck_gives_no_sign_of_life(registry, manager, kind):
    """In the server all others go on."""
    process = start_under(manager, registry, kind)
    manager.hear_until("READY=1", process)
    manager.hear_until("WATCHDOG=1", process)
    with Stopped(process.pid):
        while manager.hear(None):
            pass
        assert manager.hear(1.0 / PATIENCE) is None
        if kind == "serve":
            assert process.dns.ask("", "SOA").rcode == 0
    manager.hear_until("WATCHDOG=1", process)


@pytest.mark.parametrize("kind", ["serve", "keeper"])
def test_signs_of_life_that_others_are_to_give_are_not_given(registry, manager, kind):
    process = start_under(manager, registry, kind, WATCHDOG_PID=str(os.getpid()))
    manager.hear_until("READY=1", process)
    assert manager.hear(1.0 / PATIENCE) is None


def test_systemd_is_not_told_by_the_etcd_of_dev(manager, tmp_path):
    """etcd says that it is ready, too, to whom it finds in its environment."""
    env = clean_environment(NOTIFY_SOCKET=manager.name, WATCHDOG_USEC="200000", TMPDIR=str(tmp_path))
    process = Process([BINARY, "dev", "--listen", f"127.0.0.1:{free_port()}"], env=env)
    manager.hear_until("READY=1", process)
    assert process.stop() == 0
    manager.hear_until("STOPPING=1", process)


def test_a_summary_is_logged_on_request(registry):
    registry.put("t", "n", "10.0.0.1:80")
    server = registry.serve()
    before = len(server.err)
    server.send(signal.SIGUSR1)
    server.wait_line("^INFO:root:", start=before)
    server.send(signal.SIGHUP)
    assert server.dns.ask("", "SOA").answer_count == 1


def test_only_reading_is_done(own_registry):
    own_registry.put("t", "n", "10.0.0.1:80")
    revision = own_registry.etcd.revision()
    server = own_registry.serve()
    server.dns.ask("n._t._tcp", "SRV")
    assert server.stop() == 0 and own_registry.etcd.revision() == revision


@pytest.mark.serve_has("--state-dir")
def test_the_last_known_tree_is_served_without_etcd(own_registry, tmp_path):
    own_registry.put("t", "n", "10.0.0.1:80")
    own_registry.put_switch("s", "v")
    first = own_registry.serve("--state-dir", str(tmp_path))
    serial = first.dns.serial()
    own_registry.put("t", "o", "10.0.0.1:81")
    wait_until(lambda: len(ports(first.dns)) == 2)
    assert first.stop() == 0 and os.listdir(tmp_path)
    own_registry.etcd.kill()
    second = own_registry.serve_unready("--state-dir", str(tmp_path))
    wait_until(lambda: second.err and second.dns.ask("n._t._tcp", "SRV").data() == OLD)
    assert is_stale(second.dns) and second.dns.data("s.switch", "TXT") == ['"v"'] and ports(second.dns) == [80, 81]
    assert second.dns.serial() > serial
    own_registry.etcd.start()
    own_registry.put("t", "p", "10.0.0.1:82")
    wait_until(lambda: ports(second.dns) == [80, 81, 82] and not is_stale(second.dns), 30)


@pytest.mark.serve_has("--state-dir")
@pytest.mark.parametrize("octets", [b"", b"rubbish", b"\0" * 5000])
def test_a_spoilt_state_is_no_state(own_registry, tmp_path, octets):
    own_registry.put("t", "n", "10.0.0.1:80")
    assert own_registry.serve("--state-dir", str(tmp_path)).stop() == 0
    for path in tmp_path.iterdir():
        path.write_bytes(octets)
    own_registry.etcd.kill()
    server = own_registry.serve_unready("--state-dir", str(tmp_path))
    wait_until(lambda: server.dns.udp_socket() and server.err)
    assert server.dns.ask("n._t._tcp", "SRV", edns=1232).ede == EDE_NOT_READY
    own_registry.etcd.start()
    server.wait_ready()


@pytest.mark.serve_has("--http")
def test_status_pages_tell_its_state(own_registry):
    def get(path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    port = free_port()
    own_registry.put("t", "n", "10.0.0.1:80")
    own_registry.put("t", "bad", "rubbish")
    own_registry.etcd.kill()
    server = own_registry.serve_unready("--http", f"127.0.0.1:{port}")
    wait_until(lambda: server.err)
    assert get("/healthz")[0] == 200 and get("/readyz")[0] == 503 and get("/nosuch")[0] == 404
    own_registry.etcd.start()
    server.wait_ready()
    assert get("/readyz")[0] == 200
    server.dns.ask("n._t._tcp", "SRV")
    status, text = get("/metrics")
    assert status == 200 and all(re.fullmatch(r"(#.*|\w+(\{.*\})? [-+.\deE]+)?", line) for line in text.splitlines()), text
    assert "empusa_" in text
