"""The wall clock is set while empusa runs, and a machine sleeps for longer than a lease lasts.

Only the wall clock moves: the monotonic one is what the kernel says, as it is when an administrator or NTP sets the time.
libfaketime stands in for them; it reads the offset from a file.

Invariants: `never-denied`, `right` and `answered` throughout; `once`: a keeper stays registered; `gone`, and `no-leak`.
"""

import glob
import os
import signal
import subprocess
import time

import pytest

from holders import ETCD_SLACK_S, TTL_S, hold, location, registered, wait_registered
from process import wait_until
from resources import Holdings

pytestmark = pytest.mark.once  # a sanitizer's run-time library wants to be loaded first

LIBRARY = next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), None)
STEPS_H = (3, -5, -24 * 4000)


class WallClock:
    """Of the processes that are started with its variables."""

    def __init__(self, directory):
        if not LIBRARY:
            pytest.skip("no libfaketime here")
        self.file = os.path.join(directory, "faketime")
        self.set(0)
        self.env = {"LD_PRELOAD": LIBRARY, "FAKETIME_TIMESTAMP_FILE": self.file, "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}

    def set(self, hours):
        # In place of the old one at once: a reader never sees half a file.
        with open(self.file + ".next", "w", encoding="ascii") as file:
            file.write(f"{hours:+d}h\n")
        os.replace(self.file + ".next", self.file)

    def is_set(self, hours):
        """As a program sees it."""
        shown = subprocess.run(["date", "+%s"], env={**os.environ, **self.env}, capture_output=True, check=True).stdout
        return abs(int(shown) - time.time() - hours * 3600) < 600


@pytest.fixture
def clock(tmp_path):
    return WallClock(tmp_path)


def test_the_wall_clock_is_set_by_hours(verdict, make_cluster, make_model, make_asker, clock):
    """never-denied, right, answered, once, no-leak"""
    cluster = make_cluster()
    model = make_model(cluster)
    registry = model.registry
    for i in range(5):
        model.put(f"n{i}")
    server = registry.serve(env=clock.env)
    keepers = [hold(registry, f"n{i}", i + 1, env=clock.env) for i in range(2)]
    expected = {f"n{i}": location(i + 1) for i in range(2)}
    asker = make_asker(model, server)
    holdings = None
    for hours in STEPS_H:
        clock.set(hours)
        assert clock.is_set(hours)
        model.put("n0")
        model.delete("n1")
        model.put("n1")
        end = time.monotonic() + TTL_S + 1
        seen = []
        while time.monotonic() < end:
            seen.append(registered(registry) == expected)
            time.sleep(0.1)
        asker.wait_right()
        holdings = holdings or Holdings(server)
        verdict.add(f"{hours:+d} h", "once", all(seen), f"{seen.count(False)} of {len(seen)} looks were without one")
    model.away()
    cluster.kill()
    clock.set(7)
    asker.wait_stale()
    cluster.start()
    cluster.wait_writes()
    back = model.back()
    model.put("n2")
    asker.wait_right()
    verdict.judge("steps, and a restart of etcd", asker, back)
    holdings.judge(verdict, "steps")
    wait_registered(registry, expected, TTL_S + ETCD_SLACK_S)
    assert [keeper.stop() for keeper in keepers] == [0, 0]
    verdict.add("steps", "gone", not registered(registry), registered(registry))


@pytest.mark.parametrize("asleep", ["server and keeper", "all, etcd too"])
def test_a_machine_that_slept_for_longer_than_a_lease(verdict, make_cluster, make_model, make_asker, asleep):
    """never-denied, right, answered, once, gone, no-leak"""
    cluster = make_cluster()
    model = make_model(cluster)
    registry = model.registry
    for i in range(5):
        model.put(f"n{i}")
    server, keeper = registry.serve(), hold(registry, "n", 1)
    holdings = None
    for turn in range(2):
        for process in (server, keeper):
            process.send(signal.SIGSTOP)
        if asleep != "server and keeper":
            cluster.pause()
            time.sleep(TTL_S + 2)
            cluster.resume()
            cluster.wait_writes()
        else:
            for i in range(3):
                model.put(f"n{i}")
                model.delete(f"n{i + 1}")
            wait_until(lambda: not registered(registry), TTL_S + ETCD_SLACK_S)
            verdict.add(asleep, "gone", True)
        for process in (server, keeper):
            process.send(signal.SIGCONT)
        model.away()
        back = model.back()
        asker = make_asker(model, server)
        begin = time.monotonic()
        asker.wait_right()
        try:
            wait_registered(registry, {"n": location(1)}, 2)
        except AssertionError:
            pass
        verdict.add(asleep, "once", registered(registry) == {"n": location(1)}, registered(registry),
                    time.monotonic() - begin)
        verdict.judge(asleep, asker, back)
        holdings = holdings or Holdings(server)
    holdings.judge(verdict, asleep)
    assert keeper.stop() == 0
    wait_until(lambda: len(cluster.leases()) == 0, TTL_S + ETCD_SLACK_S)
