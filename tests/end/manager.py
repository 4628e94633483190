"""A service manager, as far as a service that says how it is can tell (sd_notify(3))."""

import os
import socket
import struct

from process import PATIENCE, free_port


class Manager:
    """What systemd hears, and from which process."""

    def __init__(self):
        self.name = f"@empusa-e2e-{os.getpid()}-{free_port()}"
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.sock.bind("\0" + self.name[1:])

    def hear(self, timeout=20.0):
        """(message, PID), or None when there is none in that time."""
        self.sock.settimeout(timeout * PATIENCE if timeout else 0.0)
        try:
            text, about, _, _ = self.sock.recvmsg(1024, 64)
        except (TimeoutError, BlockingIOError):
            return None
        return text.decode(), struct.unpack("iii", about[0][2])[0]

    def hear_until(self, message, process):
        """What came before, too. All of it from this process alone, as NotifyAccess=main has it."""
        heard = []
        while message not in heard:
            text, pid = self.hear()
            assert pid == process.pid, text
            heard.append(text)
        return heard
