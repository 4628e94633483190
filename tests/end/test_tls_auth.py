"""TLS with an authority of our own, client certificates, users and tokens."""

import os
import shutil
import signal
import subprocess

import pytest

from certificates import certificate, make_tls
from etcd import Etcd
from process import wait_until
from server import BINARY
from users import WRITER, add_users, user


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return make_tls(tmp_path_factory.mktemp("tls"))


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

@pytest.fixture(scope="module")
def users():
    server = Etcd()
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
