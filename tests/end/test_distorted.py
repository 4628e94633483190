"""A proxy that spoils etcd's replies, and keys and values that are too long: neither empties a zone."""

import http.client
import http.server
import threading
import time

import pytest

from dns_client import EDE_STALE
from etcd import Etcd
from process import wait_until

MIB = 1 << 20


class Distorter:
    """Passes requests on to one member; what comes back, but for watches, is as `distort` (path, body) makes it."""

    def __init__(self, member):
        self.distort = None
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                self.pass_on(None)

            def do_POST(self):
                self.pass_on(self.rfile.read(int(self.headers.get("Content-Length", 0))))

            def pass_on(self, body):
                upstream = http.client.HTTPConnection("127.0.0.1", member.port, timeout=60)
                headers = {"Content-Type": "application/json"}
                if "Authorization" in self.headers:
                    headers["Authorization"] = self.headers["Authorization"]
                try:
                    upstream.request(self.command, self.path, body, headers)
                    reply = upstream.getresponse()
                    if self.path.endswith("/watch"):
                        self.stream(reply)
                    else:
                        self.answer(reply.status, reply.read())
                except OSError:
                    self.close_connection = True
                finally:
                    upstream.close()

            def answer(self, status, data):
                if outer.distort and status == 200 and self.path != "/version":
                    data = outer.distort(self.path, data)
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def stream(self, reply):
                self.send_response(reply.status)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                while line := reply.readline():
                    if outer.distort:
                        line = outer.distort(self.path, line)
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                self.close_connection = True

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.endpoint = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def distorter(own_etcd):
    proxy = Distorter(own_etcd.members[0])
    yield proxy
    proxy.stop()


NO_REVISION = b'{"header":{"cluster_id":"1","member_id":"1","raft_term":"2"}}'

DISTORTIONS = {
    "an empty object": lambda path, data: b"{}",
    "an array": lambda path, data: b"[]",
    "nothing": lambda path, data: b"",
    "null": lambda path, data: b"null",
    "HTML": lambda path, data: b"<html><body>Please sign in</body></html>",
    "no revision": lambda path, data: NO_REVISION,
    "half": lambda path, data: data[:len(data) // 2],
    "something behind it": lambda path, data: data + b"<!-- served by a proxy -->",
    "no keys": lambda path, data: data.replace(b'"kvs"', b'"keys"'),
    "another method's": lambda path, data: data.replace(b'"kvs"', b'"prev_kvs"').replace(b'"count"', b'"deleted"'),
}


@pytest.mark.parametrize("how", DISTORTIONS)
def test_a_distorted_reply_is_not_believed(distorter, own_registry, how):
    registry, etcd = own_registry, own_registry.etcd
    names = [f"n{i}" for i in range(5)]
    for name in names:
        registry.put("t", name, "10.0.0.1:80")
    server = registry.serve(endpoints=distorter.endpoint)
    keeper_env = {"EMPUSA_ETCD_ENDPOINT": distorter.endpoint}
    keeper = registry.start("service", "register", "--service-type", "k", "--service-name", "k", "--service-location",
                            "10.0.0.2:80", "--ttl", "30", "--refresh-every", "1", env=keeper_env)
    keeper.wait_line("registered$")
    lease = registry.service("k", "k").lease
    distorter.distort = DISTORTIONS[how]
    etcd.kill()  # so that all is asked again
    etcd.start()

    for _ in range(15):
        assert server.dns.ask("n0._t._tcp", "SRV").rcode == 0
        assert registry.service("k", "k").lease == lease
        time.sleep(0.2)
    listed = registry("service", "list", "--format", "json", env=keeper_env)
    assert listed.status == 1 or "n4" in listed.out, listed
    distorter.distort = None
    registry.put("t", "later", "10.0.0.1:80")
    wait_until(lambda: server.dns.data("later._t._tcp", "SRV"), 30)
    assert all(server.dns.data(f"{name}._t._tcp", "SRV") for name in names)


def test_a_fresh_server_waits_for_sense(distorter, own_registry):
    own_registry.put("t", "n", "10.0.0.1:80")
    distorter.distort = DISTORTIONS["an empty object"]
    server = own_registry.serve_unready(endpoints=distorter.endpoint)
    server.wait_line("no contact with etcd.*makes no sense")
    assert server.dns.ask("n._t._tcp", "SRV").rcode == 2
    distorter.distort = None
    server.wait_ready()
    assert server.dns.data("n._t._tcp", "SRV")


@pytest.fixture
def roomy(bind_registry):
    server = Etcd(options=["--max-request-bytes", str(12 * MIB)])
    yield bind_registry(server)
    server.stop()


# a key (behind the type) and a value; None: a small one
LONG = {
    "a value of 4 MiB": ("n", b"x" * (4 * MIB)),
    "a value of 8 MiB": ("n", b"y" * (8 * MIB)),
    "a JSON value of 4 MiB": ("n", b'{"location":"10.0.0.9:80","txt":{"a":"' + b"z" * (4 * MIB) + b'"}}'),
    "a key of 1 MiB": ("k" * MIB, b"10.0.0.9:80"),
    "a key of 3 MiB": ("k" * (3 * MIB), b"10.0.0.9:80"),
}


@pytest.mark.parametrize("what", LONG)
def test_what_is_too_long_stops_nothing_else(roomy, what):
    name, value = LONG[what]
    roomy.put("t", "before", "10.0.0.1:80")
    server = roomy.serve()
    roomy.put("t", name, value)
    roomy.put("t", "z", "10.0.0.1:81")
    wait_until(lambda: server.dns.data("z._t._tcp", "SRV"))
    roomy.wait_served(server.dns)
    fresh = roomy.serve()
    for each in (server, fresh):
        assert each.dns.data("before._t._tcp", "SRV") and each.dns.data("z._t._tcp", "SRV")
        assert len(each.dns.data("_t._tcp", "PTR")) == 2
        each.wait_line("is not published")
    assert len(roomy.ok("service", "list", "--format", "json").out) > 0
    assert "before" in roomy.ok("service", "list").out
    if len(name) == 1:
        roomy.put("t", name, "10.0.0.1:82")
        for each in (server, fresh):
            wait_until(lambda: each.dns.data("n._t._tcp", "SRV"))
    roomy.delete("service", "t", name)
    roomy.put("t", "zz", "10.0.0.1:83")
    for each in (server, fresh):
        wait_until(lambda: each.dns.data("zz._t._tcp", "SRV"))
        wait_until(lambda: each.dns.ask("n._t._tcp", "SRV").rcode == 3)
        assert each.dns.ask("zz._t._tcp", "SRV", edns=1232).ede != EDE_STALE


def test_a_switch_that_is_too_long_is_not_shown_in_part(roomy):
    roomy.put_switch("long", b"x" * (4 * MIB))
    roomy.put_switch("short", b"v")
    got = roomy("switch", "get", "long")
    assert got.out == "" and "too long" in got.error_line()
    assert roomy.ok("switch", "get", "short").out == "v\n"
    listed = roomy.ok("switch", "list", "--format", "json").out
    assert '"value": null' in listed and '"value": "v"' in listed
    roomy.ok("switch", "set", "long", "w")
    assert roomy.ok("switch", "get", "long").out == "w\n"
