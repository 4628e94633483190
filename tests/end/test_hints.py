"""What an error about TLS and certificates says, and which option it names: etcd, and servers that etcd cannot be."""

import http.client
import http.server
import re
import socketserver
import ssl
import subprocess
import threading

import pytest

from certificates import authority, certificate, openssl
from process import Process, free_port, on_free_ports, wait_until
from test_tls_auth import client_options, mutual, secure, tls  # noqa: F401

PROTOCOL_HTTPS, PROTOCOL_HTTP = r"--etcd-protocol https\b", r"--etcd-protocol http\b(?!s)"
OPTIONS = {PROTOCOL_HTTPS, PROTOCOL_HTTP, "--ca-bundle", "--etcd-cert"}


def says(registry, *args, hint, text="", **options):
    """The one line, which names `hint` and none of the other options."""
    line = registry(*args, "switch", "list", **options).error_line()
    assert {option for option in OPTIONS if re.search(option, line)} == ({hint} if hint else set()), line
    assert text in line, line
    return line


@pytest.fixture(scope="module")
def dated(tls, tmp_path_factory):  # noqa: F811
    """Makes a certificate of the authority, for 127.0.0.1, for a time that is over or to come."""
    directory = tmp_path_factory.mktemp("dated")
    (directory / "ca.cnf").write_text(
        f"[ca]\ndefault_ca=x\n[x]\ndatabase={directory}/index\nserial={directory}/serial\n"
        f"new_certs_dir={directory}\ndefault_md=sha256\npolicy=p\n[p]\norganizationName=optional\n")
    (directory / "index").write_text("")
    (directory / "serial").write_text("01\n")
    (directory / "ext").write_text("subjectAltName=IP:127.0.0.1\n")

    def make(name, start, end):
        key, request, cert = (str(directory / f"{name}.{kind}") for kind in ("key", "csr", "pem"))
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/O={name}",
                "-keyout", key, "-out", request)
        openssl("ca", "-batch", "-notext", "-config", directory / "ca.cnf", "-in", request, "-cert", tls.ca, "-keyfile",
                tls.ca.replace(".pem", ".key"), "-startdate", start, "-enddate", end, "-extfile", directory / "ext",
                "-out", cert)
        return key, cert
    return make


@pytest.fixture
def tls_server():
    """Starts a TLS server that is no etcd; its endpoint."""
    started = []

    @on_free_ports
    def start(key, cert, *options):
        port = free_port()
        started.append(Process(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-www", "-quiet", "-key", key,
                                "-cert", cert, *options]))
        wait_until(lambda: subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}"], check=False,
                                          stdin=subprocess.DEVNULL, capture_output=True).stdout.startswith(b"CONNECTED"))
        started[-1].check()
        return f"127.0.0.1:{port}"
    yield start
    for process in started:
        process.kill()


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_without_tls_to_an_etcd_that_speaks_it(secure, mutual, bind_registry, scheme):  # noqa: F811
    for server in (secure, mutual):
        says(bind_registry(server), "--etcd-endpoint", scheme + server.endpoints, hint=PROTOCOL_HTTPS)


@pytest.mark.parametrize("scheme", ["", "https://"])
def test_with_tls_to_an_etcd_that_speaks_none(registry, tls, scheme):  # noqa: F811
    says(registry, "--etcd-endpoint", scheme + registry.etcd.endpoints, "--etcd-protocol", "https", "--ca-bundle",
         tls.ca, hint=PROTOCOL_HTTP)


class _Plain(socketserver.StreamRequestHandler):
    """Says in plain text, and in Go's words, that it wants TLS."""

    def handle(self):
        self.connection.recv(4096)
        self.connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")


def test_what_a_server_says_in_plain_text(registry):
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Plain) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"127.0.0.1:{server.server_address[1]}"
        says(registry, "--etcd-endpoint", f"https://{endpoint}", hint=PROTOCOL_HTTP, text="not TLS")
        says(registry, "--etcd-endpoint", endpoint, hint=PROTOCOL_HTTPS, text="speaks TLS")
        server.shutdown()


def test_a_certificate_of_an_unknown_authority(secure, bind_registry, tls):  # noqa: F811
    registry = bind_registry(secure)
    for ca in ([], ["--ca-bundle", tls.other_ca]):
        says(registry, "--etcd-protocol", "https", *ca, hint="--ca-bundle", text="not trusted")


