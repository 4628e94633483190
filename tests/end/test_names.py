"""Endpoints and hosts that are named: what DNS does to them, with a name server that loses, delays and fails."""

import socket
import ssl
import threading
import time
import types

import dns.rcode
import dns.rdatatype
import pytest

import server as server_module
from certificates import authority, certificate
from etcd import Etcd
from name_server import NameServer, Place
from process import wait_until

NAME = "etcd.corp.example"


@pytest.fixture
def names():
    try:
        name_server = NameServer()
    except OSError as error:
        pytest.skip(f"port 53: {error.strerror}")
    name_server.add(f"{NAME}.", "A", "127.0.0.1")
    yield name_server
    name_server.close()


@pytest.fixture
def place(names, tmp_path, monkeypatch):
    """Every empusa of the test asks `names` alone."""
    place = Place(tmp_path, names.address)
    if not place.is_possible():
        pytest.skip("no mount namespaces here")
    monkeypatch.setattr(server_module, "BINARY", place.wrap(server_module.BINARY))
    return place


@pytest.fixture
def named(place, registry):
    """A registry whose etcd is known by its name."""
    registry.env["EMPUSA_ETCD_ENDPOINT"] = f"{NAME}:{registry.etcd.members[0].port}"
    return registry


def losses(names):
    return {"the first": lambda: names.lose_only(1), "the second": lambda: names.lose_only(2),
            "the third": lambda: names.lose_only(3), "the first two": lambda: names.lose_first(2),
            "the first four": lambda: names.lose_first(4)}


def test_a_lost_packet_holds_nobody_up(named, names):
    for what, lose in losses(names).items():
        lose()
        named.ok("switch", "set", "s", what)
        assert named.etcd.get(named.key("switch", "s")).value == what.encode()
    for lose in (lambda: names.lose_first(2), lambda: names.lose_only(1)):
        lose()
        server = named.serve()
        lose()
        named.hold("t", "n", "10.0.0.1:80", "--ttl", "5", "--refresh-every", "1")
        wait_until(lambda: server.dns.data("n._t._tcp", "SRV"))
        named.stop()
        named.processes.clear()


def test_a_late_answer_is_an_answer(named, names):
    names.delay = 1.3
    named.ok("switch", "set", "s", "v")


def test_the_second_name_server_is_asked_when_the_first_is_silent(named, names, place):
    silent = NameServer()
    silent.lose_all()
    place.use(silent.address, names.address)
    try:
        named.ok("switch", "set", "s", "v")
        named.serve()
        named.hold("t", "n", "10.0.0.1:80", "--ttl", "5", "--refresh-every", "1")
        wait_until(lambda: silent.asked)
    finally:
        silent.close()


def test_a_lost_discovery_is_repeated(registry, names, place):
    port = registry.etcd.members[0].port
    names.add("_etcd-client._tcp.corp.example.", "SRV", f"0 1 {port} {NAME}.")
    del registry.env["EMPUSA_ETCD_ENDPOINT"]
    registry.env["EMPUSA_ETCD_DISCOVERY_SRV"] = "corp.example"
    for which in (1, 2, 3):
        names.lose_only(which)
        registry.ok("switch", "set", "s", str(which))
    names.lose_first(2)
    registry.serve()
    names.lose_all()
    line = registry("--etcd-timeout", "1", "switch", "get", "s").error_line()
    assert "corp.example" in line and "DNS" in line


def test_an_unresolvable_name_is_an_error_about_dns(named, names):
    def line():
        return named("--etcd-timeout", "1", "service", "list").error_line()
    names.records.clear()
    assert f"cannot look up {NAME}: DNS" in line() and "is etcd running" not in line()
    names.records[f"{NAME}."] = dns.rcode.SERVFAIL
    assert f"cannot look up {NAME}: " in line() and "DNS" in line()
    names.lose_all()
    assert f"cannot look up {NAME}: no answer from DNS" in line() and "http" not in line()


