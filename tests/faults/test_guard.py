"""`serve --guard`: what dies by lease expiry en masse stays for the hold, what is left on purpose goes at once.

Invariants: (held) of a type that expires all at once every instance is answered, with a TTL of 10 s at most, until its
hold ends or it is registered again; (at-once) what somebody deletes is gone as without a guard; (off) without --guard
nothing of that is so.
"""

import json
import re
import shutil
import signal
import subprocess
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from process import PATIENCE, free_port, on_free_ports, wait_until
from relay import Relay
from server import BINARY, clean_environment

pytestmark = pytest.mark.serve_has("--guard")

FEW, MANY = 20, 5000
TTL_S = int(3 * max(1, PATIENCE / 2))  # all must be seen while they live; etcd's least is 2
GONE_S = TTL_S + 12  # etcd ends 1,000 leases a second, and looks each half second


class Guarded:
    """A server, its names and its figures."""

    def __init__(self, registry, *args, **options):
        self.registry = registry
        self.server = self._serve(*args, **options)
        self.dns = self.server.dns

    @on_free_ports
    def _serve(self, *args, **options):
        self.port = free_port()
        return self.registry.serve_unready(*args, "--http", f"127.0.0.1:{self.port}", **options).wait_ready()

    def figure(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10 * PATIENCE) as reply:
            text = reply.read().decode()
        return int(re.search(rf"^empusa_{re.escape(name)} (\d+)$", text, re.M)[1])

    @property
    def held(self):
        return self.figure("guard_held")

    @property
    def services(self):
        return self.figure("zone_services")

    def wait(self, services, held, timeout=10.0):
        wait_until(lambda: (self.services, self.held) == (services, held), timeout,
                   f"{services} services are served, {held} of them held")

    def check_names(self, names, rcode=0):
        """All of them and their type's own name are answered, or none is."""
        for name in names:
            reply = self.dns.ask(f"{name}._web._tcp", "SRV")
            assert reply.rcode == rcode, (name, reply)
            assert rcode or max(reply.ttls()) <= 10
        assert self.dns.ask("_web._tcp", "PTR").rcode == rcode


@pytest.fixture
def guarded(registry):
    """Two servers with a guard, whose hold is so long."""
    return lambda hold=60, share=80, **options: [
        Guarded(registry, "--guard", share, "--guard-hold", hold, **options) for _ in range(2)]


@pytest.fixture
def link(etcd):
    relay = Relay(etcd.members[0].port)
    yield relay
    relay.stop()


def names(count=FEW):
    return [f"s{i}" for i in range(count)]


def hold(registry, count=FEW, ttl=TTL_S, refresh=1, endpoint=None):
    """Keepers, one process each."""
    env = {"EMPUSA_ETCD_ENDPOINT": endpoint} if endpoint else None
    keepers = [registry.start("service", "register", "--service-type", "web", "--service-name", name,
                              "--service-location", f"10.0.{i // 250}.{i % 250 + 1}:80", "--ttl", str(ttl),
                              "--refresh-every", str(refresh), env=env) for i, name in enumerate(names(count))]
    for keeper in keepers:
        keeper.wait_line(r"^INFO:root:service .* registered$", 60)
    return keepers


def register_shared(registry, count, ttl):
    """By one process, which does not stay: 1,000 to a lease."""
    entries = [{"service": f"web/{name}", "location": f"10.1.{i // 250}.{i % 250 + 1}:80"}
               for i, name in enumerate(names(count))]
    subprocess.run([BINARY, "service", "register", "--from", "-", "--ttl", str(ttl)], check=True, env=registry.env,
                   input=json.dumps(entries).encode(), stderr=subprocess.DEVNULL, timeout=60 * PATIENCE)


def register_single(registry, count, ttl):
    """Under a lease each. As fast as it goes: they expire in the same time again, of which a window is 10 s."""
    def write(i, name):
        registry.put("web", name, f"10.1.{i // 250}.{i % 250 + 1}:80", registry.etcd.grant(ttl))
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(write, range(count), names(count)))


def in_etcd(registry):
    return registry.etcd.get_prefix(registry.key("service", "web") + b"/")


