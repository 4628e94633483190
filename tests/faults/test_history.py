"""A store whose history is not what it was: compacted, wiped, restored, overtaken, or another one altogether."""

import time

import pytest

import keepers
from keepers import Keeper
from model import ABSENT, Writer
from links import EVERYTHING, WATCH, lost_request, stall

NAMES = [f"n{i}" for i in range(8)]
TTL_S = 5
REFILL_S = 2.5  # nobody wipes a store and fills it again in less
OTHER_TOKEN = "another-cluster"


class Scene:
    """A server and keepers behind a relay, and a store that has been written to for a while."""

    def __init__(self, cluster, make_relay, make_model, make_asker):
        self.cluster = cluster
        self.make_relay = make_relay
        self.relays = [make_relay(member.port) for member in cluster.members]
        endpoints = ",".join(relay.endpoint for relay in self.relays)
        self.model = make_model(cluster)
        self.revisions = {}
        self.fill_to(10)  # room for what is written to see that a store is there
        for name in NAMES:
            self.revisions[name] = self.model.put(name)
        self.model.put("deleted")
        self.model.delete("deleted")
        self.server = self.model.registry.serve(endpoints=endpoints)
        self.kept = [Keeper(self.model, f"k{i}", TTL_S, endpoints=endpoints) for i in range(2)]
        # What is written behind the keepers' entries is the newest, and the history is the same each time but for them.
        self.newest = self.model.put("newest")
        self.asker = make_asker(self.model, self.server)
        self.asker.wait_right()
        self.saved = None
        self.began = None

    def values(self):
        """What the store holds, but for the keepers' entries: {Key: value}."""
        kept = {keeper.key for keeper in self.kept}
        return {key: key.writes[-1].value for key in self.model.keys.values() if key not in kept}

    def begin(self):
        self.began = time.monotonic()
        self.model.away()
        for keeper in self.kept:
            keeper.may_lapse(self.began)

    def became(self, values):
        """The store holds these now, and nothing else, since some moment after begin()."""
        now = time.monotonic()
        kept = {keeper.key for keeper in self.kept}
        for key in self.model.keys.values():
            if key not in kept:
                self.model.note(key, values.get(key, ABSENT), self.began, now)
                key.revision = None

    def cut(self):
        for relay in self.relays:
            relay.set_fault(lost_request, EVERYTHING)
            relay.cut()

    def heal(self):
        for relay in self.relays:
            relay.heal()

    def write(self, *names):
        for name in names:
            self.model.put(name)

    def fill_to(self, revision):
        """Writes elsewhere until the next write has this revision."""
        at = self.cluster.revision()
        while at < revision - 1:
            at = self.cluster.put("/filler", str(at))


def compacted_while_away(scene):
    scene.begin()
    scene.cut()
    scene.write("n0", "n1", "new")
    scene.model.delete("n2")
    scene.cluster.compact()
    scene.heal()


def compacted_while_the_watch_is_late(scene):
    """It stands, and has told nothing since before."""
    scene.begin()
    for relay in scene.relays:
        relay.set_fault(stall, WATCH)
    scene.write("n0", "n1")
    scene.model.delete("n2")
    scene.cluster.compact()
    scene.heal()


def compacted_again_and_again(scene):
    """Whoever begins to watch finds the revision gone."""
    scene.begin()
    scene.cut()
    scene.write("n0")
    scene.heal()
    for _ in range(30):
        scene.write("n1", "n2")
        scene.cluster.compact()
        time.sleep(0.05)


def wiped(scene, token=None):
    scene.begin()
    scene.cluster.wipe(token)
    scene.cluster.wait_writes()
    scene.became({})
    scene.write("n0", "n5", "new")


def wiped_as_another_cluster(scene):
    wiped(scene, OTHER_TOKEN)


def restored(scene):
    """An older copy of the disk: it has the same cluster ID, and its revisions run again."""
    older(scene, scene.cluster.save, scene.cluster.restore)


def restored_and_overtaken(scene):
    """The same, and it has been written to until its revisions are beyond those that were."""
    older(scene, scene.cluster.save, scene.cluster.restore, is_beyond=True)


