"""Programs and facts that a run needs: compiling what is in C here, and what the figures depend on."""
import datetime
import functools
import glob
import os
import platform
import re
import shlex
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
CFLAGS = ("-std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Wconversion -Wshadow -Wvla -Wmissing-prototypes "
          "-Wstrict-prototypes -Wpointer-arith -Wcast-qual -Wformat=2 -Wundef -Werror -fno-strict-aliasing").split()
PACKAGES = "libcurl libcjson libcares libuv liburcu-qsbr openssl ldns".split()
SOURCES = {"load": ["load.c", "load_window.c", "load_udp.c", "load_tcp.c"], "echo": ["echo.c"], "times": ["times.c"]}


def say(text):
    print(text, file=sys.stderr, flush=True)


def compile_tool(work, name, sources, flags=(), libraries=()):
    command = [os.environ.get("CC", "cc"), *CFLAGS, *flags, *(os.path.join(HERE, source) for source in sources),
               "-o", os.path.join(work, name), *libraries]
    if subprocess.run(command, check=False, timeout=120).returncode:
        raise RuntimeError(f"{name} does not compile")


def compile_micro(work, build):
    """Against empusa's libraries, with the options that they were built with."""
    archives = sorted(glob.glob(os.path.join(build, "*", "lib*.a")))
    if not archives:
        raise RuntimeError(f"{build} holds no libraries: build first")
    package = functools.partial(subprocess.check_output, text=True, timeout=30)
    flags = [*build_flags(build), *(f"-I{view}" for view in sorted(glob.glob(f"{build}/view/*")))]
    flags += package(["pkg-config", "--cflags", *PACKAGES]).split()
    libraries = package(["pkg-config", "--libs", *PACKAGES]).split()
    compile_tool(work, "micro", ["micro.c"], flags, ["-Wl,--start-group", *archives, "-Wl,--end-group", *libraries, "-lpthread", "-lm"])


def build_flags(build):
    """Beyond our own: those that the build was configured with (coverage, sanitizers)."""
    with open(os.path.join(build, "CMakeCache.txt"), encoding="utf-8") as file:
        cache = dict(re.findall(r"^(\w+):\w+=(.*)$", file.read(), re.M))
    sanitize = cache.get("EMPUSA_SANITIZE")
    return shlex.split(cache.get("CMAKE_C_FLAGS", "")) + ([f"-fsanitize={sanitize}"] if sanitize else [])


def first_line(*command):
    """Of what a program says; "" when it cannot."""
    try:
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=30)
    except OSError:
        return ""
    return next(iter(done.stdout.splitlines()), "").strip()


def commit():
    """"" outside a checkout; with a + when files differ from it."""
    git = ("git", "-c", f"safe.directory={TOP}", "-C", TOP)
    try:
        done = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], check=False, capture_output=True, text=True,
                              timeout=30)
        changed = subprocess.run([*git, "diff", "--quiet", "HEAD"], check=False, capture_output=True, timeout=30)
    except OSError:
        return ""
    return "" if done.returncode else done.stdout.strip() + ("+" if changed.returncode else "")


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "")
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"), "commit": commit(),
            "etcd": first_line("etcd", "--version")}