@pytest.mark.parametrize("name,start,end,text", [
    ("old", "20200101000000Z", "20200201000000Z", "has expired"),
    ("early", "20480101000000Z", "20490101000000Z", "not valid yet")])
def test_a_certificate_out_of_its_time(registry, dated, tls, tls_server, name, start, end, text):  # noqa: F811
    endpoint = tls_server(*dated(name, start, end))
    says(registry, "--etcd-endpoint", endpoint, "--etcd-protocol", "https", "--ca-bundle", tls.ca, hint=None, text=text)


def test_a_certificate_of_another_name(registry, tls, tls_server, tmp_path):  # noqa: F811
    ca = (tls.ca.replace(".pem", ".key"), tls.ca)
    endpoint = tls_server(*certificate(tmp_path, "elsewhere", "/O=x", ca, "subjectAltName=DNS:etcd.example\n"))
    line = says(registry, "--etcd-endpoint", endpoint, "--etcd-protocol", "https", "--ca-bundle", tls.ca, hint=None,
                text="certificate is not for '127.0.0.1'")
    assert "--etcd-endpoint" in line


@pytest.mark.parametrize("which", ["none", "rogue"])
def test_a_client_certificate_is_demanded(mutual, bind_registry, tls, which):  # noqa: F811
    options = client_options(tls, tls.rogue_cert, tls.rogue_key)
    says(bind_registry(mutual), *(options if which == "rogue" else options[:4]), hint="--etcd-cert",
         text="client certificate")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_client_certificate_is_demanded_by_another_server(registry, tls, tls_server, version):  # noqa: F811
    endpoint = tls_server(tls.server_key, tls.server_cert, version, "-Verify", "1", "-verify_return_error", "-CAfile",
                          tls.ca)
    for options in (client_options(tls, tls.rogue_cert, tls.rogue_key), client_options(tls, "", "")[:4]):
        says(registry, "--etcd-endpoint", endpoint, *options, hint="--etcd-cert", text="client certificate")


