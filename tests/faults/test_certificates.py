"""Certificates that are renewed, that run out, or that nobody trusts, of etcd and of its clients.

While etcd cannot be trusted: `never-denied` and `answered`, as stale. Once it can be, or the files say so: `right`; and
`once` for keepers, which have no signal for it. What is wrong is said once, in words that name it.
"""

import os
import shutil
import signal
import time
import types

import pytest

from certificates import authority, certificate, make_tls
from dns_client import EDE_STALE
from etcd import Etcd
from process import wait_until
from relay import Relay

SERVER = "extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=IP:127.0.0.1,DNS:localhost\n"
OTHER_NAME = "extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=DNS:elsewhere.example\n"
CLIENT = "extendedKeyUsage=clientAuth\n"


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return make_tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def mutual(tls):
    server = Etcd(tls=tls, client_tls=True)
    yield server
    server.stop()


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
