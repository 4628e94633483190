"""Members of etcd: dead, silent, replaced, too few, none; and endpoints that never were."""

import signal
import subprocess
import time

import dns.rdatatype
import pytest

import keepers
from keepers import Keeper
from model import Writer
from name_server import NameServer, Place, with_files
from process import free_port, wait_until
from server import BINARY

SEVERAL = ["--ttl", "30", "--refresh-every", "1"]
NAMES = [f"n{i}" for i in range(8)]
TTL_S = 5
LASTING_S = 6  # a fault that is to outlast every TTL


@pytest.fixture
def cluster(make_cluster):
    return make_cluster(3)


@pytest.fixture
def registry(cluster, bind_registry):
    return bind_registry(cluster)


def follows(client, registry, port):
    registry.put("t", "n", f"10.0.0.1:{port}")
    wait_until(lambda: client.data("n._t._tcp", "SRV") == [f"0 1 {port} 10-0-0-1.addr.empusa.internal."], 30)


def test_losing_the_leader_loses_nothing(cluster, registry):
    server = registry.serve()
    holders = [registry.hold("held", f"h{i}", f"10.0.0.2:{i + 1}", *SEVERAL) for i in range(3)]
    for i in range(20):
        registry.register("t", f"before{i}", f"10.0.0.3:{i + 1}")
    leader = wait_until(cluster.leader)
    cluster.kill_member(leader)
    result = registry("--etcd-timeout", "15", "service", "register", "--service-type", "t", "--service-name", "after",
                      "--service-location", "10.0.0.3:999")
    assert result.status == 0, result
    wait_until(lambda: len(server.dns.data("_t._tcp", "SRV")) == 21, 30)
    cluster.wait_writes()
    follows(server.dns, registry, 1000)
    registry.delete("service", "held", "h0")
    wait_until(lambda: registry.service("held", "h0"), 30)
    assert len(registry.etcd.get_prefix(registry.key("service", "held"))) == 3
    assert len(server.dns.data("_held._tcp", "SRV")) in (2, 3)
    wait_until(lambda: len(server.dns.data("_held._tcp", "SRV")) == 3)
    assert all(holder.is_running() for holder in holders)
    cluster.start_member(leader)
    cluster.wait_healthy(leader)
    follows(server.dns, registry, 1001)
    for holder in holders:
        assert holder.stop() == 0
    assert registry.etcd.get_prefix(registry.key("service", "held")) == []


# What may happen to members. Each of these tells the model when no server can reach an etcd that answers, and returns
# when one can again.

def leader_killed(cluster, model):
    return member_away(cluster, model, wait_until(cluster.leader), cluster.kill_member)


def follower_killed(cluster, model):
    leader = wait_until(cluster.leader)
    return member_away(cluster, model, next(m for m in cluster.members if m is not leader), cluster.kill_member)


def watched_killed(cluster, model):
    return member_away(cluster, model, cluster.watched()[0], cluster.kill_member)


def leader_stopped(cluster, model):
    return member_away(cluster, model, wait_until(cluster.leader), cluster.pause)


def watched_stopped(cluster, model):
    return member_away(cluster, model, cluster.watched()[0], cluster.pause)


def member_away(cluster, model, member, act):
    model.away()
    act(member)
    cluster.wait_writes()
    return model.back()


def watched_stopped_shortly(cluster, model):
    """It comes back with all that was written in its socket buffers."""
    back = watched_stopped(cluster, model)
    time.sleep(LASTING_S / 2)
    cluster.resume()
    return back


def leader_replaced(cluster, model):
    return replaced(cluster, model, wait_until(cluster.leader))


def watched_replaced(cluster, model):
    return replaced(cluster, model, cluster.watched()[0])


def replaced(cluster, model, member):
    """The new one has the address of the old one, and nothing on its disk."""
    model.away()
    cluster.replace(member)
    cluster.wait_writes()
    return model.back()


def each_killed_in_turn(cluster, model):
    return each_in_turn(cluster, model, cluster.kill_member)


def each_stopped_in_turn(cluster, model):
    return each_in_turn(cluster, model, cluster.pause)


def each_in_turn(cluster, model, act):
    model.away()
    for member in list(cluster.members):
        act(member)
        cluster.wait_writes()
        cluster.resume()
        if not member.process:
            cluster.start_member(member)
        cluster.wait_healthy(member)
    cluster.wait_writes()
    return model.back()


def rolling_restart(cluster, model):
    """As an operator would: SIGTERM, which moves the leader elsewhere, and one after the other."""
    model.away()
    for member in cluster.members:
        member.process.stop(signal.SIGTERM, 30)
        member.process = None
        cluster.start_member(member)
        cluster.wait_healthy(member)
    cluster.wait_writes()
    return model.back()


def minority_left(cluster, model):
    """One member answers, has no leader, and says nothing by itself."""
    model.away()
    cluster.pause(*cluster.members[1:])
    time.sleep(LASTING_S)
    cluster.resume()
    cluster.wait_writes()
    return model.back()


def all_killed(cluster, model):
    """Leases are on disk; etcd starts every TTL anew."""
    model.away()
    cluster.kill()
    time.sleep(LASTING_S)
    cluster.start()
    cluster.wait_writes()
    return model.back()


