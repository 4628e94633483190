"""Keepers of entries, and what others do to those.

Invariants: `once`: a keeper that lives is registered, exactly once, and nothing else stands under its name; `gone`: one that
died is gone after its TTL and etcd's slack; `no-leak`: neither leases nor descriptors are left over.
"""

import signal
import time

import pytest

from holders import (BEAT_S, ETCD_SLACK_S, TTL_S, compile_many, expected_of_many, hold, hold_many, location, registered,
                     wait_registered)
from process import PATIENCE, wait_until
from resources import Holdings, rss_kb

MANY = 500
MANY_TTL_S = 8  # to put all of them back takes seconds where others use the machine


@pytest.fixture
def cluster(make_cluster):
    return make_cluster()


@pytest.fixture
def registry(cluster, bind_registry):
    return bind_registry(cluster)


def judge_gone(verdict, fault, registry, names, ttl=TTL_S):
    begin = time.monotonic()
    while set(names) & set(registered(registry)) and time.monotonic() < begin + (ttl + ETCD_SLACK_S) * PATIENCE:
        time.sleep(0.05)
    left = set(names) & set(registered(registry))
    verdict.add(fault, "gone", not left, f"{len(left)} of {len(names)} left", time.monotonic() - begin)


def judge_once(verdict, fault, registry, expected, timeout=TTL_S + ETCD_SLACK_S):
    begin = time.monotonic()
    try:
        wait_registered(registry, expected, timeout)
    except AssertionError:
        pass
    found = registered(registry)
    verdict.add(fault, "once", found == expected, "" if found == expected else f"{len(found)}: {list(found.items())[:3]}",
                time.monotonic() - begin)


def judge_leases(verdict, fault, cluster, count, within_s=TTL_S + ETCD_SLACK_S):
    """That many are left once those nobody renews are over."""
    try:
        wait_until(lambda: len(cluster.leases()) <= count, within_s)
    except AssertionError:
        pass
    verdict.add(fault, "no-leak", len(cluster.leases()) <= count, f"{len(cluster.leases())} leases")


def test_a_keeper_that_is_killed_is_gone_and_others_are_not(verdict, cluster, registry):
    """once, gone, no-leak"""
    killed, lives = hold(registry, "killed", 1), hold(registry, "lives", 2)
    killed.kill()
    judge_gone(verdict, "killed", registry, ["killed"])
    judge_once(verdict, "killed", registry, {"lives": location(2)})
    judge_leases(verdict, "killed", cluster, 1)
    assert lives.stop() == 0
    judge_once(verdict, "ended", registry, {})


def test_a_keeper_that_is_stopped_for_longer_than_its_ttl_comes_back(verdict, cluster, registry):
    """once, gone, no-leak"""
    keeper = hold(registry, "n", 1)
    keeper.send(signal.SIGSTOP)
    judge_gone(verdict, "stopped", registry, ["n"])
    keeper.send(signal.SIGCONT)
    judge_once(verdict, "continued", registry, {"n": location(1)})
    judge_leases(verdict, "continued", cluster, 1)
    assert keeper.stop() == 0
    judge_once(verdict, "ended", registry, {})


def test_whoever_took_the_place_of_a_stopped_keeper_gives_way_to_it(verdict, cluster, registry):
    """once, no-leak: as the documentation says, what another process changed is put back."""
    keeper = hold(registry, "n", 1)
    keeper.send(signal.SIGSTOP)
    wait_until(lambda: not registered(registry), TTL_S + ETCD_SLACK_S)
    registry.register("held", "n", location(9), "--ttl", str(TTL_S))
    keeper.send(signal.SIGCONT)
    judge_once(verdict, "another took its place", registry, {"n": location(1)})
    keeper.wait_line("^WARNING:root:.*")
    judge_leases(verdict, "another took its place", cluster, 1)


@pytest.mark.parametrize("fault", ["deleted", "changed", "lease revoked", "on another lease"])
def test_what_others_do_to_an_entry_is_undone(verdict, cluster, registry, fault):
    """once, no-leak"""
    keeper = hold(registry, "n", 1)
    for _ in range(3):
        before = registry.service("held", "n")
        if fault == "deleted":
            registry.delete("service", "held", "n")
        elif fault == "changed":
            registry.put("held", "n", "10.9.9.9:9")
        elif fault == "lease revoked":
            cluster.revoke(before.lease)
        else:
            registry.put("held", "n", location(1), cluster.grant(2))
        wait_until(lambda: (now := registry.service("held", "n")) and now.value == location(1).encode()  # pylint: disable=cell-var-from-loop
                   and now.mod_revision > before.mod_revision + 1 * (fault != "deleted"), 3 * BEAT_S + ETCD_SLACK_S)
    time.sleep(3)  # longer than the other lease lasts
    judge_once(verdict, fault, registry, {"n": location(1)})
    judge_leases(verdict, fault, cluster, 1)
    assert keeper.stop() == 0
    judge_once(verdict, "ended", registry, {})


