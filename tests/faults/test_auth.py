"""Tokens that run out or are lost, passwords, roles and users that change, authentication that goes on and off.

While somebody may not read: `never-denied` and `answered`, as stale; as soon as he may: `right`; `once` for keepers. What is
wrong is said once, and etcd is asked no oftener than is good for it.
"""

import time

import pytest

from certificates import openssl
from dns_client import EDE_STALE
from etcd import Etcd
from process import PATIENCE, wait_until
from users import TOKEN_TTL, WRITER, add_users, expire_tokens, user


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