def wait_expired(registry):
    wait_until(lambda: not in_etcd(registry), GONE_S, "all has expired")


def said(servers, pattern):
    return [[line for line in each.server.said() if re.search(pattern, line)] for each in servers]


def test_keepers_that_are_cut_off_from_etcd_stay_until_they_are_back(registry, guarded, link):
    keepers = hold(registry, endpoint=link.endpoint)
    servers = guarded()
    for each in servers:
        each.wait(FEW, 0)
    link.cut()
    wait_expired(registry)
    for each in servers:
        each.wait(FEW, FEW)
        each.check_names(names())
        assert each.figure("guard_holds_total") == 1
    link.heal()
    for each in servers:
        each.wait(FEW, 0, 30)
        each.check_names(names())
        assert each.figure('guard_ended_total{reason="returned"}') == FEW
    for begun, ended in zip(said(servers, r"WARNING:root:guard: \d+ of 20 instances of web have expired within 10 s"),
                            said(servers, r"INFO:root:guard: no instance of web is held any more: 20 came back, 0 ")):
        assert len(begun) == len(ended) == 1
    assert [keeper.stop() for keeper in keepers] == [0] * FEW


def test_all_hosts_of_a_type_that_die_at_once_stay_for_the_hold(registry, guarded):
    keepers = hold(registry)
    servers = guarded(hold=TTL_S + 5)
    registry.register("db", "other", "10.9.9.9:1")
    for each in servers:
        each.wait(FEW + 1, 0)
    for keeper in keepers:
        keeper.kill()
    wait_expired(registry)
    for each in servers:
        each.wait(FEW + 1, FEW)
        each.check_names(names())
    for each in servers:
        each.wait(1, 0, 20)
        each.check_names(names(), rcode=3)
        assert each.figure('guard_ended_total{reason="released"}') == FEW


@pytest.mark.parametrize("back, fresh", [(4, 0), (10, 0), (0, 5)])
def test_what_is_held_is_held_again_after_a_restart(registry, tmp_path, back, fresh):
    """Although what is still missing is no large share any more of what there is."""
    args = ["--guard", 80, "--guard-hold", 600, "--state-dir", tmp_path / "state"]
    server = Guarded(registry, *args)
    register_shared(registry, FEW, TTL_S)
    server.wait(FEW, 0)
    wait_expired(registry)
    server.wait(FEW, FEW)
    for i in range(back):
        registry.put("web", f"s{i}", f"10.2.0.{i + 1}:80")
    for i in range(fresh):
        registry.put("web", f"new{i}", f"10.3.0.{i + 1}:80")
    server.wait(FEW + fresh, FEW - back)
    assert server.server.stop() == 0
    server = Guarded(registry, *args)
    wait_until(lambda: server.dns.ask("_web._tcp", "SRV", edns=1232).ede is None)
    server.wait(FEW + fresh, FEW - back, 0)
    server.check_names(names())
    registry.put("web", f"s{back}", "10.2.0.99:80")
    server.wait(FEW + fresh, FEW - back - 1)
    assert server.figure("guard_holds_total") == 1 and server.figure('guard_judged_total{verdict="expired"}') == 0


@pytest.mark.parametrize("count", [FEW, pytest.param(500, marks=pytest.mark.long)])
def test_keepers_on_sigterm_at_once_are_gone_at_once(registry, guarded, count):
    """With leases that outlast the test: what shows on purpose is that they live."""
    keepers = hold(registry, count, ttl=60, refresh=20)
    servers = guarded()
    for each in servers:
        each.wait(count, 0, 30)
    for keeper in keepers:
        keeper.send(signal.SIGTERM)
    wait_until(lambda: not in_etcd(registry), 60, "all have unregistered themselves")
    for each in servers:
        each.wait(0, 0, 5)
        each.check_names(names(), rcode=3)
        assert each.figure("guard_holds_total") == 0
        assert each.figure('guard_judged_total{verdict="expired"}') == 0
    for keeper in keepers:
        assert keeper.wait(30) == 0


