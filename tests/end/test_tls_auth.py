"""TLS with an authority of our own, client certificates, users and tokens."""

import os
import shutil
import signal
import subprocess
import time
import types

import pytest

from dns_client import EDE_STALE
from etcd import Etcd, EtcdError, b64
from process import wait_until
from relay import Relay
from server import BINARY

TOKEN_TTL = 2


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


def authority(directory, name):
    key, cert = directory / f"{name}.key", directory / f"{name}.pem"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", key, "-out", cert)
    return key, cert


def certificate(directory, name, subject, ca, extension):
    key, request, cert = (directory / f"{name}.{end}" for end in ("key", "csr", "pem"))
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", subject,
            "-keyout", key, "-out", request)
    (directory / f"{name}.ext").write_text(extension)
    openssl("x509", "-req", "-days", "2", "-in", request, "-CA", ca[1], "-CAkey", ca[0], "-CAcreateserial",
            "-out", cert, "-extfile", directory / f"{name}.ext")
    return str(key), str(cert)


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tls")
    ca, other = authority(directory, "authority"), authority(directory, "other")
    usage = "extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=IP:127.0.0.1,DNS:localhost\n"
    made = types.SimpleNamespace(ca=str(ca[1]), other_ca=str(other[1]))
    made.server_key, made.server_cert = certificate(directory, "server", "/O=server", ca, usage)
    made.client_key, made.client_cert = certificate(directory, "client", "/O=client", ca, "extendedKeyUsage=clientAuth\n")
    made.rogue_key, made.rogue_cert = certificate(directory, "rogue", "/O=rogue", other, "extendedKeyUsage=clientAuth\n")
    return made


@pytest.fixture(scope="module")
def secure(tls):
    server = Etcd(tls=tls)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def mutual(tls):
    server = Etcd(tls=tls, client_tls=True)
    yield server
    server.stop()


@pytest.mark.parametrize("how", ["option", "variable", "requests", "first of both"])
def test_an_authority_of_ones_own_is_trusted_when_told(secure, bind_registry, tls, how):
    registry = bind_registry(secure)
    env = {"option": {}, "variable": {"EMPUSA_CA_BUNDLE": tls.ca}, "requests": {"REQUESTS_CA_BUNDLE": tls.ca},
           "first of both": {"EMPUSA_CA_BUNDLE": tls.ca, "REQUESTS_CA_BUNDLE": tls.other_ca}}[how]
    option = ["--ca-bundle", tls.ca] if how == "option" else []
    registry.ok(*option, "switch", "set", "s", "v", env={"EMPUSA_ETCD_PROTOCOL": "https", **env})
    assert registry.etcd.get(registry.key("switch", "s")).value == b"v"


def test_a_scheme_in_the_endpoint_suffices(secure, bind_registry, tls):
    registry = bind_registry(secure)
    for host in ("127.0.0.1", "localhost"):
        endpoint = f"https://{host}:{secure.members[0].port}"
        registry.ok("--etcd-endpoint", endpoint, "--ca-bundle", tls.ca, "switch", "set", "s", host)


@pytest.mark.parametrize("which", ["another authority", "the system's"])
def test_a_server_that_cannot_be_verified_is_refused(secure, bind_registry, tls, which):
    registry = bind_registry(secure)
    ca = ["--ca-bundle", tls.other_ca] if which == "another authority" else []
    line = registry("--etcd-protocol", "https", *ca, "switch", "set", "s", "v").error_line()
    assert line.startswith("ERROR:root:") and secure.endpoints in line and "certificate" in line.lower()
    assert registry.etcd.get(registry.key("switch", "s")) is None


def test_a_wrong_protocol_is_a_clear_error(secure, etcd, bind_registry, tls):
    plain, over_tls = bind_registry(etcd), bind_registry(secure)
    assert plain("--etcd-protocol", "https", "--ca-bundle", tls.ca, "service", "list").error_line().startswith("ERROR:root:")
    assert "--etcd-protocol https" in over_tls("service", "list").error_line()