class _Late(http.server.BaseHTTPRequestHandler):
    """Before etcd; asks for the client's certificate on a kept connection, when the path needs one."""
    protocol_version = "HTTP/1.1"

    def _pass_on(self, body=None):
        etcd = http.client.HTTPConnection(self.server.etcd)
        etcd.request(self.command, self.path, body)
        answer = etcd.getresponse()
        octets = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)

    def do_GET(self):
        self._pass_on()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.connection.getpeercert():
            self.connection.verify_client_post_handshake()
            self.connection.do_handshake()  # sends the question; the answer comes with what is read next
            self.connection.settimeout(0.1)
            try:
                self.connection.recv(1)
            except TimeoutError:
                pass
            except ssl.SSLError:
                self.server.refused += 1
                self.close_connection = True
                return
            self.connection.settimeout(None)
        self.server.shown.append(self.connection.getpeercert())
        self._pass_on(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def late(registry, tls):  # noqa: F811
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(tls.server_cert, tls.server_key)
    context.load_verify_locations(tls.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.post_handshake_auth = True
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Late) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.etcd, server.shown, server.refused = registry.etcd.endpoints, [], 0
        server.endpoint = f"127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_client_certificate_is_demanded_late(registry, tls, late):  # noqa: F811
    """Not in the handshake, but by the second request of the connection."""
    options = client_options(tls, tls.client_cert, tls.client_key)
    registry.ok("--etcd-endpoint", late.endpoint, *options, "switch", "set", "s", "v")
    assert late.shown and all(late.shown)
    for which in (client_options(tls, tls.rogue_cert, tls.rogue_key), options[:4]):
        says(registry, "--etcd-endpoint", late.endpoint, "--etcd-timeout", "1", *which, hint="--etcd-cert")
    assert late.refused


@pytest.mark.parametrize("options,text", [(["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "no TLS 1.2"),
                                          (["-tls1_2", "-cipher", "PSK"], "ended the TLS handshake")])
def test_a_handshake_that_fails_otherwise_is_not_blamed_on_certificates(registry, tls, tls_server, options,
                                                                        text):  # noqa: F811
    endpoint = tls_server(tls.server_key, tls.server_cert, *options)
    for more in ([], ["--etcd-cert", tls.client_cert, "--etcd-key", tls.client_key]):
        says(registry, "--etcd-endpoint", endpoint, "--etcd-protocol", "https", "--ca-bundle", tls.ca, *more,
             hint=None, text=text)


def test_a_server_and_a_keeper_say_it_too(secure, bind_registry):  # noqa: F811
    registry = bind_registry(secure)
    server = registry.serve_unready()
    assert re.search(PROTOCOL_HTTPS, server.wait_line("no contact with etcd"))
    keeper = registry.start("service", "register", "--service-type", "t", "--service-name", "n", "--service-location",
                            "h:1", "--ttl", "9", "--refresh-every", "3")
    assert re.search(PROTOCOL_HTTPS, keeper.wait_line("trying again"))


def test_an_etcd_that_goes_away_is_not_said_to_speak_tls(own_registry):
    server = own_registry.serve()
    own_registry.etcd.kill()
    assert not re.search("TLS", server.wait_line("no contact with etcd"))
    own_registry.etcd.start()
    server.wait_line("contact with etcd again", 30)
    assert not server.find_line("TLS|--etcd-protocol")


SECRET = "hush,hush"


@pytest.mark.parametrize("args,env", [
    (["--etcd-endpoint", f"https://root:{SECRET}@HERE", "switch", "list"], {}),
    (["--etcd-endpoint", f"root:{SECRET}@HERE", "--etcd-endpoint", "HERE", "switch", "list"], {}),
    (["--etcd-endpoint", f"HERE,http://root:{SECRET.replace(',', ' ')}@HERE", "switch", "list"], {}),
    (["switch", "list"], {"EMPUSA_ETCD_ENDPOINT": f"http://root:{SECRET}@HERE"}),
    (["--etcd-discovery-srv", f"root:{SECRET}@corp.example", "switch", "list"], {}),
    (["--etcd-point", f"http://root:{SECRET}@HERE", "switch", "list"], {}),
    ([f"--etcd-point=http://root:{SECRET}@HERE", "switch", "list"], {}),
    ([f"http://root:{SECRET}@HERE", "switch", "list"], {}),
    (["switch", "list", f"http://root:{SECRET}@HERE"], {}),
    ([f"--tok=http://root:{SECRET.replace(',', ' ')}@HERE"], {}),
    ([f"http://root:{SECRET.replace(',', ' ')}@HERE"], {}),
    (["switch", "get", f"--passwort={SECRET}"], {}),
    (["switch", "get", f"-passwort={SECRET}"], {}),
    (["switch", "set", "a", "b", f"root:{SECRET}@HERE"], {}),
    (["--etcd-timeout", f"http://root:{SECRET}@HERE", "switch", "list"], {}),
    (["--etcd-protocol", f"http://root:{SECRET}@HERE", "switch", "list"], {}),
    (["service", "register", "--service-type", "t", "--service-name", "n", "--service-location",
      f"http://root:{SECRET}@HERE"], {}),
    (["serve", "--listen", f"root:{SECRET}@127.0.0.1:0"], {}),
    (["serve", "--listen", "127.0.0.1:0", "--http", f"http://root:{SECRET}@127.0.0.1:0"], {}),
    (["serve", "--domain", f"root:{SECRET}@empusa..internal"], {}),
    (["zone", "--ns", f"root:{SECRET}@ns..z=::1"], {}),
    (["serve", "--listen", "127.0.0.1:0"], {"EMPUSA_ETCD_ENDPOINT": f"http://root:{SECRET}@HERE"})])
def test_a_password_in_a_url_is_never_said(registry, args, env):
    here = registry.etcd.endpoints
    result = registry("--log-level", "DEBUG", *(arg.replace("HERE", here) for arg in args),
                      env={name: value.replace("HERE", here) for name, value in env.items()})
    assert result.status == 2 and "ERROR:root:" in result.err, result
    assert "hush" not in result.err + result.out, result
    if "endpoint" in " ".join([*args, *env]).lower() and "etcd-point" not in " ".join(args):
        assert "--etcd-user" in result.error_line(2) and "--etcd-endpoint" in result.err
