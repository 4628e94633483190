"""Keepers: processes that keep themselves registered, and what they must have in etcd."""

import time

from model import ABSENT
from process import PATIENCE, wait_until
from resources import Holdings

EXPIRY_SLACK_S = 5  # etcd looks for expired leases each half second, and a new leader starts every TTL anew


class Keeper:
    """One that has registered itself in the model's registry."""

    def __init__(self, model, name, ttl=5, refresh=1, endpoints=None, kind="held"):
        self.model, self.ttl = model, ttl
        self.key = model.service(name, kind)
        self.value = model.new_value(self.key)
        write = model.note(self.key, self.value, time.monotonic())
        env = {"EMPUSA_ETCD_ENDPOINT": endpoints} if endpoints else None
        self.process = model.registry.hold(kind, name, self.value, "--ttl", str(ttl), "--refresh-every", str(refresh),
                                           env=env)
        write.answered = time.monotonic()
        self.died = None

    def entry(self):
        """As etcd has it, or None."""
        return self.model.etcd.get(self.key.key)

    def may_lapse(self, since):
        """It has had no etcd since then: from a TTL after its last beat on its entry may be gone."""
        return self.model.note(self.key, ABSENT, since)

    def wait_kept(self, timeout=15):
        """Until etcd has its entry, under a lease, for as long as it lives."""
        requested = time.monotonic()

        def look():
            found = self.entry()
            return found and found.value.decode() == self.value and found.lease
        wait_until(look, timeout, f"{self.key.instance} is registered")
        self.model.note(self.key, self.value, requested, time.monotonic())

    def kill(self):
        """As a machine's death. Its entry is to vanish by itself."""
        self.process.kill()
        died = self.died = time.monotonic()
        # The last beat was at most a TTL ago, the next would have been sent before it ran out.
        self.model.note(self.key, ABSENT, died, died + self.ttl + EXPIRY_SLACK_S * PATIENCE)

    def stop(self):
        requested = time.monotonic()
        assert self.process.stop(timeout=30) == 0
        self.model.note(self.key, ABSENT, requested, time.monotonic())


def judge_gone(verdict, fault, keeper, server):
    """Gone: the entry of one that was killed is, both in etcd and in DNS, and not before its TTL ran out."""
    wait_s = keeper.ttl + EXPIRY_SLACK_S

    def is_gone():
        return keeper.entry() is None and server.dns.ask(keeper.key.instance, "SRV").rcode == 3
    try:
        wait_until(is_gone, wait_s)
        verdict.add(fault, "gone", True, f"after {time.monotonic() - keeper.died:.1f} s of TTL {keeper.ttl} s")
    except AssertionError:
        verdict.add(fault, "gone", False, f"{keeper.entry()} after {wait_s} s")


def judge_left(verdict, fault, model, keepers):
    """Gone: the entries of those that were stopped. Their leases run out, one for each at the most."""
    entries = model.etcd.get_prefix(model.registry.key("service", "held") + b"/")
    leases = model.etcd.leases()
    verdict.add(fault, "gone", not entries and len(leases) <= len(keepers),
                f"{len(entries)} entries, {len(leases)} leases that run out of {len(keepers)} keepers that were stopped")


def judge_to_the_end(verdict, fault, model, keepers, server):
    """Once, then gone, when they are stopped, and what the server holds afterwards."""
    judge(verdict, fault, model, keepers)
    held = Holdings(server)
    for keeper in keepers:
        keeper.stop()
    judge_left(verdict, fault, model, keepers)
    held.judge(verdict, fault)


def judge(verdict, fault, model, keepers, other_leases=0):
    """Once: each has its entry, and there are no more leases than keepers, once what a fault left behind has run out."""
    for keeper in keepers:
        keeper.wait_kept()
    entries = model.etcd.get_prefix(model.registry.key("service", "held") + b"/")
    running = [keeper.process.is_running() for keeper in keepers]
    longest = max(keeper.ttl for keeper in keepers) + EXPIRY_SLACK_S
    try:
        wait_until(lambda: len(model.etcd.leases()) <= len(keepers) + other_leases, longest)
        few = True
    except AssertionError:
        few = False
    verdict.add(fault, "once", all(running) and len(entries) == len(keepers) and
                {entry.value.decode() for entry in entries} == {keeper.value for keeper in keepers},
                f"{len(entries)} entries of {len(keepers)} keepers, {sum(running)} live")
    verdict.add(fault, "no-leak", few, f"{len(model.etcd.leases())} leases of {len(keepers)} keepers")
