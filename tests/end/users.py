"""An etcd with users: root, a writer and a reader of /e2e*, and somebody who may do nothing."""

import time

from certificates import openssl
from etcd import EtcdError, b64
from process import wait_until

TOKEN_TTL = 2


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


def user(name, password):
    return {"EMPUSA_ETCD_USER": name, "EMPUSA_ETCD_PASSWORD": password}


WRITER = user("writer", "pass word: ž")


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


def signing(directory):
    """Tokens that are signed and say at which change of users they were made (JWT)."""
    key, public = directory / "jwt.key", directory / "jwt.pem"
    openssl("genrsa", "-out", key, "2048")
    openssl("rsa", "-in", key, "-pubout", "-out", public)
    return ["--auth-token", f"jwt,pub-key={public},priv-key={key},sign-method=RS256"]


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
