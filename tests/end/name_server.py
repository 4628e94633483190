"""A name server of the test's own on port 53 of some loopback address, and commands that know no other.

They are told by a resolv.conf in a mount namespace: the machine's own is never touched. c-ares knows only port 53.
"""

import random
import shutil
import socket
import subprocess
import threading
import time

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

SCRIPT = ("mount --bind \"$1/hosts\" /etc/hosts && mount --bind \"$1/resolv\" $(readlink -f /etc/resolv.conf) "
          "&& shift && exec \"$@\"")


def with_files(directory, *command):
    """Run a command that sees the directory's `hosts` and `resolv`, in a mount namespace."""
    return ["unshare", "--mount", "--map-root-user", "sh", "-c", SCRIPT, "sh", str(directory), *command]


class NameServer:
    """`records` are {(name with its last dot, type): [data]}, or {name: exception of dns.rcode}."""

    def __init__(self, ttl=5):
        self.records, self.ttl = {}, ttl
        self.asked = []  # (when, name, type)
        self.loses = lambda number: False  # of the n-th question since forget()
        self.spoil = None  # (query, right reply): what is sent instead, a list
        self.delay = 0
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        pick = random.SystemRandom().randrange
        self.address = f"127.{pick(64, 128)}.{pick(256)}.{pick(1, 255)}"
        self._sock.bind((self.address, 53))  # OSError: not for us
        threading.Thread(target=self._serve, daemon=True).start()

    def add(self, name, rdtype, *data):
        self.records[name, dns.rdatatype.from_text(rdtype)] = [*data]

    def forget(self):
        self.asked = []

    def lose_all(self):
        self.loses = lambda number: True

    def lose_first(self, count):
        self.forget()
        self.loses = lambda number: number <= count

    def lose_only(self, which):
        self.forget()
        self.loses = lambda number: number == which

    def lose_none(self):
        self.loses = lambda number: False

    def close(self):
        self._sock.close()

    def _serve(self):
        while True:
            try:
                wire, client = self._sock.recvfrom(4096)
            except OSError:
                return
            try:
                query = dns.message.from_wire(wire)
            except Exception as error:  # pylint: disable=broad-except
                print(f"name server {self.address}: {wire!r} from {client}: {error!r}")
                continue
            question = query.question[0]
            name = question.name.to_text().lower()
            self.asked.append((time.monotonic(), name, question.rdtype))
            if not self.loses(len(self.asked)):
                reply = self._reply(query, question, name)
                for each in self.spoil(query, reply) if self.spoil else [reply]:
                    threading.Timer(self.delay, self._send, (each, client)).start()

    def _send(self, reply, client):
        try:
            self._sock.sendto(reply, client)
        except OSError:
            pass

    def _reply(self, query, question, name):
        reply = dns.message.make_response(query)
        found = self.records.get((name, question.rdtype))
        if found:
            reply.answer.append(dns.rrset.from_text(question.name, self.ttl, "IN", question.rdtype, *found))
        elif name in self.records:
            reply.set_rcode(self.records[name])
        elif not any(key[0] == name for key in self.records if isinstance(key, tuple)):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply.to_wire()


class Place:
    """A directory with the files, and a program that runs another where they are seen."""

    def __init__(self, directory, *servers):
        self.directory = directory
        (directory / "hosts").write_text("127.0.0.1 localhost\n")
        self.use(*servers)

    def use(self, *servers):
        (self.directory / "resolv").write_text("".join(f"nameserver {server}\n" for server in servers))

    def is_possible(self):
        return shutil.which("unshare") and subprocess.run(
            with_files(self.directory, "true"), capture_output=True, check=False).returncode == 0

    def wrap(self, binary):
        wrapper = self.directory / "wrapped"
        words = " ".join(f"'{word}'" for word in with_files(self.directory, binary))
        wrapper.write_text(f"#!/bin/sh\nexec {words} \"$@\"\n")
        wrapper.chmod(0o755)
        return str(wrapper)
