"""cmake --install at any prefix, and the uninstall target that takes away what it brought."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from process import PATIENCE
from server import BINARY, run

pytestmark = pytest.mark.once

SOURCE = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(BINARY).parent


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """A build directory of the tests' own, with the program of BINARY: nothing is compiled."""
    if not shutil.which("cmake"):
        pytest.skip("no cmake here")
    directory = tmp_path_factory.mktemp("build")
    cmake("-S", SOURCE, "-B", directory, "-DCMAKE_BUILD_TYPE=Debug")
    shutil.copy(BINARY, directory / "empusa")
    for page in ("empusa.1", "empusa-serve.8", "empusa.bash", "empusa.zsh", "empusa.fish"):
        (directory / "cli" / page).write_text("x\n")
    for library in BUILD.glob("libempusa*"):
        shutil.copy(library, directory, follow_symlinks=False)
    return directory


def cmake(*args, status=0, **env):
    done = subprocess.run(["cmake", *map(str, args)], env={**os.environ, **env}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120 * PATIENCE, check=False)
    assert (done.returncode == 0) == (status == 0), done.stdout + done.stderr
    return done.stdout + done.stderr


def files(directory):
    return {path.relative_to(directory) for path in directory.rglob("*") if not path.is_dir()}


def unit_of(prefix, name="empusa-serve"):
    return (prefix / f"lib/systemd/system/{name}.service").read_text()


def exec_start(prefix, name="empusa-serve"):
    return re.search(r"^ExecStart=(.*)$", unit_of(prefix, name), re.MULTILINE).group(1)


@pytest.mark.parametrize("name,shown", [("plain", "{}/bin/empusa serve"), ("a b", '"{}/bin/empusa" serve'),
                                        ("50%", "{}%/bin/empusa serve")])
def test_the_unit_names_the_program_where_it_was_installed(build, tmp_path, name, shown):
    prefix = tmp_path / name
    cmake("--install", build, "--prefix", prefix)
    assert exec_start(prefix) == shown.format(prefix)
    assert exec_start(prefix, "empusa-register@") == shown.format(prefix).removesuffix("serve") + "service register"
    assert os.access(prefix / "bin/empusa", os.X_OK) and "/usr/local" not in exec_start(prefix)
    if shutil.which("systemd-analyze") and name == "plain":  # others it cannot be told on its command line
        verify(tmp_path, prefix)
    cmake("--build", build, "--target", "uninstall")
    assert not prefix.exists()


def verify(directory, prefix):
    """Units as they were installed, with the drop-in of the examples."""
    where = directory / "units"
    (where / "empusa-serve.service.d").mkdir(parents=True)
    shutil.copy(prefix / "share/doc/empusa/examples/empusa-secrets.conf", where / "empusa-serve.service.d")
    for name, copy in (("empusa-serve", "empusa-serve"), ("empusa-register@", "empusa-register@shop")):
        shutil.copy(prefix / f"lib/systemd/system/{name}.service", where / f"{copy}.service")
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", where / f"{copy}.service"], capture_output=True,
                              text=True, timeout=60 * PATIENCE, check=False)
        assert done.returncode == 0 and "empusa" not in done.stderr, done.stderr


def test_settings_are_an_example_and_not_in_etc(build, tmp_path):
    cmake("--install", build, "--prefix", tmp_path / "p")
    settings = (tmp_path / "p/share/doc/empusa/examples/empusa.default").read_text()
    assert "No secrets belong here" in settings and not (tmp_path / "p/etc").exists()
    for line in settings.splitlines():
        assert re.fullmatch(r"(#.*|EMPUSA_[A-Z_]+=\S+)?", line), line
    result = run("--config", tmp_path / "p/share/doc/empusa/examples/empusa.default", "--version")
    assert result.status == 0 and result.err == "", result
    cmake("--build", build, "--target", "uninstall")


def test_a_second_installation_elsewhere_is_right_too(build, tmp_path):
    for name in ("one", "two"):
        cmake("--install", build, "--prefix", tmp_path / name)
    assert [exec_start(tmp_path / name) for name in ("one", "two")] == [
        f"{tmp_path}/{name}/bin/empusa serve" for name in ("one", "two")]
    cmake("--build", build, "--target", "uninstall")
    assert (tmp_path / "one/bin/empusa").exists() and not (tmp_path / "two").exists()


def test_a_staging_directory_is_not_in_the_unit(build, tmp_path):
    cmake("--install", build, "--prefix", "/opt/empusa", DESTDIR=str(tmp_path))
    assert exec_start(tmp_path / "opt/empusa") == "/opt/empusa/bin/empusa serve"
    assert str(tmp_path) not in unit_of(tmp_path / "opt/empusa")
    said = cmake("--build", build, "--target", "uninstall", status=1)
    assert "DESTDIR" in said and files(tmp_path)
    cmake("--build", build, "--target", "uninstall", DESTDIR=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_staging_directory_need_not_be_there(build, tmp_path):
    stage = tmp_path / "not" / "there"
    cmake("--install", build, "--prefix", "/opt/empusa", DESTDIR=str(stage))
    assert exec_start(stage / "opt/empusa") == "/opt/empusa/bin/empusa serve"
    cmake("--build", build, "--target", "uninstall", DESTDIR=str(stage))
    assert list(tmp_path.iterdir()) == []


def test_uninstall_leaves_what_others_put_there(build, tmp_path):
    prefix = tmp_path / "p"
    theirs = [prefix / "share/zsh/site-functions/_other", prefix / "lib/systemd/system/empusa-serve.service.d/mine.conf"]
    there = prefix / "share/man/man8"
    there.mkdir(parents=True)
    cmake("--install", build, "--prefix", prefix)
    assert len(files(prefix)) == 17
    cmake("--install", build, "--prefix", prefix)  # again: what it made then is still known as its own
    for path in theirs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("theirs\n")
    cmake("--build", build, "--target", "uninstall")
    assert files(prefix) == {path.relative_to(prefix) for path in theirs}
    assert there.is_dir() and not (prefix / "bin").exists() and not (prefix / "share/man/man1").exists()
    assert "Nothing is installed" in cmake("--build", build, "--target", "uninstall", status=1)
