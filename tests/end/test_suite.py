"""The test command itself, in a tree of its own where nothing is built or run but stand-ins that write down their call."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from process import PATIENCE

pytestmark = pytest.mark.once

TESTS = pathlib.Path(__file__).parents[1]


@pytest.fixture
def tree(tmp_path):
    """run.sh among stand-ins for all that it calls."""
    for name in ("tests", "cli", "bin", "build-test", "etcd-dir"):
        (tmp_path / name).mkdir()
    shutil.copy(TESTS / "run.sh", tmp_path / "tests")
    note = f'#!/bin/sh\necho "$(basename "$0") $* etcd=${{EMPUSA_ETCD-}} versions=${{EMPUSA_ETCD_VERSIONS-}}" >>{tmp_path}/calls\n'
    places = [f"bin/{name}" for name in ("cmake", "ctest", "etcd", "python", "apt-get", "sudo")]
    for place in (*places, "cli/packages.sh", "tests/etcd-versions.sh", "etcd-dir/etcd"):
        (tmp_path / place).write_text(note)
        (tmp_path / place).chmod(0o755)
    return tmp_path


def calls(tree, *args, **env):
    keep = {key: value for key, value in os.environ.items() if not key.startswith("EMPUSA_")}
    subprocess.run(["sh", tree / "tests/run.sh", *args], check=True, capture_output=True, timeout=60 * PATIENCE,
                   env={**keep, "PATH": f"{tree}/bin:{os.environ['PATH']}", "PYTHON": f"{tree}/bin/python", **env})
    lines = (tree / "calls").read_text().splitlines()
    (tree / "calls").unlink()
    return lines


def pytest_call(lines):
    return next(line for line in lines if line.startswith("python -m pytest"))


def test_packages_are_installed_unless_told_otherwise(tree):
    for args, is_installing in (((), True), (("--long",), True), (("--no-packages",), False),
                                (("--no-packages", "--long"), False), (("--long", "--no-packages"), False)):
        lines = calls(tree, *args)
        assert any(line.startswith(("packages.sh", "apt-get", "sudo")) for line in lines) == is_installing, args
        assert any(line.startswith("etcd-versions.sh") for line in lines) == (is_installing and "--long" in args)
        assert ("--skip-missing" in pytest_call(lines)) != is_installing
        assert ("--long" in pytest_call(lines)) == ("--long" in args)


def test_an_etcd_is_chosen_by_option_or_variable(tree):
    chosen = f"etcd={tree}/etcd-dir "
    for args, env in ((("--etcd", "etcd-dir"), {}), ((f"--etcd={tree}/etcd-dir",), {}), ((), {"EMPUSA_ETCD": "etcd-dir"})):
        lines = calls(tree, *args, "-k", "name", **env)
        assert chosen in pytest_call(lines) and pytest_call(lines).split(" etcd=")[0].endswith(" -k name")
        assert any(line.startswith("ctest") and chosen in line for line in lines)


@pytest.mark.parametrize("value", ["{}", "{}/etcd"])
def test_the_tests_run_that_etcd_and_its_etcdctl(tree, value):
    script = "import etcd, os, shutil; print(os.path.abspath(shutil.which(etcd.BINARY)), shutil.which('etcdctl'))"
    (tree / "etcd-dir/etcdctl").symlink_to("etcd")
    done = subprocess.run([sys.executable, "-B", "-c", script], cwd=TESTS / "end", check=True, capture_output=True,
                          text=True, env={**os.environ, "EMPUSA_ETCD": value.format(tree / "etcd-dir")})
    assert done.stdout.split() == [f"{tree}/etcd-dir/{name}" for name in ("etcd", "etcdctl")]