def all_stopped(cluster, model):
    model.away()
    cluster.pause()
    time.sleep(LASTING_S)
    cluster.resume()
    cluster.wait_writes()
    return model.back()


def all_killed_twice(cluster, model):
    """Etcd is there for too short a time to do anything."""
    model.away()
    for _ in range(2):
        cluster.kill()
        for member in cluster.members:
            cluster.start_member(member)
        time.sleep(0.3)
    cluster.wait_writes()
    return model.back()


FAULTS = [leader_killed, leader_stopped, watched_killed, watched_stopped_shortly, watched_replaced, rolling_restart,
          minority_left, all_killed, all_stopped]
# A leader that was stopped finds every lease run out when it goes on. In all other cases etcd starts the TTL anew.
LAPSING = [leader_stopped, watched_stopped, watched_stopped_shortly, each_stopped_in_turn, all_stopped, minority_left]
LONG = [follower_killed, watched_stopped, leader_replaced, each_killed_in_turn, each_stopped_in_turn, all_killed_twice]


@pytest.mark.parametrize("fault", [*FAULTS, *(pytest.param(fault, marks=pytest.mark.long) for fault in LONG)],
                         ids=lambda fault: fault.__name__)
def test_members(fault, cluster, make_model, make_asker, verdict, seed):
    """never-denied, right, answered, once, gone, no-leak: while somebody writes all the time, and keepers keep."""
    model = make_model(cluster)
    for name in NAMES:
        model.put(name)
    model.put_switch("s")
    server = model.registry.serve()
    kept = [Keeper(model, f"k{i}", TTL_S) for i in range(2)]
    doomed = Keeper(model, "doomed", TTL_S)
    asker = make_asker(model, server)
    asker.wait_right()
    writer = Writer(model, NAMES)
    if fault in LAPSING:
        for keeper in [*kept, doomed]:
            keeper.may_lapse(time.monotonic())
    since = fault(cluster, model)
    asker.wait_asked()
    writer.stop()
    asker.wait_right()
    name = fault.__name__.replace("_", " ")
    recover(cluster)
    for keeper in kept:
        keeper.wait_kept()
    doomed.wait_kept()
    doomed.kill()
    asker.wait_right()
    verdict.judge(name, asker, since)
    keepers.judge_gone(verdict, name, doomed, server)
    keepers.judge_to_the_end(verdict, name, model, kept, server)


def recover(cluster):
    cluster.resume()
    for member in cluster.members:
        if not member.process:
            cluster.start_member(member)
    cluster.wait_healthy()


def test_a_dead_endpoint_in_front_is_passed_over(cluster, registry):
    endpoints = f"127.0.0.1:{free_port()}, {cluster.members[1].endpoint}"
    for _ in range(3):
        registry.ok("--etcd-endpoint", endpoints, "switch", "set", "s", "v")
    registry.ok("--etcd-endpoint", f"127.0.0.1:{free_port()}", "--etcd-endpoint", cluster.members[2].endpoint,
                "switch", "get", "s")
    server = registry.serve(endpoints=endpoints)
    assert server.dns.data("s.switch", "TXT") == ['"v"']


def test_a_silent_endpoint_in_front_is_passed_over(cluster, registry):
    """Any endpoint may be tried first; the silent one costs a part of the time, not all of it."""
    cluster.pause(cluster.members[0])
    for i in range(4):
        result = registry("--etcd-timeout", "15", "switch", "set", "s", str(i))
        assert result.status == 0, result


@pytest.fixture
def fake_dns(tmp_path):
    """A name server of ours, and what runs a command that asks it."""
    try:
        names = NameServer()
    except OSError as error:
        pytest.skip(f"port 53: {error.strerror}")
    if not Place(tmp_path, names.address).is_possible():
        pytest.skip("no mount namespaces here")
    yield names.records, lambda *command: with_files(tmp_path, *command)
    names.close()


def test_endpoints_are_discovered_by_srv(cluster, registry, fake_dns):
    records, within = fake_dns
    records["_etcd-client._tcp.example.test.", dns.rdatatype.SRV] = [
        f"0 1 {member.port} m{i}.example.test." for i, member in enumerate(cluster.members)]
    for i in range(3):
        records[f"m{i}.example.test.", dns.rdatatype.A] = ["127.0.0.1"]
    env = {key: value for key, value in registry.env.items() if key != "EMPUSA_ETCD_ENDPOINT"}
    done = subprocess.run(within(BINARY, "--etcd-discovery-srv", "example.test", "switch", "set", "s", "v"),
                          env=env, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done
    assert registry.etcd.get(registry.key("switch", "s")).value == b"v"
    env["EMPUSA_ETCD_DISCOVERY_SRV"] = "nothing.test"
    done = subprocess.run(within(BINARY, "switch", "get", "s"), env=env, capture_output=True, text=True, timeout=30,
                          check=False)
    assert done.returncode == 1 and done.stderr.startswith("ERROR:root:") and done.stderr.count("\n") == 1, done
    assert "nothing.test" in done.stderr