def client_options(tls, cert, key):
    return ["--etcd-protocol", "https", "--ca-bundle", tls.ca, "--etcd-cert", cert, "--etcd-key", key]


def test_a_client_certificate_is_shown(mutual, bind_registry, tls):
    registry = bind_registry(mutual)
    registry.ok(*client_options(tls, tls.client_cert, tls.client_key), "switch", "set", "s", "v")
    registry.ok("switch", "get", "s", env={"EMPUSA_ETCD_PROTOCOL": "https", "EMPUSA_CA_BUNDLE": tls.ca,
                                           "EMPUSA_ETCD_CERT": tls.client_cert, "EMPUSA_ETCD_KEY": tls.client_key})


def test_without_a_good_client_certificate_nothing_goes(mutual, bind_registry, tls):
    registry = bind_registry(mutual)
    for options in (client_options(tls, tls.rogue_cert, tls.rogue_key), ["--etcd-protocol", "https", "--ca-bundle", tls.ca]):
        line = registry(*options, "switch", "set", "s", "v").error_line()
        assert line.startswith("ERROR:root:") and mutual.endpoints in line


@pytest.mark.parametrize("option", ["--etcd-cert", "--etcd-key"])
def test_a_certificate_file_that_is_not_there_is_named(mutual, bind_registry, tls, option):
    registry = bind_registry(mutual)
    options = client_options(tls, tls.client_cert, tls.client_key)
    options[options.index(option) + 1] = "/nonexistent/file.pem"
    result = registry(*options, "service", "list")
    assert result.status in (1, 2) and "/nonexistent/file.pem" in result.err and result.err.count("\n") == 1


def test_serving_and_registering_work_over_tls(mutual, bind_registry, tls):
    registry = bind_registry(mutual)
    env = {"EMPUSA_ETCD_PROTOCOL": "https", "EMPUSA_CA_BUNDLE": tls.ca, "EMPUSA_ETCD_CERT": tls.client_cert,
           "EMPUSA_ETCD_KEY": tls.client_key}
    registry.env.update(env)
    server = registry.serve()
    registry.hold("t", "n", "10.0.0.1:80", "--ttl", "5", "--refresh-every", "1")
    wait_until(lambda: server.dns.data("n._t._tcp", "SRV"))
    server.send(signal.SIGHUP)
    registry.put("t", "o", "10.0.0.1:81")
    wait_until(lambda: len(server.dns.data("_t._tcp", "SRV")) == 2)


# certificates that are renewed

@pytest.fixture
def renewed(mutual, bind_registry, tls, tmp_path):
    """A server whose files may be changed, behind a relay, where each cut makes it connect anew."""
    for name, source in (("ca", tls.ca), ("cert", tls.client_cert), ("key", tls.client_key)):
        shutil.copy(source, tmp_path / name)
    (tmp_path / "key").chmod(0o600)
    registry = bind_registry(mutual)
    registry.env.update(EMPUSA_ETCD_PROTOCOL="https", EMPUSA_CA_BUNDLE=str(tmp_path / "ca"),
                        EMPUSA_ETCD_CERT=str(tmp_path / "cert"), EMPUSA_ETCD_KEY=str(tmp_path / "key"))
    link = Relay(mutual.members[0].port)
    server = registry.serve(endpoints=link.endpoint)
    yield types.SimpleNamespace(registry=registry, server=server, link=link, directory=tmp_path)
    link.stop()


def assert_connects_anew(renewed, name):
    renewed.link.cut()
    renewed.link.heal()
    renewed.registry.put("t", name, "10.0.0.1:80")
    wait_until(lambda: renewed.server.dns.data(f"{name}._t._tcp", "SRV"), 40)


