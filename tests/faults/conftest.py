"""Faults of etcd, of what lies between it and empusa, and of the machine: what holds during each, and after.

A test of this folder states in its docstring which invariants it judges; `verdict.py` lists them. Each judgement is a row
(test, fault, invariant, result, seconds to recover, detail). The rows are printed at the end and written to faults.tsv in
$EMPUSA_RESULTS, if that names a directory.
"""

import os

import pytest

from asker import Asker
from cluster import Cluster
from gateway import Gateway
from links import FaultRelay
from model import Model
from verdict import COLUMNS, Verdict

_rows = []


def pytest_collection_modifyitems(items):
    """The soak first: it takes longest, and all others can run beside it."""
    items.sort(key=lambda item: item.path.name != "test_soak.py")


@pytest.fixture
def verdict(request):
    """Verdict for one test: its rows are kept whatever becomes of it, and what is broken fails it."""
    judged = Verdict(request.node.name)
    yield judged
    request.node.user_properties.extend(("fault", "\t".join(row)) for row in judged.rows)
    judged.check()


@pytest.fixture
def make_cluster():
    """Makes clusters of etcd of the test's own."""
    made = []

    def make(members=1, **options):
        made.append(Cluster(members, **options))
        return made[-1]

    yield make
    for cluster in made:
        cluster.resume()
        cluster.stop()


@pytest.fixture
def make_model(bind_registry):
    """A registry in an etcd, and what it must hold."""
    return lambda cluster, **variables: Model(bind_registry(cluster, **variables))


@pytest.fixture
def make_asker():
    """Asks a server from now on; ends with the test."""
    made = []

    def make(model, *servers):
        made.append(Asker(model, *servers))
        made[-1].start()
        return made[-1]

    yield make
    for asker in made:
        asker.stop()


@pytest.fixture
def make_gateway():
    """Gateways in front of a member of etcd."""
    made = []

    def make(member):
        made.append(Gateway(member))
        return made[-1]

    yield make
    for gateway in made:
        gateway.heal()
        gateway.stop()


@pytest.fixture
def make_relay():
    """Relays in front of a port."""
    made = []

    def make(target):
        made.append(FaultRelay(target))
        return made[-1]

    yield make
    for relay in made:
        relay.stop()


def pytest_runtest_logreport(report):
    """With pytest-xdist this is called in the process that prints the summary, too."""
    if report.when == "teardown":
        _rows.extend(value.split("\t") for name, value in report.user_properties if name == "fault")


def pytest_terminal_summary(terminalreporter):
    if not _rows:
        return
    terminalreporter.section("faults")
    widths = [max(len(row[i]) for row in [COLUMNS, *_rows]) for i in range(len(COLUMNS))]
    for row in [COLUMNS, *_rows]:
        terminalreporter.write_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    directory = os.environ.get("EMPUSA_RESULTS")
    if directory and os.path.isdir(directory):
        with open(os.path.join(directory, "faults.tsv"), "w", encoding="utf-8") as table:
            table.writelines("\t".join(row) + "\n" for row in [COLUMNS, *_rows])
