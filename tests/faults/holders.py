"""Keepers, by command and by libempusa, and what etcd has of them: straight from etcd, whenever one looks."""

import os
import pathlib
import subprocess

from process import PATIENCE, Process, wait_until
from server import BINARY

TTL_S, BEAT_S = 4, 1
ETCD_SLACK_S = 4  # etcd looks for what has expired every 0.5 s and ends 1,000 leases a second; the rest is load
BUILD = pathlib.Path(BINARY).parent
SOURCE = pathlib.Path(__file__).parents[2]
INSTRUMENTS = {"__asan_init": "-fsanitize=address,undefined", "__tsan_init": "-fsanitize=thread", "__gcov_init": "--coverage"}


def hold(registry, name, port, ttl=TTL_S, kind="held", **options):
    return registry.hold(kind, name, f"10.0.0.1:{port}", "--ttl", str(ttl), "--refresh-every", str(BEAT_S), **options)


def location(port):
    return f"10.0.0.1:{port}"


def registered(registry, kind="held"):
    """{name: value} in etcd."""
    prefix = registry.key("service", kind) + b"/"
    return {kv.key[len(prefix):].decode(): kv.value.decode() for kv in registry.etcd.get_prefix(prefix)}


def wait_registered(registry, expected, timeout=15, kind="held"):
    wait_until(lambda: registered(registry, kind) == expected, timeout, f"{len(expected)} are registered")


def compile_many(directory):
    """The program holders.c, with the libempusa that is built."""
    program = os.path.join(directory, "holders")
    symbols = subprocess.run(["nm", "-u", BUILD / "libempusa.a"], capture_output=True, text=True, check=True).stdout
    flags = [flag for name, flag in INSTRUMENTS.items() if name in symbols]
    subprocess.run(["cc", *flags, "-I", SOURCE / "registry", "-o", program, pathlib.Path(__file__).with_name("holders.c"),
                    f"-L{BUILD}", "-lempusa", f"-Wl,-rpath,{BUILD}"], check=True, capture_output=True, timeout=60 * PATIENCE)
    return program


def hold_many(program, registry, count, ttl=TTL_S, kind="held"):
    """A process with so many, all of which are registered."""
    process = Process([program, kind, str(count), str(ttl)], env=registry.env)
    registry.processes.append(process)
    wait_until(lambda: process.find_line("^registered$", lines=process.out) or process.check(), 30, "all are registered")
    return process


def expected_of_many(count):
    return {f"n{i}": f"10.0.0.2:{i + 1}" for i in range(count)}