@pytest.mark.parametrize("register", [register_shared, register_single])
def test_what_is_deleted_while_its_lease_lives_is_gone_at_once(registry, guarded, register):
    register(registry, FEW, 60)
    servers = guarded()
    for each in servers:
        each.wait(FEW, 0)
    registry.unregister("web", "s0")
    for each in servers:
        each.wait(FEW - 1, 0)
    subprocess.run([shutil.which("etcdctl") or "etcdctl", "--endpoints", registry.etcd.endpoints, "del", "--prefix",
                    f"{registry.root}/service/web/"], check=True, stdout=subprocess.DEVNULL,
                   env=clean_environment(ETCDCTL_API="3"))
    for each in servers:
        each.wait(0, 0, 5)
        each.check_names(names(), rcode=3)
        assert each.figure("guard_holds_total") == 0


@pytest.mark.parametrize("count,register", [
    (FEW, register_single), (MANY, register_shared), pytest.param(MANY, register_single, marks=pytest.mark.long)])
def test_what_a_lost_watch_and_a_load_miss_is_judged_the_same_way(registry, guarded, link, count, register):
    """While the servers are cut off all expire, and what happened is compacted. Then the hold goes on across another load."""
    servers = guarded(endpoints=link.endpoint)
    ttl = TTL_S if count == FEW else 10 * TTL_S if register is register_single else TTL_S + 3
    register(registry, count, ttl)
    for each in servers:
        each.wait(count, 0, ttl - 1)
    link.cut()
    wait_until(lambda: not in_etcd(registry), ttl + GONE_S, "all has expired")
    registry.register("db", "other", "10.9.9.9:1")
    registry.etcd.compact()
    link.heal()
    for each in servers:
        each.wait(count + 1, count, 20)
        each.check_names(names(FEW))
    link.cut()
    registry.register("db", "another", "10.9.9.10:1")
    registry.etcd.compact()
    link.heal()
    for each in servers:
        each.wait(count + 2, count, 20)
        assert each.figure("guard_holds_total") == 1


def test_five_thousand_that_expire_stay_for_the_hold_and_none_that_comes_back_goes(registry, guarded):
    register_shared(registry, MANY, TTL_S + 2)
    servers = guarded(hold=TTL_S + 7)
    for each in servers:
        each.wait(MANY, 0, 5)
    wait_until(lambda: not in_etcd(registry), 2 + GONE_S, "all has expired")
    for each in servers:
        each.wait(MANY, MANY)
    for i, name in enumerate(names(FEW)):
        registry.put("web", name, f"10.2.0.{i + 1}:80")
    for each in servers:
        each.wait(MANY, MANY - FEW)
    for each in servers:
        each.wait(FEW, 0, 30)
        each.check_names(names())


@pytest.mark.long
def test_what_expires_below_the_share_goes_at_once(registry, guarded):
    """Without a question: 10 of 20."""
    registry.etcd.put_many((registry.service_key("web", f"t{i}"), f"10.3.0.{i + 1}:80") for i in range(FEW // 2))
    register_single(registry, FEW // 2, TTL_S)
    servers = guarded()
    for each in servers:
        each.wait(FEW, 0)
    wait_until(lambda: len(in_etcd(registry)) == FEW // 2, GONE_S, "half has expired")
    for each in servers:
        each.wait(FEW // 2, 0, 5)
        assert each.figure('guard_judged_total{verdict="expired"}') == 0


def test_without_a_guard_all_goes_at_once(registry):
    servers = [Guarded(registry), Guarded(registry, "--guard", "off")]
    register_single(registry, FEW, TTL_S)
    for each in servers:
        each.wait(FEW, 0)
    wait_expired(registry)
    for each in servers:
        each.wait(0, 0, 5)
        each.check_names(names(), rcode=3)


def test_a_share_that_is_none_is_refused(registry):
    for share in "0", "100", "half", "":
        result = registry("serve", "--guard", share)
        if share:
            assert result.error_line(2) == f'ERROR:root:--guard "{share}": neither off nor a share of 1 to 99 percent'
    assert registry("serve", "--guard-hold", "0").status == 2
