"""Tokens that run out or are lost, passwords, roles and users that change, authentication that goes on and off.

While somebody may not read: `never-denied` and `answered`, as stale; as soon as he may: `right`; `once` for keepers. What is
wrong is said once, and etcd is asked no oftener than is good for it.
"""

import signal
import time

import pytest

from distortions import status
from dns_client import EDE_STALE
from etcd import Etcd
from gateway import Only
from process import PATIENCE, wait_until
from users import (TOKEN_TTL, WRITER, add_users, break_watch, check_change_of_users, check_followed, expire_tokens,
                   follow_and_keep, signing, user)


@pytest.fixture(scope="module")
def users():
    server = Etcd(options=["--auth-token-ttl", str(TOKEN_TTL)])
    add_users(server)
    yield server
    server.stop()


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


@pytest.fixture
def signed(tmp_path):
    server = Etcd(options=signing(tmp_path))
    add_users(server)
    yield server
    server.stop()


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


class Watched:
    """A server and a keeper behind gateways, which count what they ask."""

    def __init__(self, registry, server, keeper, gateways):
        self.registry, self.server, self.keeper, self.gateways = registry, server, keeper, gateways
        self.lease = registry.service("t", "kept").lease

    def answer(self, name="kept"):
        return self.server.dns.ask(f"{name}._t._tcp", "SRV", edns=1232)

    def asked(self, *methods):
        return [gateway.count(*methods) for gateway in self.gateways]

    def check_quiet(self, verdict, fault, seconds=4, limit=6):
        """Requests a second of each, and the lines about the fault."""
        before = self.asked()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            verdict.broken or self.answer().rcode == 0 or verdict.add(fault, "answered", False, self.answer().message)
            time.sleep(0.1)
        spent = [after - count for after, count in zip(self.asked(), before)]
        verdict.add(fault, "answered", max(spent) <= limit * seconds, f"{spent} requests in {seconds} s")

    def check_right(self, verdict, fault, within):
        """From now on: a change shows, the entry of the keeper stands and is put back."""
        since = time.monotonic()
        self.registry.put("t", fault.replace(" ", "-"), "10.0.0.7:80")
        wait_until(lambda: self.answer(fault.replace(" ", "-")).answer_count and self.answer().ede is None, 30, fault)
        took_s = time.monotonic() - since
        verdict.add(fault, "right", took_s <= within * PATIENCE, recovery_s=took_s)
        self.registry.delete("service", "t", "kept")
        wait_until(lambda: self.registry.service("t", "kept"), within + 2, f"{fault}: the keeper's entry is put back")
        verdict.add(fault, "once", len(self.registry.etcd.get_prefix(self.registry.service_key("t", "kept"))) == 1)


@pytest.fixture
def watched(users, bind_registry, make_gateway):
    """As reader and writer of the test's own, whose users may be changed as it likes."""
    for name, role in (("serves", "read"), ("keeps", "write")):
        users.call("/auth/user/add", {"name": name, "password": "first"})
        users.call("/auth/user/grant", {"user": name, "role": role})
    gateways = [make_gateway(users.members[0]) for _ in range(2)]
    registry = bind_registry(users)
    server = registry.serve(env=user("serves", "first"), endpoints=gateways[0].endpoint)
    keeper = registry.hold("t", "kept", "10.0.0.1:80", "--ttl", "120", "--refresh-every", "1",
                           env={**user("keeps", "first"), "EMPUSA_ETCD_ENDPOINT": gateways[1].endpoint})
    wait_until(lambda: server.dns.data("kept._t._tcp", "SRV"))
    yield Watched(registry, server, keeper, gateways)
    registry.stop()  # as long as they may
    for name in ("serves", "keeps"):
        users.call("/auth/user/delete", {"name": name})


def withdraw_roles(users):
    for name, role in (("serves", "read"), ("keeps", "write")):
        users.call("/auth/user/revoke", {"name": name, "role": role})


def give_roles(users):
    for name, role in (("serves", "read"), ("keeps", "write")):
        users.call("/auth/user/grant", {"user": name, "role": role})


def delete_users(users):
    for name in ("serves", "keeps"):
        users.call("/auth/user/delete", {"name": name})


def add_again(users):
    for name in ("serves", "keeps"):
        users.call("/auth/user/add", {"name": name, "password": "first"})
    give_roles(users)


def change_passwords(users):
    for name in ("serves", "keeps"):
        users.call("/auth/user/changepw", {"name": name, "password": "second"})


def change_back(users):
    for name in ("serves", "keeps"):
        users.call("/auth/user/changepw", {"name": name, "password": "first"})


# An authentication costs etcd 70 ms: one that is refused is tried again after 10 s at the latest.
WITHDRAWALS = {"roles": (withdraw_roles, give_roles, 2), "users": (delete_users, add_again, 12),
               "passwords": (change_passwords, change_back, 12)}


