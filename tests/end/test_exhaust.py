"""A server whose allocations fail at random: it goes on, denies nothing, and is right again when there is memory."""

import contextlib
import http.client
import mmap
import os
import random
import signal
import struct
import subprocess
import threading
import urllib.request

import pytest

from process import PATIENCE, temporary_directory, wait_until

pytestmark = pytest.mark.once  # a sanitizer has an allocator of its own

NXDOMAIN = 3
STEADY, CHANGING, STEPS = 40, 12, 400
HERE = os.path.dirname(__file__)


class Exhaust:
    """The library, and the words that it shares with a server (exhaust.c)."""

    def __init__(self, seed):
        folder = temporary_directory()
        self.library, path = os.path.join(folder, "exhaust.so"), os.path.join(folder, "shared")
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-ftls-model=initial-exec", "-D_GNU_SOURCE",
                        os.path.join(HERE, "exhaust.c"), "-o", self.library], check=True)
        with open(path, "wb+") as file:
            file.write(bytes(mmap.PAGESIZE))
            file.flush()
            self.words = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.env = {"LD_PRELOAD": self.library, "EMPUSA_EXHAUST": path}
        self.words[8:16] = struct.pack("<Q", seed)

    def refuse(self, share):
        self.words[0:8] = struct.pack("<Q", int(share * (1 << 32)))

    @property
    def asked(self):
        return struct.unpack("<Q", self.words[16:24])[0]

    @property
    def refused(self):
        return struct.unpack("<Q", self.words[24:32])[0]

    @property
    def live(self):
        return struct.unpack("<q", self.words[32:40])[0]


class Asker(threading.Thread):
    """Asks for what is registered all the time; what is denied is kept."""

    def __init__(self, dns, names):
        super().__init__(daemon=True)
        self.dns, self.names, self.denied, self.answered = dns, names, [], 0
        self.is_over = threading.Event()

    def run(self):
        while not self.is_over.is_set():
            name, rdtype = random.choice(self.names)
            try:
                reply = self.dns.ask(name, rdtype)
            except (OSError, AssertionError):
                continue  # no answer is none that is wrong; the end asks whether it still answers
            self.answered += 1
            if reply.rcode == NXDOMAIN or (reply.rcode == 0 and not reply.answer_count and not reply.is_truncated):
                self.denied.append((name, rdtype, reply.rcode))

    def stop(self):
        self.is_over.set()
        self.join(30 * PATIENCE)
        return self.denied


def location(i):
    return f"10.1.{i // 250}.{i % 250 + 1}:80"


def rcode_of(dns, name, rdtype):
    reply = dns.ask(name, rdtype)
    return reply.rcode if reply.answer_count or reply.rcode or reply.is_truncated else "no data"


class Tree:
    """The registry's changing part, and what a server should say of it."""

    def __init__(self, registry, server, seed):
        self.registry, self.server, self.random = registry, server, random.Random(seed)
        self.there = set()

    def change(self):
        i = self.random.randrange(CHANGING)
        if self.random.random() < 0.3:
            self.registry.delete("service", "ftp", f"c{i}")
            self.there.discard(i)
            return
        plain = self.random.random() < 0.7
        value = '{"location":"baz:80","txt":{"a":"%d"},"subtypes":["x","y"]}' % self.random.randrange(1000)
        self.registry.put("ftp", f"c{i}", location(self.random.randrange(4000)) if plain else value)
        self.there.add(i)

    def clear(self):
        for i in self.there:
            self.registry.delete("service", "ftp", f"c{i}")
        self.there = set()

    def wait_right(self):
        """All of it; and the control thread, which published it, has nothing more to do."""
        for i in range(CHANGING):
            expected = 0 if i in self.there else NXDOMAIN
            wait_until(lambda: rcode_of(self.server.dns, f"c{i}._ftp._tcp", "SRV") == expected,  # pylint: disable=cell-var-from-loop
                       90, f"c{i} is {expected}")
        wait_until(lambda: self.server.dns.ask("", "SOA", edns=1232).ede is None, 90, "it is fresh")


def use(server, url, step):
    """What allocates besides: TCP, the pages, a transfer, a renewal. Each may fail."""
    if step % 4 == 0:
        with contextlib.suppress(OSError, AssertionError):
            server.dns.ask(f"s{step % STEADY}._web._tcp", "SRV", tcp=True)
    if step % 8 == 1:
        with contextlib.suppress(OSError, http.client.HTTPException):
            urllib.request.urlopen(f"{url}/metrics", timeout=5).read()
    if step % 16 == 2:
        with contextlib.suppress(OSError, AssertionError):
            server.dns.ask("", "AXFR", tcp=True)
    if step % 32 == 3:
        server.send(signal.SIGHUP)


@pytest.mark.parametrize("share", [0.002, 0.05, 0.5])
def test_what_is_registered_is_not_denied_without_memory(own_registry, seed, share):
    registry, exhaust = own_registry, Exhaust(seed)
    for i in range(STEADY):
        registry.put("web", f"s{i}", location(i))
    registry.put_switch("f/s", "on")
    server = registry.serve("--host", "baz=10.9.9.9", "--http", "127.0.0.1:0", "--allow-transfer", "127.0.0.0/8",
                            env=exhaust.env)
    url = server.wait_line(r"status pages on ").rpartition(" ")[2]
    names = [(f"s{i}._web._tcp", "SRV") for i in range(STEADY)]
    names += [("s.f.switch", "TXT"), ("_web._tcp", "PTR"), ("web.service", "A")]
    tree, asker = Tree(registry, server, seed), Asker(server.dns, names)
    asker.start()
    lives = []
    for _ in range(3):  # the first brings the rest of what lasts: connections, threads, tables
        for step in range(STEPS):
            tree.change()
            use(server, url, step)
        tree.clear()
        tree.wait_right()
        lives.append(exhaust.live)
    exhaust.refuse(share)
    connections = []
    for step in range(STEPS):
        with contextlib.suppress(OSError):
            connections.append(server.dns.connect())
        tree.change()
        use(server, url, step)
        server.check()
    exhaust.refuse(0)
    for connection in connections:
        connection.sock.close()
    print(f"{exhaust.refused} of {exhaust.asked} allocations were refused, {asker.answered} questions were answered")
    assert exhaust.refused > 0
    tree.wait_right()
    assert not asker.stop()
    for name, rdtype in names:
        assert rcode_of(server.dns, name, rdtype) == 0
    tree.clear()
    tree.wait_right()
    # Connections, of which some are closed a moment later, are noise; what each refusal loses would be more.
    most = max(lives) + exhaust.refused // 4 + 60
    wait_until(lambda: exhaust.live < most, 60, f"{exhaust.live} blocks after {lives}, {exhaust.refused} were refused")
    server.check()
