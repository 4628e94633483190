"""What a network does: cut, late, silent, in halves, reset, lost; for the watch, for other requests, for all of them."""

import random
import time
import urllib.request

import pytest

import keepers
from keepers import Keeper
from links import (EVERYTHING, GRANT, KEEPALIVE, RANGE, TXN, WATCH, FullBacklog, close, delay, dribble, garbage,
                   half_and_stall, halve, lost_request, reset, stall)
from model import Writer
from process import PATIENCE, free_port
from resources import Holdings

NAMES = [f"n{i}" for i in range(8)]
TTL_S = 5
LASTING_S = 6
LEASES = (TXN, GRANT, KEEPALIVE)
ALL = (EVERYTHING,)

# fault, kinds of requests
COMMON = [(close, ALL), (stall, ALL), (lost_request, ALL), (reset, ALL), (halve, ALL), (stall, (RANGE, )),
          (halve, (WATCH,)), (half_and_stall, (WATCH,)), (reset, LEASES), (stall, LEASES)]
MORE = [(half_and_stall, ALL), (garbage, ALL), (dribble, ALL), (delay(0.3), ALL), (delay(1.5), ALL),
        (delay(1.5), (RANGE,)), (delay(3.0), LEASES), (reset, (WATCH,)), (close, (WATCH,)), (garbage, (WATCH,)),
        (garbage, LEASES), (halve, LEASES), (half_and_stall, LEASES), (lost_request, LEASES), (close, (RANGE,)),
        (garbage, (RANGE,)), (half_and_stall, (RANGE,))]


def called(fault, kinds):
    kind = {ALL: "everything", LEASES: "leases"}.get(kinds) or "+".join(kind.rsplit("/", 1)[1] for kind in kinds)
    return f"{fault.__name__} {kind}"


def rows():
    return [pytest.param(*row, id=called(*row).replace(" ", "_")) for row in COMMON] + [
        pytest.param(*row, id=called(*row).replace(" ", "_"), marks=pytest.mark.long) for row in MORE]


class Scene:
    """A cluster behind relays, a server and keepers that know only these, an asker and a writer."""

    def __init__(self, members, make_cluster, make_relay, make_model, make_asker):
        self.cluster = make_cluster(members)
        self.relays = [make_relay(member.port) for member in self.cluster.members]
        endpoints = ",".join(relay.endpoint for relay in self.relays)
        self.model = make_model(self.cluster)
        for name in NAMES:
            self.model.put(name)
        self.model.put_switch("s")
        self.server = self.model.registry.serve(endpoints=endpoints)
        self.kept = [Keeper(self.model, f"k{i}", TTL_S, endpoints=endpoints) for i in range(2)]
        self.asker = make_asker(self.model, self.server)
        self.asker.wait_right()
        self.writer = Writer(self.model, NAMES)

    def watched(self):
        """The relay before the member that the server's watch is on."""
        member = self.cluster.watched()[0]
        return self.relays[self.cluster.members.index(member)]

    def may_lapse(self):
        for keeper in self.kept:
            keeper.may_lapse(time.monotonic())

    def end(self, verdict, fault, since):
        """When all is well again."""
        self.asker.wait_asked()
        self.writer.stop()
        for keeper in self.kept:
            keeper.wait_kept(30)
        self.asker.wait_right()
        verdict.judge(fault, self.asker, since)
        keepers.judge_to_the_end(verdict, fault, self.model, self.kept, self.server)


@pytest.fixture
def make_scene(make_cluster, make_relay, make_model, make_asker):
    return lambda members=1: Scene(members, make_cluster, make_relay, make_model, make_asker)


@pytest.mark.parametrize("fault,kinds", rows())
def test_the_only_link(fault, kinds, make_scene, verdict, seed):
    """never-denied, right, answered, once, gone, no-leak: right again once the link is."""
    scene = make_scene()
    scene.model.away()
    scene.may_lapse()
    scene.relays[0].set_fault(fault, *kinds)
    time.sleep(LASTING_S)
    scene.relays[0].heal()
    scene.end(verdict, called(fault, kinds), scene.model.back())


@pytest.mark.parametrize("fault,kinds", rows())
def test_one_link_of_three(fault, kinds, make_scene, verdict, seed):
    """never-denied, right, answered, once, gone, no-leak: right again by way of the others, while the fault lasts."""
    scene = make_scene(3)
    scene.may_lapse()
    scene.model.away()
    scene.watched().set_fault(fault, *kinds)
    since = scene.model.back()
    time.sleep(LASTING_S)
    scene.end(verdict, called(fault, kinds) + ", of three", since)


def test_packets_that_are_lost(make_scene, verdict, seed):
    """never-denied, right, answered, once, gone, no-leak: connections are neither made nor refused."""
    scene = make_scene(3)
    scene.may_lapse()
    scene.model.away()
    holes = []
    for relay in scene.relays[:2]:
        relay.stop()
        holes.append(FullBacklog(relay.port))
    since = scene.model.back()
    time.sleep(LASTING_S)
    scene.end(verdict, "packets lost", since)
    for hole in holes:
        hole.stop()


@pytest.mark.parametrize("which", [0, 1])
def test_the_way_round_leads_past_a_silent_member(which, make_scene, verdict, seed):
    """never-denied, right, answered: what is cut off from one member may not get stuck at one that is silent."""
    scene = make_scene(3)
    watched = scene.watched()
    silent = [relay for relay in scene.relays if relay is not watched][which]
    scene.may_lapse()
    silent.set_fault(lost_request, EVERYTHING)
    scene.asker.wait_asked()
    scene.model.away()
    watched.set_fault(close, EVERYTHING)
    watched.cut()
    since = scene.model.back()
    time.sleep(LASTING_S)
    scene.end(verdict, "cut, and another silent", since)


@pytest.mark.parametrize("rounds", [20, pytest.param(200, marks=pytest.mark.long)])
def test_many_faults_in_a_row(rounds, make_scene, verdict, seed):
    """never-denied, right, answered, once, gone, no-leak: in an order that the seed decides, one after the other."""
    scene = make_scene()
    scene.model.away()
    scene.may_lapse()
    held = None
    for i in range(rounds):
        scene.relays[0].set_fault(*random.choice([(fault, *kinds) for fault, kinds in COMMON + MORE]))
        time.sleep(random.uniform(0.1, 0.5))
        scene.relays[0].heal()
        time.sleep(random.uniform(0.0, 0.5))
        if i == 5:
            scene.asker.wait_right()
            held = Holdings(scene.server)
    scene.end(verdict, f"{rounds} in a row", scene.model.back())
    held.judge(verdict, f"{rounds} in a row, since the sixth")


def test_a_slow_first_load_is_not_begun_again_for_the_copy_on_disk(make_cluster, make_relay, bind_registry, tmp_path):
    """The copy is empty then, and wants all of a load: of the one that is under way."""
    cluster = make_cluster()
    relay = make_relay(cluster.members[0].port)
    registry = bind_registry(cluster)
    registry.put("t", "n", "10.0.0.1:80")
    relay.set_fault(delay(3.0), RANGE)
    server = registry.serve("--state-dir", str(tmp_path / "state"), "--http", f"127.0.0.1:{(http := free_port())}",
                            endpoints=relay.endpoint)
    relay.set_fault(None, RANGE)  # or the next probe is late, too
    with urllib.request.urlopen(f"http://127.0.0.1:{http}/metrics", timeout=10 * PATIENCE) as page:
        assert "empusa_watch_reloads_total 0\n" in page.read().decode()
    assert not server.find_line("loading the tree again")