@pytest.mark.parametrize("what", WITHDRAWALS)
def test_what_is_withdrawn_and_given_back(users, watched, verdict, what):
    withdraw, give_back, within = WITHDRAWALS[what]
    withdraw(users)
    watched.gateways[0].cut()
    wait_until(lambda: watched.answer().ede == EDE_STALE, 30)
    watched.check_quiet(verdict, what)
    for process in (watched.server, watched.keeper):
        said = [line for line in process.err if "WARNING" in line]
        # The connection that was cut, what the watch was refused with, what a new token was, and that it goes on so.
        verdict.add(what, "answered", 1 <= len(said) <= 4, f"said: {said}")
    kept = watched.registry.service("t", "kept")
    verdict.add(what, "once", kept and kept.lease == watched.lease, "the entry stands")
    give_back(users)
    watched.check_right(verdict, what, within)


def test_a_password_that_is_changed_in_its_file_and_in_etcd(users, bind_registry, tmp_path, verdict):
    """A server reads the file when it is told to; a keeper has no signal for that, and does when it is refused."""
    path = tmp_path / "password"

    def write(text):
        (tmp_path / "new").write_text(text)
        (tmp_path / "new").chmod(0o600)
        (tmp_path / "new").replace(path)

    write("first\n")
    for name in ("serves", "keeps"):
        users.call("/auth/user/add", {"name": name, "password": "first"})
    give_roles(users)
    registry = bind_registry(users)
    env = {"EMPUSA_ETCD_PASSWORD_FILE": str(path)}
    server = registry.serve(env={**env, "EMPUSA_ETCD_USER": "serves"})
    keeper = registry.hold("t", "kept", "10.0.0.1:80", "--ttl", "20", "--refresh-every", "1",
                           env={**env, "EMPUSA_ETCD_USER": "keeps"})
    lease = registry.service("t", "kept").lease
    change_passwords(users)
    keeper.wait_line("WARNING:root:.*authentication failed")
    write("second\n")
    server.send(signal.SIGHUP)
    server.wait_line("have been read again")
    since = time.monotonic()
    registry.put("t", "n", "10.0.0.1:81")
    wait_until(lambda: server.dns.data("n._t._tcp", "SRV"))
    verdict.add("a new password", "right", True, recovery_s=time.monotonic() - since)
    keeper.wait_line("etcd answers again")
    verdict.add("a new password", "once", registry.service("t", "kept").lease == lease, "the lease is kept",
                time.monotonic() - since)
    verdict.add("a new password", "once", keeper.stop() == 0 and not registry.service("t", "kept"), "and given back")
    verdict.add("a new password", "answered", not server.find_line("no contact"), "contact is kept")
    delete_users(users)


TOKENS = {"nothing": b"{}", "a number": b'{"token":7}', "empty": b'{"token":""}', "two lines": b'{"token":"a\\r\\nX-Y: z"}',
          "not ASCII": '{"token":"ž"}'.encode(), "half": b'{"token":"abc', "of 60 kB": b'{"token":"' + b"x" * 60000 + b'"}',
          "of 1 MB": b'{"token":"' + b"x" * 1000000 + b'"}', "HTML": b"<html>", "another's": b'{"token":"nobody.1"}'}


SPOILT_S = 5


@pytest.mark.parametrize("batch", [0, 1])
def test_tokens_that_are_none(users, bind_registry, make_gateway, verdict, batch):
    """Of a gateway that distorts each token: nothing is lost, and all is right again once it does not."""
    registry = bind_registry(users)
    registry.put("t", "n", "10.0.0.1:80")
    running = {}
    for kind in list(TOKENS)[batch::2]:
        gateway = make_gateway(users.members[0])
        server = registry.serve("--workers", "1", env=user("reader", "r"), endpoints=gateway.endpoint)
        running[kind] = gateway, server
    for kind, (gateway, server) in running.items():
        gateway.spoil(Only(status(200, lambda body, text=TOKENS[kind]: text), "authenticate"))
    users.call("/auth/user/changepw", {"name": "reader", "password": "r"})  # which voids their tokens
    break_watch(users)
    before, since = {kind: gateway.count("authenticate") for kind, (gateway, _) in running.items()}, time.monotonic()
    while time.monotonic() < since + SPOILT_S:
        for kind, (_, server) in running.items():
            answer = server.dns.ask("n._t._tcp", "SRV")
            verdict.broken or answer.answer_count or verdict.add(kind, "never-denied", False, answer.message)
        time.sleep(0.05)
    for kind, (gateway, _) in running.items():
        spent = gateway.count("authenticate") - before[kind]
        verdict.add(kind, "answered", 1 <= spent <= 5 * SPOILT_S, f"{spent} tokens in {SPOILT_S} s")
    for gateway, _ in running.values():
        gateway.heal()
    registry.put("t", "later", "10.0.0.1:81")
    for kind, (_, server) in running.items():
        wait_until(lambda s=server: s.dns.data("later._t._tcp", "SRV") and
                   s.dns.ask("n._t._tcp", "SRV", edns=1232).ede is None, 12, kind)
        verdict.add(kind, "right", True)
