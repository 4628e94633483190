"""Processes, ports and patience: what the other modules of this harness share."""

import ctypes
import functools
import os
import random
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time

# A sanitized build under load is slower: EMPUSA_PATIENCE=5 multiplies every time-out.
PATIENCE = float(os.environ.get("EMPUSA_PATIENCE", "1"))
ADDRESS_IN_USE = "(?i)address (already )?in use"
_libc = ctypes.CDLL(None)


def wait_until(condition, timeout=15.0, what=None):
    """Ask until the answer is true, and return it. No proof rests on how long that took."""
    end = time.monotonic() + timeout * PATIENCE
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout:g} s: {what or condition}")
        time.sleep(0.02)


# Below the ephemeral ones, which any connection may have.
PORTS, BLOCK = range(10000, 30000), 100
_claims = []


def _own_ports():
    """Ports that no other process of these tests has at the same time, neither the other workers nor the unit tests.

    Abstract sockets are the network namespace's, as ports are, and go with the process: who has a block's name has its
    ports. So one that is left for a while, as an etcd's that is killed and started again, is still there.
    """
    blocks = list(PORTS[::BLOCK])
    random.SystemRandom().shuffle(blocks)
    for first in blocks:
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0empusa-tests-ports-{first}")
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        yield from range(first, first + BLOCK)
    while True:  # few: whoever starts something on one must be ready to do it again
        yield random.SystemRandom().choice(PORTS)


_ports = _own_ports()


def free_port():
    """A loopback port that nobody has, neither UDP nor TCP."""
    for port in _ports:
        try:
            for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    with socket.socket(family, kind) as probe:
                        probe.bind((host, port))
            return port
        except OSError:
            continue


class PortTaken(AssertionError):
    pass


def on_free_ports(start):
    """Of what starts something on ports that it chooses, and waits until that is up: it is called again where somebody
    outside these tests took one in between."""
    @functools.wraps(start)
    def start_again(*args, **options):
        for _ in range(4):
            try:
                return start(*args, **options)
            except PortTaken:
                pass
        return start(*args, **options)
    return start_again


def temporary_directory():
    """In memory where there is a place for it: etcd syncs each write."""
    return tempfile.mkdtemp(prefix="empusa-e2e-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)


def die_with_parent():
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: nothing outlives an interrupted pytest


class Process:
    """A child whose standard error and output are read as they come."""

    def __init__(self, argv, env=None, **options):
        self.argv = [str(arg) for arg in argv]
        self.err, self.out = [], []  # lines, without their LF
        self.child = subprocess.Popen(self.argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, preexec_fn=die_with_parent, **options)
        self._readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                         for pair in ((self.child.stderr, self.err), (self.child.stdout, self.out))]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream, lines):
        for line in stream:
            lines.append(line.decode("utf-8", "surrogateescape").rstrip("\n"))

    @property
    def pid(self):
        return self.child.pid

    def is_running(self):
        return self.child.poll() is None

    def check(self):
        """That it has not ended by itself, nor goes on without its port, as BIND does."""
        if not self.is_running():
            self.wait()
        elif not self.find_line(ADDRESS_IN_USE):
            return
        else:
            self.kill()
        said = [*self.err, *self.out]
        is_taken = any(re.search(ADDRESS_IN_USE, line) for line in said)
        raise (PortTaken if is_taken else AssertionError)("\n".join([f"ended, or cannot go on: {self.argv}", *said[-20:]]))

    def send(self, number):
        self.child.send_signal(number)

    def wait(self, timeout=15):
        """Its exit status, once it ended by itself."""
        try:
            status = self.child.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout} s: {self.argv}\n" + "\n".join(self.err[-20:]))
        for reader in self._readers:
            reader.join(5)
        return status

    def stop(self, number=signal.SIGTERM, timeout=15):
        if self.is_running():
            self.send(signal.SIGCONT)
            self.send(number)
        return self.wait(timeout)

    def kill(self):
        if self.is_running():
            self.send(signal.SIGKILL)
        return self.wait()

    def find_line(self, pattern, start=0, lines=None):
        for line in list(self.err if lines is None else lines)[start:]:
            if re.search(pattern, line):
                return line
        return None

    def wait_line(self, pattern, timeout=15, start=0):
        """The first line on standard error that matches."""
        def look():
            found = self.find_line(pattern, start)
            if found is None and not self.is_running():
                self.wait()
                found = self.find_line(pattern, start)
                if found is None:
                    self.check()
            return found
        try:
            return wait_until(look, timeout)
        except AssertionError:
            raise AssertionError(f"not within {timeout:g} s: {pattern!r} on standard error; it says {self.err[-5:]}") from None
