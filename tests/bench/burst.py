"""A type with many instances that arrive at once and are lost at once, while queries for other names go on."""
import time

import client
import dataset
import etcd

INSTANCES, LEASE_KEYS = 10_000, 1_000
TTL_S = 600
LIMIT_S = 60
LEAD_S = 0.25  # of queries before and after
NOERROR, NXDOMAIN = 0, 3


def entry(i):
    return f"{dataset.ROOT}/service/burst/inst-{i:05d}", f"172.16.{i >> 8}.{i & 255}:9000"


def query(i):
    return dataset.wire_name(f"inst-{i:05d}", "_burst._tcp", dataset.DOMAIN), dataset.TYPE_SRV


class Burst:
    """On a server without a zone the same happens in etcd: what its latency shows is the machine's part."""

    def __init__(self, server, store):
        self.server, self.store, self.leases = server, store, []
        # A batch becomes visible as it was written, a lease's keys vanish together.
        self.batches = [range(first, min(first + etcd.BATCH, lease + LEASE_KEYS))
                        for lease in range(0, INSTANCES, LEASE_KEYS)
                        for first in range(lease, lease + LEASE_KEYS, etcd.BATCH)]

    def arrive(self):
        self.store.spread(lambda connection, batch: connection.put_all(
            map(entry, batch), self.leases[batch[0] // LEASE_KEYS]), self.batches)

    def leave(self):
        self.store.spread(lambda connection, lease: connection.revoke(lease), self.leases)

    def await_all(self, rcode):
        """Until the last instance of each batch is there, or is not."""
        deadline_s = time.monotonic() + LIMIT_S
        with client.Client(self.server.port) as dns:
            for batch in self.batches if self.server.has_zone else ():
                while not ((reply := dns.ask(*query(batch[-1]))) and reply.rcode == rcode):
                    if time.monotonic() > deadline_s:
                        raise RuntimeError(f"{self.server.tag}: a burst was not through within {LIMIT_S} s")
                    time.sleep(0.002)

    def during(self, load, rate, act, rcode):
        """Queries at a rate from just before act() until all of it can be seen."""
        with load.start(self.server, "udp-rate", "--rate", rate, "--wait", seconds=2 * LIMIT_S) as run:
            time.sleep(LEAD_S)
            start_s = time.monotonic()
            act()
            written_s = time.monotonic()
            self.await_all(rcode)
            end_s = time.monotonic()
            time.sleep(LEAD_S)
            report = run.end()[0]
        values = {key: report[key] for key in ("p99_us", "max_us", "lost")}
        if self.server.has_zone:
            values |= {"s": end_s - start_s, "late_ms": (end_s - written_s) * 1e3}
        return values

    def measure(self, load, rates):
        """rates: by name."""
        values = {}
        for pace, rate in rates.items():
            connection = self.store.connect()
            self.leases = [connection.grant(TTL_S) for _ in range(0, INSTANCES, LEASE_KEYS)]
            for name, act, rcode in (("arrive", self.arrive, NOERROR), ("leave", self.leave, NXDOMAIN)):
                report = self.during(load, rate, act, rcode)
                values |= {f"{name}_{pace}_{key}": value for key, value in report.items()}
        return values