def holds_through_silence(named, names, seconds):
    """The keepers' keys, read behind their backs all the time while DNS says nothing."""
    keepers = [named.hold("t", name, "10.0.0.1:80", "--ttl", ttl, "--refresh-every", "1")
               for name, ttl in (("five", "5"), ("ten", "10"))]
    server = named.serve()
    names.lose_all()
    names.forget()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name in ("five", "ten"):
            assert named.service("t", name), f"{name} vanished"
        time.sleep(0.2)
    assert names.asked, "nobody asked: the test shows nothing"
    named.put("t", "late", "10.0.0.2:80")
    wait_until(lambda: server.dns.data("late._t._tcp", "SRV"))
    assert all(keeper.is_running() for keeper in keepers)
    names.lose_none()
    start = len(names.asked)
    wait_until(lambda: len(names.asked) > start, 20, "the name is looked up again")


def test_keepers_outlive_the_silence_of_dns(named, names):
    holds_through_silence(named, names, 14)


@pytest.mark.long
def test_keepers_outlive_a_long_silence_of_dns(named, names):
    holds_through_silence(named, names, 45)


def test_what_starts_in_the_silence_goes_on_after_it(named, names):
    names.lose_all()
    server = named.serve_unready()
    keeper = named.start("service", "register", "--service-type", "t", "--service-name", "n", "--service-location",
                         "10.0.0.1:80", "--ttl", "5", "--refresh-every", "1")
    server.wait_line(f"cannot look up {NAME}: no answer from DNS")
    time.sleep(6)
    names.lose_none()
    server.wait_ready(30)
    keeper.wait_line("registered$", 30)


def test_a_resolv_conf_that_comes_later_counts(named, names, place):
    silent = NameServer()
    silent.lose_all()
    place.use(silent.address)
    try:
        server = named.serve_unready()
        wait_until(lambda: silent.asked)
        place.use(names.address)
        server.wait_ready(30)
    finally:
        silent.close()


@pytest.mark.parametrize("lost", [1, 2, 4])
def test_a_host_whose_look_up_is_lost_gets_its_address(registry, names, place, lost):
    names.add("box.", "A", "10.9.8.7")
    names.lose_first(lost)
    registry.put("t", "n", "box:80")
    server = registry.serve(resolve=True)
    wait_until(lambda: server.dns.data("box.host", "A") == ["10.9.8.7"])


# discovery under https

DOMAIN = "corp.example"