def test_two_keepers_of_one_name(verdict, cluster, registry):
    """once: at each moment one of the two stands there, and the one that is left over has it for itself."""
    one, two = hold(registry, "n", 1), hold(registry, "n", 2)
    end = time.monotonic() + 4 * BEAT_S
    seen = set()
    while time.monotonic() < end:
        found = registered(registry)
        seen.add(found.get("n"))
        time.sleep(0.02)
    verdict.add("two of one name", "once", seen <= {location(1), location(2)}, seen)
    one.kill()
    judge_once(verdict, "one of them killed", registry, {"n": location(2)})
    judge_leases(verdict, "one of them killed", cluster, 1)
    judge_once(verdict, "its lease is over", registry, {"n": location(2)})
    assert two.stop() == 0
    judge_once(verdict, "both ended", registry, {})


@pytest.mark.parametrize("away", ["killed", "stopped"])
def test_keepers_outlive_an_etcd_that_is_away_beyond_their_ttl(verdict, cluster, registry, away):
    """once, gone, no-leak: one that died meanwhile goes, too."""
    keepers = [hold(registry, f"n{i}", i + 1) for i in range(3)]
    holdings = Holdings(keepers[0])
    for _ in range(2):
        if away == "killed":
            cluster.kill()
        else:
            cluster.pause()
        time.sleep(TTL_S + 1)
        if away == "killed":
            cluster.start()
        else:
            cluster.resume()
        cluster.wait_writes()
        judge_once(verdict, away, registry, {f"n{i}": location(i + 1) for i in range(3)}, 2 + TTL_S)
    holdings.judge(verdict, away)
    if away == "killed":
        cluster.kill()
    else:
        cluster.pause()
    keepers[2].kill()
    if away == "killed":
        cluster.start()
    else:
        cluster.resume()
    judge_gone(verdict, f"died while etcd was {away}", registry, ["n2"], 2 * TTL_S)
    judge_once(verdict, f"died while etcd was {away}", registry, {f"n{i}": location(i + 1) for i in range(2)})
    judge_leases(verdict, away, cluster, 2)


def test_many_keepers_of_one_process(verdict, cluster, registry, tmp_path):
    """once, gone, no-leak: they share a lease, and all that is done to some of them costs the others nothing."""
    many = hold_many(compile_many(tmp_path), registry, MANY, MANY_TTL_S)
    expected = expected_of_many(MANY)
    judge_once(verdict, "none", registry, expected)
    leases, held = cluster.leases(), 0
    for _ in range(2):
        for i in range(0, MANY, 5):
            registry.delete("service", "held", f"n{i}")
        registry.etcd.put_many((registry.service_key("held", f"n{i}"), "10.9.9.9:9") for i in range(1, MANY, 5))
        judge_once(verdict, "a fifth deleted, a fifth changed", registry, expected, 3 * MANY_TTL_S)
        for lease in cluster.leases():
            cluster.revoke(lease)
        judge_once(verdict, "lease revoked", registry, expected, 3 * MANY_TTL_S)
        held = held or rss_kb(many)
    many.send(signal.SIGSTOP)
    judge_gone(verdict, "stopped", registry, expected, MANY_TTL_S)
    many.send(signal.SIGCONT)
    judge_once(verdict, "continued", registry, expected, 3 * MANY_TTL_S)
    # What an allocator needs for 500 requests at once differs from time to time.
    verdict.add("all of these", "no-leak", rss_kb(many) < 2 * held, f"{held} -> {rss_kb(many)} kB")
    judge_leases(verdict, "all of these", cluster, len(leases), MANY_TTL_S + ETCD_SLACK_S)
    many.kill()
    judge_gone(verdict, "killed", registry, expected, MANY_TTL_S)
    judge_leases(verdict, "killed", cluster, 0, MANY_TTL_S + ETCD_SLACK_S)
