"""systemd-resolved without systemd: in a namespace, on a bus of its own.

Debian's package would point /etc/resolv.conf of the whole machine at itself, so it is only unpacked.
"""

import os
import shutil
import subprocess

import readme
from process import PATIENCE, die_with_parent, wait_until

USER = "systemd-resolve:x:0:0::/:/usr/sbin/nologin\n"  # it need not change to another
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
"""
# What the README need not say: no other kinds of look-ups, no servers of others, no listener.
QUIET = "[Resolve]\nLLMNR=no\nMulticastDNS=no\nFallbackDNS=\nDNSStubListener=no\n"


def installed_at(directory, may_download):
    """Where its files are: "/", a directory they were unpacked to, or None."""
    if os.access("/lib/systemd/systemd-resolved", os.X_OK):
        return "/"
    if not may_download or not shutil.which("apt-get"):
        return None
    for command in (["apt-get", "-q", "download", "systemd-resolved"], ["sh", "-c", "dpkg -x *.deb root"]):
        if subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, timeout=60 * PATIENCE,
                          preexec_fn=die_with_parent, check=False).returncode != 0:
            return None
    return str(directory / "root")


class Resolved:
    def __init__(self, namespace, root, directory):
        self.namespace, self.root = namespace, root
        self.env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/run/bus"}
        (directory / "bus.conf").write_text(BUS)
        settings = directory / "settings"
        settings.mkdir()
        (settings / "empusa.conf").write_text(readme.block("systemd-resolved, in"))
        (settings / "quiet.conf").write_text(QUIET)
        namespace.run("install", "-D", "-m", "644", "-t", "/run/systemd/resolved.conf.d", *settings.iterdir())
        self.processes = [namespace.start("dbus-daemon", f"--config-file={directory}/bus.conf", "--nofork",
                                          "--nopidfile", env=self.env)]
        wait_until(lambda: namespace.run("ls", "/run/bus"), what="the bus")
        self.processes.append(namespace.start(os.path.join(root, "lib/systemd/systemd-resolved"), env=self.env))
        wait_until(lambda: self("status"), what="systemd-resolved")

    def __call__(self, *arguments):
        """The lines that resolvectl prints, without what they say of the way there."""
        assert self.processes[-1].is_running(), "\n".join(self.processes[-1].err)
        shown = self.namespace.run(os.path.join(self.root, "usr/bin/resolvectl"), *arguments, env=self.env)
        lines = (line.split("-- ")[0].strip() for line in shown.splitlines())
        return [line for line in lines if line]

    def stop(self):
        for process in reversed(self.processes):
            process.stop()
