"""Three members: a leader that dies, a member that falls silent, an endpoint that never was."""

import signal
import subprocess
import threading

import dns.rdatatype
import pytest

from dns_client import EDE_STALE
from etcd import Etcd, EtcdError, b64
from name_server import NameServer, Place, with_files
from process import free_port, wait_until
from server import BINARY

SEVERAL = ["--ttl", "30", "--refresh-every", "1"]


@pytest.fixture
def cluster():
    server = Etcd(members=3)
    yield server
    server.resume()
    server.stop()


@pytest.fixture
def registry(cluster, bind_registry):
    return bind_registry(cluster)


def settled(cluster):
    """The cluster takes writes again."""
    def writes():
        try:
            return cluster.call("/kv/put", {"key": b64("/settled")}, timeout=1)
        except (OSError, EtcdError):
            return None
    wait_until(writes, 30, "the cluster has a leader")


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
    settled(cluster)
    follows(server.dns, registry, 1000)
    registry.delete("service", "held", "h0")
    wait_until(lambda: registry.service("held", "h0"), 30)
    assert len(registry.etcd.get_prefix(registry.key("service", "held"))) == 3
    assert len(server.dns.data("_held._tcp", "SRV")) in (2, 3)
    wait_until(lambda: len(server.dns.data("_held._tcp", "SRV")) == 3)
    assert all(holder.is_running() for holder in holders)
    cluster.start_member(leader)
    wait_until(lambda: is_healthy(cluster, leader), 30)
    follows(server.dns, registry, 1001)
    for holder in holders:
        assert holder.stop() == 0
    assert registry.etcd.get_prefix(registry.key("service", "held")) == []


def test_the_leader_is_killed(make_cluster, make_model, make_asker, verdict):
    """never-denied, right, answered."""
    cluster = make_cluster(3)
    model = make_model(cluster)
    for i in range(5):
        model.put(f"n{i}")
    model.put_switch("s")
    asker = make_asker(model, model.registry.serve())
    asker.wait_right()
    leader = wait_until(cluster.leader)
    model.away()
    cluster.kill_member(leader)
    cluster.wait_writes()
    back = model.back()
    for i in range(5):
        model.put(f"n{i}")
    asker.wait_right()
    verdict.judge("leader killed", asker, back)


def test_each_member_may_die_in_turn(cluster, registry):
    server = registry.serve()
    holder = registry.hold("held", "h", "10.0.0.2:1", *SEVERAL)
    for i, member in enumerate(cluster.members):
        cluster.kill_member(member)
        settled(cluster)
        follows(server.dns, registry, 100 + i)
        registry.delete("service", "held", "h")
        wait_until(lambda: registry.service("held", "h"), 30)
        cluster.start_member(member)
        wait_until(lambda m=member: is_healthy(cluster, m), 30)
    assert holder.stop() == 0


def is_healthy(cluster, member):
    try:
        return "leader" in cluster.call("/maintenance/status", member=member, timeout=2)
    except (OSError, EtcdError):
        return False


@pytest.mark.parametrize("which", ["leader", pytest.param("each in turn", marks=pytest.mark.long)])
def test_a_member_may_fall_silent(cluster, registry, which):
    server = registry.serve()
    holder = registry.hold("held", "h", "10.0.0.2:1", *SEVERAL)
    for i, member in enumerate([wait_until(cluster.leader)] if which == "leader" else cluster.members):
        cluster.pause(member)
        awake = next(m for m in cluster.members if m is not member)

        def writes():
            try:
                return cluster.call("/kv/put", {"key": b64("/settled")}, awake, 1)
            except (OSError, EtcdError):
                return None
        wait_until(writes, 30)
        result = registry("--etcd-timeout", "15", "service", "register", "--service-type", "t", "--service-name", "n",
                          "--service-location", f"10.0.0.1:{200 + i}")
        assert result.status == 0, result
        wait_until(lambda: server.dns.data("n._t._tcp", "SRV") == [f"0 1 {200 + i} 10-0-0-1.addr.empusa.internal."], 30)
        cluster.resume(member)
    wait_until(lambda: server.dns.ask("n._t._tcp", "SRV", edns=1232).ede is None)
    assert holder.stop(timeout=30) == 0


def test_a_minority_goes_stale_and_comes_back(cluster, registry):
    """The one member left is asked, has no leader, and says nothing by itself."""
    registry.put("t", "n", "10.0.0.1:80")
    first = cluster.members[0]
    server = registry.serve(endpoints=first.endpoint)
    cluster.pause(*cluster.members[1:])
    wait_until(lambda: server.dns.ask("n._t._tcp", "SRV", edns=1232).ede == EDE_STALE, 30)
    assert server.dns.data("n._t._tcp", "SRV") == ["0 1 80 10-0-0-1.addr.empusa.internal."]
    cluster.resume()
    settled(cluster)
    follows(server.dns, registry, 81)
    wait_until(lambda: server.dns.ask("n._t._tcp", "SRV", edns=1232).ede is None)


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


def test_a_rolling_restart_flaps_nothing(cluster, registry):
    registry.put("t", "n", "10.0.0.1:80")
    server = registry.serve()
    for member in cluster.members:
        member.process.stop(signal.SIGTERM, 30)
        member.process = None
        assert server.dns.data("n._t._tcp", "SRV")
        cluster.start_member(member)
        wait_until(lambda m=member: is_healthy(cluster, m), 30)
        assert server.dns.data("n._t._tcp", "SRV")
    settled(cluster)
    follows(server.dns, registry, 81)


def test_no_change_is_missed_when_the_watched_member_dies(cluster, registry):
    server = registry.serve(endpoints=f"{cluster.members[0].endpoint},{cluster.members[1].endpoint}")
    written = {}

    def write():
        member = cluster.members[2]
        for i in range(1500):
            key, value = registry.service_key("t", f"n{i % 100:02}"), f"10.0.0.1:{i + 1}"
            try:
                cluster.call("/kv/put", {"key": b64(key), "value": b64(value)}, member)
                written[i % 100] = i + 1
            except (OSError, EtcdError):
                written[i % 100] = None  # unknown: it may have been written or not

    writer = threading.Thread(target=write)
    writer.start()
    wait_until(lambda: len(written) > 50)
    cluster.kill_member(cluster.members[0])
    writer.join()
    settled(cluster)
    registry.put("u", "last", "10.0.0.1:1")
    wait_until(lambda: server.dns.data("last._u._tcp", "SRV"), 30)
    registry.wait_served(server.dns)
    truth = {kv.value.decode().split(":")[1] for kv in registry.etcd.get_prefix(registry.key("service", "t"))}
    assert {data.split()[2] for data in server.dns.data("_t._tcp", "SRV")} == truth


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
