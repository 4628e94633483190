"""A full database: etcd refuses every write; it answers reads, deletions and what keeps a lease alive.

Until an operator has made room: `never-denied`, `right` and `answered` for servers, which never lose contact; `once` for
keepers, whose entries stay; a command that writes says why it cannot, those that read, drain or unregister are not in its
way. After it: all is written at once, by keepers, too. `no-leak` over it all.
"""

import time

import pytest

from etcd import EtcdError
from process import wait_until
from resources import descriptors

QUOTA = 1 << 20
KEEPER = ("--ttl", "5", "--refresh-every", "1")
OUTAGE_S = 8  # beyond the keepers' TTL


@pytest.fixture
def cluster(make_cluster, request):
    return make_cluster(request.param, options=["--quota-backend-bytes", str(QUOTA)])


def fill(etcd):
    """Until etcd takes no more. The values are of one key, so that making room has something to make it of."""
    for _ in range(200):
        try:
            etcd.put("/filler", b"x" * 100000)
        except EtcdError as error:
            assert "space exceeded" in str(error)
            return
    pytest.fail("the quota was never reached")


def refuses(result):
    """Whether a command said in one line that the database is full."""
    line = result.error_line()
    return line.startswith("ERROR:root:") and "space" in line


def check_commands(registry, verdict):
    """What reads goes on, and what deletes; what writes says why it cannot."""
    writes = [("switch", "set", "s", "v"),
              ("service", "register", "--service-type", "t", "--service-name", "x", "--service-location", "h:1"),
              ("service", "register", "--service-type", "t", "--service-name", "y", "--service-location", "h:1",
               "--ttl", "30")]
    for args in writes:
        result = registry(*args)
        verdict.add("full", "right", refuses(result), result.err)
    listed = registry.ok("service", "list", "--format", "json").out
    verdict.add("full", "right", "/n0" in listed and "/k3" in listed, "a list")
    registry.ok("service", "unregister", "--service-type", "u", "--service-name", "leaves")
    verdict.add("full", "right", registry.service("u", "leaves") is None, "unregister goes on")


def keepers_stand(registry, leases):
    """All of them registered, under the leases of before."""
    return all((kept := registry.service("k", name)) and kept.lease == lease for name, lease in leases.items())


@pytest.mark.parametrize("cluster", [1, pytest.param(3, marks=pytest.mark.long)], indirect=True)
def test_a_full_database_stops_writers_only(cluster, make_model, make_asker, verdict):
    model = make_model(cluster)
    registry = model.registry
    for i in range(5):
        model.put(f"n{i}", kind="t")
    registry.put("u", "leaves", "10.0.0.9:80")
    server = registry.serve("--workers", "1")
    keepers = {f"k{i}": registry.hold("k", f"k{i}", f"10.0.0.{i + 1}:80", *KEEPER) for i in range(4)}
    leases = {name: registry.service("k", name).lease for name in keepers}
    wait_until(lambda: len(server.dns.data("_k._tcp", "SRV")) == 4)
    asker = make_asker(model, server)
    fill(cluster)
    check_commands(registry, verdict)
    waits = registry.start("service", "register", "--service-type", "k", "--service-name", "late", "--service-location",
                           "10.0.0.8:80", *KEEPER)
    waits.wait_line("^WARNING:root:.*space")
    end = time.monotonic() + OUTAGE_S
    while time.monotonic() < end:
        if not keepers_stand(registry, leases):
            break
        time.sleep(0.2)
    before = len(descriptors(server))
    verdict.add("full", "once", keepers_stand(registry, leases), f"{len(keepers)} keepers, {OUTAGE_S} s")
    verdict.add("full", "answered", not server.find_line("no contact"), "the server keeps contact")
    model.delete("n4", kind="t")  # etcd still deletes, and a server follows
    wait_until(lambda: server.dns.ask("n4._t._tcp", "SRV").rcode == 3)
    registry.delete("service", "k", "k0")  # what vanishes cannot be put back, yet
    wait_until(lambda: keepers["k0"].find_line("WARNING:root:.*space"), 15, "the keeper says why")
    cluster.make_room()
    since = time.monotonic()
    for name in ("n0", "n4", "new"):
        model.put(name, kind="t")
    verdict.judge("full", asker, since)
    wait_until(lambda: registry.service("k", "k0") and registry.service("k", "late"), 4, "keepers write again")
    verdict.add("full", "once", len(registry.etcd.get_prefix(registry.key("service", "k"))) == 5, "all are registered",
                time.monotonic() - since)
    registry.ok("switch", "set", "s", "v")
    said = [line for line in waits.err if "space" in line]
    verdict.add("full", "answered", len(said) == 1, f"said once: {said}")
    for name, keeper in [*keepers.items(), ("late", waits)]:
        verdict.add("full", "once", keeper.stop() == 0 and registry.service("k", name) is None, f"{name} leaves")
    wait_until(lambda: not cluster.leases(), 15, "no lease is left")
    after = len(descriptors(server))  # another member may have been asked for a proof
    verdict.add("full", "no-leak", after <= before + len(cluster.members), f"{after - before:+} descriptors")
