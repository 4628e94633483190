"""End-to-end tests: the real binary against a real etcd.

    EMPUSA_BINARY=build/empusa python3 -m pytest -q tests/end [--long]

EMPUSA_ETCD           the etcd to run, default "etcd" from PATH
EMPUSA_ETCD_VERSIONS  a directory with other versions, <suite>/usr/bin/etcd
EMPUSA_PATIENCE       a factor on every time-out
EMPUSA_SEED           repeats a run of the random tests
"""

import itertools
import os
import random
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
sys.dont_write_bytecode = True

from etcd import Etcd  # noqa: E402
from server import BINARY, Registry, run  # noqa: E402

# Whoever runs the tests in the background may have SIGINT ignored, and what is ignored is inherited.
signal.signal(signal.SIGINT, signal.default_int_handler)

_roots = itertools.count(1)


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="run the slow tests, too")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes more than a few seconds; run with --long")


    config.addinivalue_line("markers", "serve_has(option): for an empusa whose serve takes the option")


def pytest_collection_modifyitems(config, items):
    usage = run("serve", "--help").out
    for item in items:
        if "long" in item.keywords and not config.getoption("--long"):
            item.add_marker(pytest.mark.skip(reason="slow: needs --long"))
        for marker in item.iter_markers("serve_has"):
            if marker.args[0] not in usage:
                item.add_marker(pytest.mark.skip(reason=f"this empusa's serve has no {marker.args[0]}"))


def pytest_report_header():
    return f"empusa: {BINARY}"


def pytest_sessionstart():
    if not os.access(BINARY, os.X_OK):
        pytest.exit(f"no empusa at {BINARY}: build it, or set EMPUSA_BINARY", 2)


@pytest.fixture(scope="session")
def etcd():
    """One etcd for all tests that do not harm it."""
    server = Etcd()
    yield server
    server.stop()


@pytest.fixture
def own_etcd():
    """An etcd of the test's own, to be killed, stopped or wiped."""
    server = Etcd()
    yield server
    server.resume()
    server.stop()


def _registry(server, **variables):
    return Registry(server, f"/e2e-{os.getpid()}-{next(_roots)}", **variables)


@pytest.fixture
def registry(etcd):
    """An empty tree root of the test's own in the shared etcd."""
    bound = _registry(etcd)
    yield bound
    bound.stop()


@pytest.fixture(scope="module")
def module_registry(etcd):
    bound = _registry(etcd)
    yield bound
    bound.stop()


@pytest.fixture
def own_registry(own_etcd):
    bound = _registry(own_etcd)
    yield bound
    own_etcd.resume()
    bound.stop()


@pytest.fixture
def bind_registry():
    """Makes registries in an etcd that a test brings along."""
    made = []

    def make(server, **variables):
        made.append(_registry(server, **variables))
        return made[-1]

    yield make
    for bound in made:
        bound.stop()


@pytest.fixture
def seed():
    value = int(os.environ.get("EMPUSA_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"EMPUSA_SEED={value}")
    random.seed(value)
    return value
