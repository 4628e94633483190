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


# what etcd itself shows; it reads its certificate anew for each connection

class Secure:
    """An etcd whose certificate is changed, with a server and a keeper behind links of their own."""

    def __init__(self, directory, bind_registry):
        self.directory = directory
        self.ca = authority(directory, "first")
        shutil.copy(self.ca[1], directory / "bundle")
        self.show(SERVER)
        made = types.SimpleNamespace(ca=str(directory / "bundle"), server_cert=str(directory / "shown.pem"),
                                     server_key=str(directory / "shown.key"))
        self.etcd = Etcd(tls=made)
        self.registry = bind_registry(self.etcd, EMPUSA_ETCD_PROTOCOL="https", EMPUSA_CA_BUNDLE=str(directory / "bundle"))
        self.links = [Relay(self.etcd.members[0].port) for _ in range(2)]

    def show(self, extension, ca=None, days=2):
        """Another certificate from now on; days below 0: one that has run out."""
        for name in ("made.key", "made.pem"):
            (self.directory / name).unlink(missing_ok=True)
        certificate(self.directory, "made", "/O=server", ca or self.ca, extension, days)
        for end in ("key", "pem"):
            (self.directory / f"made.{end}").replace(self.directory / f"shown.{end}")

    def begin(self):
        self.server = self.registry.serve("--workers", "1", endpoints=self.links[0].endpoint)
        self.keeper = self.registry.hold("t", "kept", "10.0.0.1:80", "--ttl", "30", "--refresh-every", "1",
                                         env={"EMPUSA_ETCD_ENDPOINT": self.links[1].endpoint})
        wait_until(lambda: self.answer().answer_count)

    def answer(self, name="kept"):
        return self.server.dns.ask(f"{name}._t._tcp", "SRV", edns=1232)

    def connect_anew(self):
        for link in self.links:
            link.cut()
            link.heal()

    def write(self, name):
        """Past all of it: by a connection of before, or as somebody who trusts the first authority."""
        self.etcd.context.load_verify_locations(str(self.directory / "bundle"))
        self.registry.put("t", name, "10.0.0.2:80")

    def check_right(self, verdict, fault, name):
        since = time.monotonic()
        self.write(name)
        wait_until(lambda: self.answer(name).answer_count and self.answer().ede is None, 8, f"{fault}: {name}")
        verdict.add(fault, "right", True, recovery_s=time.monotonic() - since)
        self.registry.delete("service", "t", "kept")
        wait_until(lambda: self.registry.service("t", "kept"), 8, f"{fault}: the keeper's entry is put back")
        verdict.add(fault, "once", True)

    def stop(self):
        for link in self.links:
            link.stop()
        self.etcd.stop()


@pytest.fixture
def secure(tmp_path, request):
    made = Secure(tmp_path, request.getfixturevalue("bind_registry"))
    request.addfinalizer(made.stop)
    made.begin()
    yield made
    made.registry.stop()


def test_a_certificate_of_the_same_authority_takes_the_place_of_another(secure, verdict):
    """Nobody notices, and nothing has to be asked to read anything again."""
    secure.show(SERVER)
    secure.connect_anew()
    secure.check_right(verdict, "renewed", "renewed")


WRONG = {"expired": (SERVER, -1, None, "expired"), "of another name": (OTHER_NAME, 2, None, "not for"),
         "of a foreign authority": (SERVER, 2, "foreign", "not trusted")}


@pytest.mark.parametrize("fault", WRONG)
def test_an_etcd_that_cannot_be_trusted_is_not(secure, verdict, fault):
    extension, days, foreign, words = WRONG[fault]
    secure.show(extension, foreign and authority(secure.directory, foreign), days)
    secure.connect_anew()
    wait_until(lambda: secure.answer().ede == EDE_STALE, 30)
    for process in (secure.server, secure.keeper):
        process.wait_line(f"WARNING:root:.*{words}")
    end = time.monotonic() + 3
    while time.monotonic() < end:
        verdict.broken or secure.answer().answer_count or verdict.add(fault, "never-denied", False)
        time.sleep(0.05)
    verdict.add(fault, "answered", True, "as stale")
    for process in (secure.server, secure.keeper):
        said = [line for line in process.err if words in line]
        verdict.add(fault, "answered", len(said) == 1, f"said once: {said}")
    line = secure.registry("service", "list").error_line()
    verdict.add(fault, "right", words in line, line)
    secure.show(SERVER)
    secure.check_right(verdict, fault, "again")


def test_another_authority_takes_the_place_of_the_first(secure, verdict):
    """Its certificate comes into the bundle first, and the server is told; then etcd shows what it has signed.

    The keeper, which cannot be told, reads the bundle again when it is shown what it does not trust.
    """
    second = authority(secure.directory, "second")
    with open(secure.directory / "bundle", "ab") as bundle:
        bundle.write(second[1].read_bytes())
    secure.server.send(signal.SIGHUP)
    secure.server.wait_line("have been read again")
    secure.show(SERVER, second)
    secure.connect_anew()
    secure.check_right(verdict, "another authority", "second")
    verdict.add("another authority", "answered", secure.keeper.find_line("read again"), secure.keeper.err)
