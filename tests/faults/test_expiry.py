"""Leases that end, thousands at once, and what others are answered meanwhile.

Invariants: `gone`: what hung on them is gone after their TTL and etcd's slack, which ends 1,000 leases a second; `once`: who
renews keeps what is his; `never-denied`, `right` and `answered`: of whoever did not expire; `no-leak`.
"""

import math
import threading
import time

import pytest

from etcd import b64
from holders import hold, location, registered
from process import PATIENCE, wait_until
from soak_writer import Gateway

SLACK_S = 6
ENDED_PER_SECOND = 1000  # by etcd
BATCH = 120
WRITERS = 6
PREPARED_PER_SECOND = 1000


class Mass:
    """So many leases that end in the same second, and the services on them."""

    def __init__(self, cluster, registry, leases, each):
        self.cluster, self.registry, self.each = cluster, registry, each
        self.ends = time.monotonic() + (4 + leases * each / PREPARED_PER_SECOND) * max(1, PATIENCE / 2)
        self.identities = [i + 1 for i in range(leases)]
        self._in_parallel(self.identities, self._grant)
        names = [(lease, j) for lease in self.identities for j in range(each)]
        self._in_parallel([names[i:i + BATCH] for i in range(0, len(names), BATCH)], self._put)
        assert time.monotonic() < self.ends, "the first leases ended before the last was granted: a slow machine"
        assert self.count() == leases * each

    def _in_parallel(self, work, act):
        faults = []

        def some(first):
            gateway = Gateway(self.cluster.members, 0)
            try:
                for item in work[first::WRITERS]:
                    act(gateway, item)
            except Exception as error:  # pylint: disable=broad-except
                faults.append(error)
            gateway.drop()
        threads = [threading.Thread(target=some, args=(i,)) for i in range(WRITERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not faults, faults

    def _grant(self, gateway, identity):
        ttl = math.ceil(self.ends - time.monotonic())
        status, answer = gateway.post("/lease/grant", {"ID": str(identity), "TTL": str(ttl)})
        assert status == 200, answer

    def _put(self, gateway, names):
        status, answer = gateway.post("/kv/txn", {"success": [{"request_put": {
            "key": b64(self.registry.service_key(f"mass-{j % 7}", f"n{lease}-{j}")),
            "value": b64(f"10.1.{lease % 250}.{j % 250}:{lease % 60000 + 1}"), "lease": str(lease)}} for lease, j in names]})
        assert status == 200, answer

    def count(self):
        key = self.registry.key("service", "mass-")
        answer = self.cluster.call("/kv/range", {"key": b64(key), "range_end": b64(key[:-1] + b"."), "count_only": True})
        return int(answer.get("count", 0))

    def judge(self, verdict, fault, server):
        limit = len(self.identities) / ENDED_PER_SECOND + SLACK_S
        time.sleep(max(0, self.ends - time.monotonic()))
        try:
            wait_until(lambda: not self.count(), limit)
        except AssertionError:
            pass
        verdict.add(fault, "gone", not self.count(), f"{self.count()} left in etcd", time.monotonic() - self.ends)
        begin = time.monotonic()
        names = [f"_mass-{i}._tcp" for i in range(7)]
        try:
            wait_until(lambda: all(server.dns.ask(name, "PTR").is_nxdomain() for name in names), 2)
        except AssertionError:
            pass
        left = [name for name in names if not server.dns.ask(name, "PTR").is_nxdomain()]
        verdict.add(fault, "gone", not left, f"{left} left in DNS", time.monotonic() - begin)


@pytest.mark.parametrize("leases,each", [(10000, 1), (8, 1000)], ids=["10,000 leases", "8 shared leases"])
def test_many_leases_end_at_once(verdict, make_cluster, make_model, make_asker, leases, each):
    """gone, once, never-denied, right, answered, no-leak"""
    fault = f"{leases} leases of {each} end"
    cluster = make_cluster()
    model = make_model(cluster)
    registry = model.registry
    for i in range(8):
        model.put(f"other{i}")
    server = registry.serve()
    keepers = [hold(registry, f"n{i}", i + 1) for i in range(2)]
    mass = Mass(cluster, registry, leases, each)
    asker = make_asker(model, server)
    mass.judge(verdict, fault, server)
    for i in range(4):
        model.put(f"other{i}")
    asker.wait_right()
    found = registered(registry)
    verdict.add(fault, "once", found == {f"n{i}": location(i + 1) for i in range(2)}, found)
    verdict.add(fault, "once", not any(keeper.find_line("^WARNING") for keeper in keepers), "no entry was lost")
    verdict.judge(fault, asker)
    left = cluster.leases()
    verdict.add(fault, "no-leak", len(left) == 2, f"{len(left)} leases")
