"""libempusa as it is installed: the example, shared and static, in C and in C++, against a real etcd."""

import pathlib
import re
import shlex
import shutil
import subprocess
import time

import pytest

from process import PATIENCE, Process, wait_until
from server import BINARY, clean_environment

SOURCE = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(BINARY).parent
EXPORTED = re.findall(r"^EMPUSA_API [^(;]*?\b(empusa_\w+)\(", (SOURCE / "registry/empusa.h").read_text(), re.MULTILINE)
LEASE = 5  # seconds, of the example
INSTRUMENTS = {"__asan_init": ["-fsanitize=address,undefined"], "__tsan_init": ["-fsanitize=thread"],
               "__gcov_init": ["--coverage"]}


def tool(*args, **options):
    done = subprocess.run([str(arg) for arg in args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=120 * PATIENCE, check=False, **options)
    assert done.returncode == 0, f"{args}: {done.stdout}{done.stderr}"
    return done.stdout


class Installed:
    """An installation at a prefix, and what pkg-config says of it."""

    def __init__(self, prefix):
        self.prefix = prefix
        self.config = next(prefix.rglob("empusa.pc")).parent
        self.libraries = self.config.parent
        self.example = next(prefix.rglob("examples/example.c"))
        needed = tool("nm", "-u", self.libraries / "libempusa.a")
        self.instruments = sum((flags for name, flags in INSTRUMENTS.items() if name in needed), [])

    def flags(self, *args):
        env = clean_environment(PKG_CONFIG_PATH=str(self.config))
        return shlex.split(tool("pkg-config", *args, "empusa", env=env))

    def compile(self, out, source=None, compiler="cc", is_static=False):
        libs = self.flags("--libs")
        if is_static:
            libs = ["-Wl,--as-needed", self.libraries / "libempusa.a", *self.flags("--static", "--libs")]
        language = "c++" if "++" in compiler else "c"
        tool(compiler, "-Wall", "-Wextra", "-Werror", *self.instruments, *self.flags("--cflags"), "-o", out,
             "-x", language, source or self.example, "-x", "none", *libs)
        return out


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """As packages are made: configured and installed anew, with the libraries that are built; nothing is compiled."""
    if not shutil.which("cmake") or not shutil.which("cc") or not shutil.which("pkg-config"):
        pytest.skip("no cmake, cc or pkg-config here")
    directory = tmp_path_factory.mktemp("build")
    tool("cmake", "-S", SOURCE, "-B", directory, "-DCMAKE_BUILD_TYPE=Debug")
    for built in (pathlib.Path(BINARY), *BUILD.glob("libempusa*")):
        shutil.copy(built, directory, follow_symlinks=False)
    for page in ("empusa.1", "empusa-serve.8", "empusa.bash", "empusa.zsh", "empusa.fish"):
        (directory / "cli" / page).write_text("x\n")
    prefix = tmp_path_factory.mktemp("prefix") / "with blank"
    tool("cmake", "--install", directory, "--prefix", prefix)
    return Installed(prefix)


@pytest.fixture(scope="module")
def programs(installed, tmp_path_factory):
    directory = tmp_path_factory.mktemp("programs")
    return {"shared": installed.compile(directory / "shared"),
            "static": installed.compile(directory / "static", is_static=True)}


@pytest.fixture
def run_example(installed, programs):
    """Starts the example, and ends what still runs."""
    started = []

    def start(registry, name, kind="shared"):
        env = {**registry.env, "LD_LIBRARY_PATH": str(installed.libraries)}
        started.append(Process([programs[kind], "web", name, "10.1.2.3:8080"], env=env))
        return started[-1]

    yield start
    for process in started:
        process.kill()


def says(process, word):
    wait_until(lambda: process.find_line(f"^{word}$", lines=process.out), what=f"{word}: {process.out} {process.err}")


def test_nothing_but_empusa_is_exported(installed):
    assert len(EXPORTED) == 15
    if installed.instruments:
        pytest.skip("instrumented: other symbols come with that")
    shared = tool("nm", "-D", "--defined-only", "--format=just-symbols", next(installed.libraries.glob("*.so")))
    assert sorted(shared.split()) == sorted(EXPORTED)
    static = tool("nm", "-g", "--defined-only", "--format=just-symbols", installed.libraries / "libempusa.a")
    assert sorted(line for line in static.split() if not line.endswith(":")) == sorted(EXPORTED)


def test_the_shared_library_has_its_soname(installed):
    assert "[libempusa.so.0]" in tool("readelf", "-d", installed.libraries / "libempusa.so")
    assert (installed.libraries / "libempusa.so.0").exists()


def test_the_static_one_needs_no_shared_one(programs):
    needed = tool("readelf", "-d", programs["static"])
    assert "libempusa" not in needed and "libcurl" in needed
    assert "libcurl" not in tool("readelf", "-d", programs["shared"])


@pytest.mark.parametrize("compiler", ["g++", "clang++-14", "clang++"])
def test_it_is_cplusplus_too(installed, tmp_path, compiler):
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler} here")
    if installed.instruments and compiler != "g++":
        pytest.skip("instrumented by gcc")
    installed.compile(tmp_path / "example", compiler=compiler)
    alone = tmp_path / "alone.cpp"
    alone.write_text("#include <empusa.h>\nint main() { return empusa_open(nullptr, nullptr) + EMPUSA_PENDING; }\n")
    tool(compiler, "-std=c++98", "-Dnullptr=0", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only",
         *installed.flags("--cflags"), alone)