def restored_from_a_snapshot(scene):
    """By etcdctl: another cluster ID."""
    def save():
        scene.saved = scene.cluster.snapshot()
    older(scene, save, lambda: scene.cluster.restore_snapshot(scene.saved), is_beyond=True)


def older(scene, save, restore, is_beyond=False):
    scene.begin()
    save()
    scene.cluster.wait_writes()
    values = scene.values()
    scene.model.back()
    scene.asker.wait_right()
    scene.write("n0", "n1", "new")
    scene.model.delete("n2")
    scene.asker.wait_right()
    last = scene.cluster.revision()
    scene.model.away()
    scene.began = time.monotonic()
    restore()
    scene.cluster.wait_writes()
    scene.became(values)
    scene.write("n3")
    if is_beyond:
        scene.fill_to(last + 5)
        scene.write("n4")


def refill(scene, same=()):
    """Every key again at the revision it had, with another value unless its name is in `same`."""
    values = {name: scene.model.service(name).writes[-1].value for name in same}
    scene.begin()
    scene.cluster.wipe()
    scene.cluster.wait_writes()
    scene.became({})
    wanted = {**scene.revisions, "newest": scene.newest}
    for name, revision in sorted(wanted.items(), key=lambda item: item[1]):
        scene.fill_to(revision)
        key = scene.model.service(name)
        if name in values:
            requested = time.monotonic()
            assert scene.cluster.put(key.key, values[name]) == revision
            scene.model.note(key, values[name], requested, time.monotonic())
        else:
            assert scene.model.put(name) == revision
    scene.cluster.put("/filler", "beyond")
    time.sleep(max(0.0, scene.began + REFILL_S - time.monotonic()))


def overtaken(scene):
    """Wiped and filled again: the same keys at the same revisions, with other values."""
    scene.cut()
    refill(scene)
    scene.heal()


def overtaken_but_for_the_newest(scene):
    """And the newest key is as it was."""
    scene.cut()
    refill(scene, same=["newest"])
    scene.heal()


def another_cluster(scene):
    """Behind the same address, without a moment's pause: there is no outage."""
    other = type(scene.cluster)(1)
    try:
        scene.begin()
        scene.cluster = other
        scene.model.etcd = scene.model.registry.etcd = other
        scene.became({})
        scene.write("n0", "n6", "new")
        scene.fill_to(scene.newest + 50)
        scene.write("n1")
        for relay in scene.relays:
            relay.retarget(other.members[0].port)
    except BaseException:
        other.stop()
        raise


FAULTS = [compacted_while_away, compacted_while_the_watch_is_late, wiped, wiped_as_another_cluster, restored,
          restored_and_overtaken, restored_from_a_snapshot, overtaken, overtaken_but_for_the_newest, another_cluster]
LONG = [compacted_again_and_again]


def rows():
    for fault in FAULTS:
        yield pytest.param(fault, 1, id=fault.__name__)
        if fault is not another_cluster:
            yield pytest.param(fault, 3, id=f"{fault.__name__}-3", marks=pytest.mark.long)
    for fault in LONG:
        yield pytest.param(fault, 1, id=fault.__name__, marks=pytest.mark.long)


@pytest.mark.parametrize("fault,members", rows())
def test_history(fault, members, make_cluster, make_relay, make_model, make_asker, verdict, seed):
    """never-denied, right, answered, once, gone, no-leak: keepers are back in a store that has lost them."""
    scene = Scene(make_cluster(members), make_relay, make_model, make_asker)
    mine = scene.cluster
    try:
        fault(scene)
        since = scene.model.back()
        name = fault.__name__.replace("_", " ")
        for keeper in scene.kept:
            keeper.wait_kept(30)
        scene.asker.wait_right()
        writer = Writer(scene.model, ["n3", "n4", "late"])
        scene.asker.wait_asked(30)
        writer.stop()
        scene.asker.wait_right()
        verdict.judge(name, scene.asker, since)
        keepers.judge_to_the_end(verdict, name, scene.model, scene.kept, scene.server)
    finally:
        if scene.cluster is not mine:
            scene.model.registry.stop()
            scene.cluster.stop()
