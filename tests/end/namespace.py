"""A network namespace of a test's own: port 53, the README's address, and files in /etc that name it.

The tests' etcd is outside; a relay whose listening socket was opened inside leads there.
"""

import os
import selectors
import shutil
import socket
import subprocess
import sys

from process import PATIENCE, Process, die_with_parent
from readme import SERVER
from relay import Relay

ETCD_PORT = 23790
AS_ROOT = [] if os.getuid() == 0 else ["--map-root-user"]
UNSHARE = ["unshare", "--net", "--mount", *AS_ROOT]
# Without a link beyond loopback glibc asks for no addresses, and systemd-resolved for nothing.
LINKS = [["ip", "link", "set", "lo", "up"],
         ["ip", "link", "add", "here", "up", "type", "veth", "peer", "name", "there"],
         ["ip", "link", "set", "there", "up"]]


def is_possible():
    attempt = [*UNSHARE, "sh", "-ec", "\n".join(map(" ".join, LINKS)) + "\nmount -t tmpfs none /run"]
    return all(map(shutil.which, ("unshare", "nsenter", "ip"))) and subprocess.run(
        attempt, capture_output=True, check=False).returncode == 0


class _Door(Relay):
    """A relay whose listening socket is given."""

    def __init__(self, listener, target):
        self._given = listener
        super().__init__(target)

    def _listen(self):
        self._listener = self._given
        self._selector.register(self._listener, selectors.EVENT_READ)


class Namespace:
    """`files` are {path in /etc: text}; /run is empty and of its own."""

    def __init__(self, directory, etcd_port, files):
        for path, text in files.items():
            (directory / os.path.basename(path)).write_text(text)
        outside, inside = socket.socketpair()
        self._holder = Process([*UNSHARE, sys.executable, __file__, inside.fileno(), directory, *files],
                               pass_fds=[inside.fileno()])
        inside.close()
        self._control = outside
        outside.settimeout(15 * PATIENCE)
        _, descriptors, _, _ = socket.recv_fds(outside, 1, 1)
        assert descriptors, "\n".join(self._holder.err)
        self._door = _Door(socket.socket(fileno=descriptors[0]), etcd_port)
        self.etcd_endpoint = f"127.0.0.1:{ETCD_PORT}"
        where = f"/proc/{self._holder.pid}/ns"
        self.enter = ["nsenter", f"--net={where}/net", f"--mount={where}/mnt"]
        if AS_ROOT:
            self.enter += [f"--user={where}/user", "--preserve-credentials"]

    def run(self, *argv, **options):
        """What a command inside prints."""
        done = subprocess.run([*self.enter, *map(str, argv)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=30 * PATIENCE, preexec_fn=die_with_parent, check=False, **options)
        return done.stdout

    def start(self, *argv, env=None):
        return Process([*self.enter, *argv], env=env)

    def close(self):
        self._control.close()
        self._door.stop()
        self._holder.wait()


def hold(control, directory, *paths):
    """Inside: set all up, hand the socket out, and stay until the other side closes."""
    for command in (*LINKS,
                    ["ip", "address", "add", f"{SERVER}/24", "dev", "here"],
                    ["ip", "address", "add", "fd00::7/64", "dev", "here", "nodad"],
                    ["mount", "-t", "tmpfs", "-o", "mode=755", "none", "/run"]):
        subprocess.run(command, check=True)
    for path in paths:
        place = os.path.realpath(path)
        if not os.path.exists(place):  # a link into /run
            os.makedirs(os.path.dirname(place), exist_ok=True)
            open(place, "x", encoding="utf-8").close()
        subprocess.run(["mount", "--bind", os.path.join(directory, os.path.basename(path)), place], check=True)
    with socket.socket() as listener, socket.socket(fileno=int(control)) as channel:
        listener.bind(("127.0.0.1", ETCD_PORT))
        listener.listen()
        socket.send_fds(channel, [b"+"], [listener.fileno()])
        channel.recv(1)


if __name__ == "__main__":
    hold(*sys.argv[1:])