@pytest.mark.parametrize("name", ["ca", "cert", "key"])
@pytest.mark.parametrize("fault", ["garbage", "empty", "missing", "half", "another's", "fifo", "directory"])
def test_a_renewed_file_that_is_bad_changes_nothing(renewed, tls, name, fault):
    path = renewed.directory / name
    text = path.read_bytes()
    if fault in ("another's", "directory") and name == "ca":
        pytest.skip("that is a good one")
    path.unlink()
    if fault == "garbage":
        path.write_bytes(b"garbage")
    elif fault == "empty":
        path.write_bytes(b"")
    elif fault == "half":
        path.write_bytes(text[:len(text) // 2])
    elif fault == "another's":
        shutil.copy(tls.rogue_cert if name == "cert" else tls.rogue_key, path)
    elif fault == "fifo":
        os.mkfifo(path)
    elif fault == "directory":
        path.mkdir()
    assert_connects_anew(renewed, "unasked")
    renewed.server.send(signal.SIGHUP)
    line = renewed.server.wait_line("stay as they are")
    assert str(renewed.directory if fault == "another's" else path) in line
    assert_connects_anew(renewed, "asked")
    if fault == "directory":
        path.rmdir()
    elif fault != "missing":
        path.unlink()
    path.write_bytes(text)
    path.chmod(0o600)
    renewed.server.send(signal.SIGHUP)
    renewed.server.wait_line("have been read again")
    assert_connects_anew(renewed, "good")


def test_a_renewed_certificate_is_used(renewed, tls):
    for name, source in (("cert", tls.rogue_cert), ("key", tls.rogue_key)):
        shutil.copy(source, renewed.directory / name)
    renewed.server.send(signal.SIGHUP)
    renewed.server.wait_line("have been read again")
    renewed.link.cut()
    renewed.link.heal()
    renewed.server.wait_line("no contact with etcd")
    for name, source in (("cert", tls.client_cert), ("key", tls.client_key)):
        shutil.copy(source, renewed.directory / name)
    renewed.server.send(signal.SIGHUP)
    assert_connects_anew(renewed, "again")


def test_many_hangups_are_one(renewed):
    """1,400 of them kept it busy for 20-49 s, while nothing changed."""
    for _ in range(1400):
        renewed.server.send(signal.SIGHUP)
        time.sleep(0.001)  # or the kernel makes them one
    renewed.server.wait_line("have been read again")
    assert_connects_anew(renewed, "n")
    assert sum("have been read again" in line for line in renewed.server.err) < 100
    before = len(renewed.server.said())
    renewed.server.send(signal.SIGHUP)  # the last one is not lost
    renewed.server.wait_line("have been read again", start=before)


def test_who_names_authorities_trusts_no_others(secure, bind_registry, tls, tmp_path):
    """Not even those of the system's directory."""
    registry = bind_registry(secure)
    hashed = tmp_path / "hashed"
    hashed.mkdir()
    shutil.copy(tls.ca, hashed / "ca.pem")
    subprocess.run(["openssl", "rehash", str(hashed)], check=True, capture_output=True)
    registry.ok("--etcd-protocol", "https", "--ca-bundle", str(hashed), "switch", "set", "s", "v")
    shutil.copy(tls.other_ca, hashed / "ca-certificates.crt")

    def run_with_system(*options):
        """Where the system's directory is that one."""
        argv = ["unshare", "-m", "sh", "-c", 'mount --bind "$1" /etc/ssl/certs && shift && exec "$@"', "sh", str(hashed),
                BINARY, "--etcd-protocol", "https", *options, "switch", "set", "s", "v"]
        return subprocess.run(argv, env=registry.env, capture_output=True, text=True, timeout=60, check=False)

    trusted = run_with_system()
    if "unshare" in trusted.stderr or "mount" in trusted.stderr:
        pytest.skip("no mount namespace here")
    assert trusted.returncode == 0, trusted
    other = run_with_system("--ca-bundle", tls.other_ca)
    assert other.returncode == 1 and "certificate" in other.stderr.lower(), other


def test_the_keys_of_sessions_are_not_written_down(secure, bind_registry, tls, tmp_path):
    registry = bind_registry(secure, SSLKEYLOGFILE=str(tmp_path / "keys"))
    registry.ok("--etcd-protocol", "https", "--ca-bundle", tls.ca, "switch", "set", "s", "v")
    assert not os.path.exists(tmp_path / "keys")


@pytest.mark.parametrize("mode,is_open", [(0o600, False), (0o640, False), (0o644, True), (0o602, True)])
@pytest.mark.parametrize("is_one", [False, True])
def test_a_key_that_everybody_may_read_is_told(mutual, bind_registry, tls, tmp_path, mode, is_open, is_one):
    path = tmp_path / "key"
    path.write_bytes((open(tls.client_cert, "rb").read() if is_one else b"") + open(tls.client_key, "rb").read())
    path.chmod(mode)
    options = client_options(tls, str(path) if is_one else tls.client_cert, str(path))
    result = bind_registry(mutual).ok(*(options[:-2] if is_one else options), "switch", "set", "s", "v")
    warnings = [line for line in result.err.splitlines() if line.startswith("WARNING:root:")]
    assert len(warnings) == is_open and (not is_open or str(path) in warnings[0]), result


# users

def grant_role(server, name, kind, prefix):
    server.call("/auth/role/add", {"name": name})
    server.call("/auth/role/grant", {"name": name, "perm": {"permType": kind, "key": b64(prefix),
                                                            "range_end": b64(prefix[:-1] + chr(ord(prefix[-1]) + 1))}})


class Authenticated:
    """The test's own access: root, with a token that is fetched again for each call."""

    def __init__(self, server):
        self.server, self.call_plain = server, server.call

    def __call__(self, path, body=None, member=None, timeout=10):
        self.server.token = None
        self.server.token = self.call_plain("/auth/authenticate", {"name": "root", "password": "root"})["token"]
        return self.call_plain(path, body, member, timeout)


def add_users(server):
    """root, a writer and a reader of /e2e*, and somebody who may do nothing; then authentication is on."""
    for name, password in (("root", "root"), ("writer", "pass word: ž"), ("reader", "r"), ("nobody", "n")):
        server.call("/auth/user/add", {"name": name, "password": password})
    server.call("/auth/role/add", {"name": "root"})
    grant_role(server, "write", "READWRITE", "/e2e")
    grant_role(server, "read", "READ", "/e2e")
    for user, role in (("root", "root"), ("writer", "write"), ("reader", "read")):
        server.call("/auth/user/grant", {"user": user, "role": role})
    server.call("/auth/enable")
    server.call = Authenticated(server)


@pytest.fixture(scope="module")
def users():
    server = Etcd(options=["--auth-token-ttl", str(TOKEN_TTL)])
    add_users(server)
    yield server
    server.stop()


@pytest.fixture
def password_file(tmp_path):
    def write(text):
        (tmp_path / "password").write_bytes(text.encode())
        (tmp_path / "password").chmod(0o600)
        return str(tmp_path / "password")
    return write


def user(name, password):
    return {"EMPUSA_ETCD_USER": name, "EMPUSA_ETCD_PASSWORD": password}


WRITER = user("writer", "pass word: ž")


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_password_comes_from_a_file(users, bind_registry, password_file, ending):
    registry = bind_registry(users)
    registry.ok("--etcd-user", "writer", "--etcd-password-file", password_file("pass word: ž" + ending),
                "switch", "set", "s", "v")
    assert users.get(registry.key("switch", "s")).value == b"v"


def test_a_password_comes_from_the_environment(users, bind_registry):
    bind_registry(users).ok("switch", "set", "s", "v", env=WRITER)


@pytest.mark.parametrize("env", [user("writer", "wrong"), user("stranger", "wrong"), {}], ids=["wrong", "unknown", "none"])
def test_a_wrong_password_is_a_clear_error(users, bind_registry, env):
    registry = bind_registry(users)
    line = registry("switch", "set", "s", "v", env=env).error_line()
    assert line.startswith("ERROR:root:") and ("user" in line or "password" in line or "auth" in line)
    assert "wrong" not in line


@pytest.mark.parametrize("env,command", [
    (user("nobody", "n"), ("service", "list")), (user("reader", "r"), ("switch", "set", "s", "v")),
    (user("reader", "r"), ("service", "register", "--service-type", "t", "--service-name", "n", "--service-location", "h:1"))],
    ids=["list", "set", "register"])
def test_a_lack_of_permission_is_a_clear_error(users, bind_registry, env, command):
    line = bind_registry(users)(*command, env=env).error_line()
    assert line.startswith("ERROR:root:") and ("permission" in line or "denied" in line)


def test_a_password_without_a_user_or_the_reverse_is_wrong_usage(users, bind_registry, password_file):
    registry = bind_registry(users)
    result = registry("--etcd-user", "writer", "service", "list")
    assert result.status == 2 and result.err.count("\n") == 1, result
    result = registry("--etcd-user", "writer", "--etcd-password-file", "/nonexistent/file", "service", "list")
    assert result.status in (1, 2) and "/nonexistent/file" in result.err and result.err.count("\n") == 1, result


def expire_tokens(users):
    """Long enough unused, a token is forgotten; the proof is etcd's own refusal."""
    users.token = None  # one that has expired would be refused here, too
    token = users.call.call_plain("/auth/authenticate", {"name": "root", "password": "root"})["token"]

    def refused():
        time.sleep(TOKEN_TTL * 2)  # asking oftener would keep it valid
        users.token = token
        try:
            users.call.call_plain("/kv/range", {"key": b64("x")})
        except EtcdError as error:
            return "401" in str(error)
        return False
    wait_until(refused, 60)


def test_an_expired_token_is_renewed(users, bind_registry):
    registry = bind_registry(users, **WRITER)
    process = registry.hold("t", "n", "10.0.0.1:80", "--ttl", "60", "--refresh-every", str(TOKEN_TTL * 3))
    expire_tokens(users)
    registry.delete("service", "t", "n")
    wait_until(lambda: registry.service("t", "n"), 30)
    expire_tokens(users)
    assert process.stop() == 0
    assert registry.service("t", "n") is None


def test_reading_suffices_for_serving_and_a_changed_password_does_not_stop_it(users, bind_registry):
    registry = bind_registry(users, **user("reader", "r"))
    server = registry.serve()
    expire_tokens(users)
    registry.put("t", "n", "10.0.0.1:80")
    wait_until(lambda: server.dns.data("n._t._tcp", "SRV"), 30)
    wait_until(lambda: server.dns.ask("n._t._tcp", "SRV", edns=1232).ede is None, 30)


def test_a_server_denied_says_so_and_answers_servfail(users, bind_registry):
    registry = bind_registry(users, **user("nobody", "n"))
    server = registry.serve_unready()
    server.wait_line("^(WARNING|ERROR):root:.*(permission|denied)")
    assert server.dns.ask("", "SOA").rcode == 2
    users.call("/auth/user/grant", {"user": "nobody", "role": "read"})
    server.wait_ready(40)
    users.call("/auth/user/revoke", {"name": "nobody", "role": "read"})


def test_auth_switched_off_and_on_again_is_followed(users, bind_registry):
    registry = bind_registry(users, **WRITER)
    server = registry.serve()
    registry.hold("t", "n", "10.0.0.1:80", "--ttl", "60", "--refresh-every", "1")
    users.call("/auth/disable")
    users.token = None
    guarded, users.call = users.call, users.call.call_plain
    try:
        registry.ok("switch", "set", "s", "off")
        registry.delete("service", "t", "n")
        wait_until(lambda: registry.service("t", "n"), 30)
    finally:
        users.call("/auth/enable")
        users.call = guarded
    registry.ok("switch", "set", "s", "on")
    registry.delete("service", "t", "n")
    wait_until(lambda: registry.service("t", "n"), 30)
    wait_until(lambda: server.dns.data("s.switch", "TXT") == ['"on"'], 30)


def test_a_named_client_certificate_with_auth_is_refused_clearly(tls, tmp_path, bind_registry):
    """etcd's gateway cannot take a certificate's CN as the user, and says so in plain text."""
    ca = (tls.ca.removesuffix(".pem") + ".key", tls.ca)
    key, cert = certificate(tmp_path, "named", "/CN=root", ca, "extendedKeyUsage=clientAuth\n")
    server = Etcd(tls=tls, client_tls=True)
    try:
        server.call("/auth/user/add", {"name": "root", "password": "root"})
        server.call("/auth/role/add", {"name": "root"})
        server.call("/auth/user/grant", {"user": "root", "role": "root"})
        server.call("/auth/enable")
        registry = bind_registry(server, **user("root", "root"))
        line = registry(*client_options(tls, cert, key), "service", "list").error_line()
        assert line.startswith("ERROR:root:") and "CommonName" in line
        registry.ok(*client_options(tls, tls.client_cert, tls.client_key), "service", "list")
    finally:
        server.stop()


def signing(directory):
    """Tokens that are signed and say at which change of users they were made (JWT)."""
    key, public = directory / "jwt.key", directory / "jwt.pem"
    openssl("genrsa", "-out", key, "2048")
    openssl("rsa", "-in", key, "-pubout", "-out", public)
    return ["--auth-token", f"jwt,pub-key={public},priv-key={key},sign-method=RS256"]


@pytest.fixture
def signed(tmp_path):
    server = Etcd(options=signing(tmp_path))
    add_users(server)
    yield server
    server.stop()


def break_watch(server):
    """A watch that runs is not checked again; one that is made anew is. An end without a broken connection: that alone
    has a client fetch another token."""
    for member in server.members:
        member.process.stop()
        member.process = None
    server.start()


def follow_and_keep(registry):
    """What must go on: a server, and a keeper whose entry is put back when it vanishes."""
    server = registry.serve(env=user("reader", "r"))
    registry.hold("t", "kept", "10.0.0.1:80", "--ttl", "5", "--refresh-every", "1", env=WRITER)
    return server


def check_followed(registry, server, name):
    registry.put("t", name, "10.0.0.1:81")
    wait_until(lambda: server.dns.data(f"{name}._t._tcp", "SRV"), 30)
    wait_until(lambda: server.dns.ask(f"{name}._t._tcp", "SRV", edns=1232).ede is None, 30)
    registry.delete("service", "t", "kept")
    wait_until(lambda: registry.service("t", "kept"), 30)


def check_change_of_users(registry):
    server = follow_and_keep(registry)
    check_followed(registry, server, "before")
    registry.etcd.call("/auth/user/add", {"name": "another", "password": "p"})
    check_followed(registry, server, "changed")
    break_watch(registry.etcd)
    check_followed(registry, server, "broken")


def test_a_change_of_users_voids_signed_tokens_for_a_moment_only(signed, bind_registry):
    check_change_of_users(bind_registry(signed))


def test_roles_and_passwords_and_users_that_change_are_followed(users, bind_registry):
    registry = bind_registry(users)
    server = follow_and_keep(registry)
    users.call("/auth/user/revoke", {"name": "reader", "role": "read"})
    break_watch(users)
    wait_until(lambda: server.dns.ask("kept._t._tcp", "SRV", edns=1232).ede == EDE_STALE, 30)
    users.call("/auth/user/grant", {"user": "reader", "role": "read"})
    check_followed(registry, server, "granted")
    users.call("/auth/user/delete", {"name": "reader"})
    break_watch(users)
    wait_until(lambda: server.dns.ask("kept._t._tcp", "SRV", edns=1232).ede == EDE_STALE, 30)
    users.call("/auth/user/add", {"name": "reader", "password": "r"})
    users.call("/auth/user/grant", {"user": "reader", "role": "read"})
    check_followed(registry, server, "added")
