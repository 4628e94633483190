"""End-to-end tests: the real binary against a real etcd.

    EMPUSA_BINARY=build/empusa python3 -m pytest -q tests/end tests/faults [--long]

EMPUSA_ETCD           the directory of the etcd and etcdctl to run, or that etcd itself; default: those in PATH
EMPUSA_ETCD_VERSIONS  a directory with other versions, <suite>/usr/bin/etcd
EMPUSA_PATIENCE       a factor on every time-out
EMPUSA_RESULTS        a directory for the table of tests/faults, faults.tsv
EMPUSA_SEED           repeats a run of the random tests
"""

import contextlib
import itertools
import os
import random
import shutil
import signal
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "end"))
sys.dont_write_bytecode = True

import etcd as etcd_module  # noqa: E402
from etcd import Etcd, EtcdError  # noqa: E402
from manager import Manager  # noqa: E402
from server import BINARY, Registry, run  # noqa: E402

# Whoever runs the tests in the background, or by nohup, has signals ignored, and what is ignored is inherited.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

_roots = itertools.count(1)


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="run the slow tests, too")
    parser.addoption("--skip-missing", action="store_true", help="skip a test whose program is not here")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes more than a few seconds; run with --long")
    config.addinivalue_line("markers", "once: of scripts, packages and other programs; not run again for the gates")
    config.addinivalue_line("markers", "serve_has(option): for an empusa whose serve takes the option")


def pytest_collection_modifyitems(config, items):
    usage = run("serve", "--help").out
    for item in items:
        if "long" in item.keywords and not config.getoption("--long"):
            item.add_marker(pytest.mark.skip(reason="slow: needs --long"))
        for marker in item.iter_markers("serve_has"):
            if marker.args[0] not in usage:
                item.add_marker(pytest.mark.skip(reason=f"this empusa's serve has no {marker.args[0]}"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Skip where a program that the test wanted to run is not here; a missing file of its own is a failure."""
    report = (yield).get_result()
    error = call.excinfo and call.excinfo.value
    program = os.fsdecode(error.filename or "") if isinstance(error, FileNotFoundError) else None
    if item.config.getoption("--skip-missing") and program and "/" not in program and not shutil.which(program):
        report.outcome, report.longrepr = "skipped", (str(item.path), 0, f"Skipped: no {program} here")


def pytest_report_header():
    return [f"empusa: {BINARY}", f"etcd: {etcd_module.version_text()}"]


def pytest_sessionstart():
    if not os.access(BINARY, os.X_OK):
        pytest.exit(f"no empusa at {BINARY}: build it, or set EMPUSA_BINARY", 2)
    if not etcd_module.version_text():
        pytest.exit(f"no etcd in {os.environ.get('EMPUSA_ETCD', 'PATH')}: install it, or set EMPUSA_ETCD", 2)


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


def _end(bound):
    """Nothing of it stays in a shared etcd, where its leases would run out, changes of another root, amid a later test."""
    try:
        bound.stop()
    finally:
        if bound.etcd.is_running():
            with contextlib.suppress(OSError, EtcdError):  # one that lets nobody in is its test's own
                bound.etcd.delete_prefix(bound.key(""))


@pytest.fixture
def registry(etcd):
    """An empty tree root of the test's own in the shared etcd."""
    bound = _registry(etcd)
    yield bound
    _end(bound)


@pytest.fixture(scope="module")
def module_registry(etcd):
    bound = _registry(etcd)
    yield bound
    _end(bound)


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
    with contextlib.ExitStack() as each:
        for bound in made:
            each.callback(_end, bound)


@pytest.fixture
def seed():
    value = int(os.environ.get("EMPUSA_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"EMPUSA_SEED={value}")
    random.seed(value)
    return value


@pytest.fixture
def manager():
    made = Manager()
    yield made
    made.sock.close()