class Eavesdropper:
    """Speaks TLS with a good certificate of its own, and keeps what it is sent."""

    def __init__(self, address, port, key, cert):
        self.heard, self.handshakes = b"", 0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(cert, key)
        self._listener = socket.create_server((address, port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            try:
                with self._context.wrap_socket(connection, server_side=True) as stream:
                    self.handshakes += 1
                    stream.settimeout(5)
                    self.heard += stream.recv(65536)
            except OSError:  # ssl.SSLError is one
                self.handshakes += 1

    def close(self):
        self._listener.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """{name: what Etcd(tls=...) takes}, all of one authority."""
    directory = tmp_path_factory.mktemp("names")
    ca = authority(directory, "authority")
    made = {}
    for name in (DOMAIN, NAME, "evil.example"):
        usage = f"extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=DNS:{name},IP:127.0.0.1\n"
        key, cert = certificate(directory, name, f"/O={name}", ca, usage)
        made[name] = types.SimpleNamespace(ca=str(ca[1]), server_key=key, server_cert=cert)
    return made


@pytest.fixture
def etcds():
    started = []
    yield started
    for etcd in started:
        etcd.stop()


@pytest.fixture
def over_tls(etcds, certificates, place, bind_registry, names):
    """A registry in an etcd with the certificate of this name, which only discovery in the domain leads to."""
    def start(name):
        etcd = Etcd(tls=certificates[name])
        etcds.append(etcd)
        registry = bind_registry(etcd)
        names.add(f"_etcd-client-ssl._tcp.{DOMAIN}.", "SRV", f"0 1 {etcd.members[0].port} {NAME}.")
        del registry.env["EMPUSA_ETCD_ENDPOINT"]
        registry.env.update(EMPUSA_CA_BUNDLE=certificates[name].ca, EMPUSA_ETCD_PROTOCOL="https",
                            EMPUSA_ETCD_DISCOVERY_SRV=DOMAIN)
        return registry
    return start


def given(registry):
    """The same etcd, by its name instead of by discovery."""
    return {"EMPUSA_ETCD_DISCOVERY_SRV": "", "EMPUSA_ETCD_ENDPOINT": f"https://{NAME}:{registry.etcd.members[0].port}"}


def test_what_is_discovered_must_prove_the_domain(over_tls):
    registry = over_tls(DOMAIN)
    for domain in (DOMAIN, f"{DOMAIN}.", DOMAIN.upper()):
        registry.ok("switch", "set", "s", "v", env={"EMPUSA_ETCD_DISCOVERY_SRV": domain})
    registry.ok("switch", "set", "s", "v", env={"EMPUSA_ETCD_PROTOCOL": "http"})  # finds only the -ssl records
    server = registry.serve()
    registry.hold("t", "n", "10.0.0.1:80", "--ttl", "5", "--refresh-every", "1")
    wait_until(lambda: server.dns.data("n._t._tcp", "SRV"))
    line = registry("switch", "get", "s", env=given(registry)).error_line()
    assert NAME in line and "must name" not in line, "an endpoint that is given proves its own name"


def test_the_name_of_the_target_proves_nothing(over_tls):
    registry = over_tls(NAME)
    for protocol in ("https", "http"):
        line = registry("--etcd-timeout", "2", "switch", "set", "s", "v", env={"EMPUSA_ETCD_PROTOCOL": protocol}).error_line()
        assert f"the certificate does not name {DOMAIN}" in line and "discovery" in line
    registry.ok("switch", "set", "s", "v", env=given(registry))


def test_a_forged_srv_record_gets_no_password(over_tls, certificates, names, tmp_path):
    registry = over_tls(DOMAIN)
    evil = Eavesdropper("127.0.0.9", registry.etcd.members[0].port, certificates["evil.example"].server_key,
                        certificates["evil.example"].server_cert)
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "password").chmod(0o600)
    login = ["--etcd-user", "root", "--etcd-password-file", str(tmp_path / "password"), "--etcd-timeout", "2"]
    names.add("evil.example.", "A", "127.0.0.9")
    good = names.records[f"_etcd-client-ssl._tcp.{DOMAIN}.", dns.rdatatype.SRV]
    forged = [f"0 1 {evil.port} evil.example."]
    try:
        names.add(f"_etcd-client-ssl._tcp.{DOMAIN}.", "SRV", *forged)
        line = registry(*login, "service", "list").error_line()
        assert DOMAIN in line and "evil.example" in line
        # The two have the port in common: neither gets what is meant for the other.
        names.add(f"_etcd-client-ssl._tcp.{DOMAIN}.", "SRV", *forged, *good)
        for i in range(6):
            registry.ok("switch", "set", "s", str(i))
        server = registry.serve()
        registry.register("t", "n", "10.0.0.1:80")
        wait_until(lambda: server.dns.data("n._t._tcp", "SRV"))
        wait_until(lambda: evil.handshakes, what="it was tried")
        assert evil.heard == b""
    finally:
        evil.close()


@pytest.mark.parametrize("domain", ["a b", "x/y", "a..b", "127.0.0.1", "x:1", "x" * 300])
def test_what_is_no_domain_is_not_looked_up(registry, domain):
    del registry.env["EMPUSA_ETCD_ENDPOINT"]
    assert "domain" in registry("--etcd-discovery-srv", domain, "service", "list").error_line(2)