def test_a_name_of_the_programs_own_does_not_meet_ours(installed, tmp_path, registry):
    """A program may have functions that are called as ours are inside; they are not ours."""
    source = tmp_path / "own.c"
    source.write_text('#include <empusa.h>\n'
                      'int keeper_new(void); int keeper_new(void) { return 7; }\n'
                      'int buffer_add(void); int buffer_add(void) { return 7; }\n'
                      'int main(void) { struct empusa *registry; int code = empusa_open(NULL, &registry);\n'
                      'empusa_close(registry); return code + keeper_new() + buffer_add() - 14; }\n')
    for is_static in (False, True):
        program = installed.compile(tmp_path / "own", source, is_static=is_static)
        tool(program, env={**registry.env, "LD_LIBRARY_PATH": str(installed.libraries)})


@pytest.mark.parametrize("kind", ["shared", "static"])
def test_what_registers_is_seen_and_goes_at_once_when_stopped(registry, run_example, kind):
    server = registry.serve()
    process = run_example(registry, "shop", kind)
    says(process, "registered")
    assert "web/shop" in registry.ok("service", "list").out
    target = "0 1 8080 10-1-2-3.addr.empusa.internal."
    wait_until(lambda: server.dns.data("_web._tcp", "SRV") == [target])
    registry.wait_served(server.dns)
    if shutil.which("dig"):
        asked = ("dig", "@127.0.0.1", "-p", server.port, "+short", "web.service.empusa.internal", "A")
        assert tool(*asked).split() == ["10.1.2.3"]
    assert process.stop() == 0
    assert registry.service("web", "shop") is None
    wait_until(lambda: not server.dns.data("_web._tcp", "SRV"))
    assert process.err == []


def test_what_is_killed_vanishes_with_its_lease(registry, run_example):
    process = run_example(registry, "shop")
    says(process, "registered")
    wait_until(lambda: registry.service("web", "shop"))
    process.kill()
    assert registry.service("web", "shop")
    wait_until(lambda: registry.service("web", "shop") is None, LEASE + 10)


def test_etcd_being_away_at_the_start_is_waited_for(own_registry, own_etcd, run_example):
    own_etcd.kill()
    process = run_example(own_registry, "shop")
    says(process, "pending")
    own_etcd.start()
    wait_until(lambda: own_registry.service("web", "shop"))
    assert process.stop() == 0
    assert own_registry.service("web", "shop") is None


def test_etcd_being_away_at_the_end_holds_nothing_up(own_registry, own_etcd, run_example):
    process = run_example(own_registry, "shop")
    says(process, "registered")
    own_etcd.kill()
    started = time.monotonic()
    assert process.stop() == 0
    assert time.monotonic() - started < 12 * PATIENCE
    assert len(process.err) == 1  # why it was not unregistered
    own_etcd.start()


@pytest.mark.parametrize("away", [LEASE + 2, pytest.param(60, marks=pytest.mark.long)])
def test_an_outage_is_outlived(own_registry, own_etcd, run_example, away):
    """Longer than the lease: the entry is registered anew when etcd is back."""
    process = run_example(own_registry, "shop")
    says(process, "registered")
    lease = own_registry.service("web", "shop").lease
    own_etcd.kill()
    time.sleep(away)
    assert process.is_running()
    own_etcd.start()
    wait_until(lambda: own_registry.service("web", "shop"))
    own_etcd.revoke(own_registry.service("web", "shop").lease)
    wait_until(lambda: (entry := own_registry.service("web", "shop")) and entry.lease != lease)
    assert process.stop() == 0
    assert own_registry.service("web", "shop") is None and process.err == []


def test_wrong_input_is_said(registry, run_example, programs, installed):
    env = {**registry.env, "LD_LIBRARY_PATH": str(installed.libraries)}
    process = Process([programs["shared"], "web", "shop", "baz"], env=env)
    assert process.wait() == 1
    assert process.err == ["location \"baz\": no ':' and port after the host"]
    del env["EMPUSA_TREE_ROOT"]
    process = Process([programs["shared"], "web", "shop", "baz:1"], env=env)
    assert process.wait() == 1
    assert process.err == ["tree_root: neither given nor in EMPUSA_TREE_ROOT"]


def test_the_readmes_lines_are_a_program(registry, installed, tmp_path):
    lines = re.search(r"^```c\n(.*?)^```", (SOURCE / "README.md").read_text(), re.MULTILINE | re.DOTALL).group(1)
    source = tmp_path / "readme.c"
    source.write_text("#include <empusa.h>\n#include <stdio.h>\n#include <stdlib.h>\n"
                      "static void fail(const char *why) { puts(why); exit(1); }\n"
                      "static void serve(void) { exit(system(\"exec $EMPUSA service list --format json\")); }\n"
                      "int main(void) {\n" + lines + "return 0;\n}\n")
    program = installed.compile(tmp_path / "readme", source)
    said = tool(program, env={**registry.env, "EMPUSA": BINARY, "LD_LIBRARY_PATH": str(installed.libraries)})
    assert '"service": "' + registry.root + '/service/web/shop"' in said and "10.1.2.3:8080" in said
