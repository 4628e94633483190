"""What a unit of systemd allows its process, as far as that can be had without systemd.

The unit is read here, and not written a second time: its system calls as `systemd-analyze syscall-filter` lists them and
its rules for memory, sockets and namespaces go into the kernel's filter by libseccomp; the file system is what
ProtectSystem=strict and its kin leave of it, in a mount namespace; user, capability, limits and environment are the unit's.
The rest is in confine.py, which runs in the child.
"""

import functools
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

import confine
from process import Process
from server import BINARY, clean_environment

PACKAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../cli/package")


def read(name):
    """{setting: [values]} of [Service]; an empty value begins anew, as in systemd."""
    settings, section = {}, None
    with open(os.path.join(PACKAGE, name), encoding="utf-8") as file:
        for line in file:
            line = line.rstrip("\n")
            if line.startswith("["):
                section = line
            elif line and line[0] not in "#;" and section == "[Service]":
                key, value = line.split("=", 1)
                settings.setdefault(key, []).append(value)
    return settings


def system_calls(settings):
    """Those that its SystemCallFilter= allows."""
    @functools.cache
    def expand(name):
        if not name.startswith("@"):
            return {name}
        done = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True)
        lines = [line.strip() for line in done.stdout.splitlines()[1:]]
        return set().union(*(expand(line) for line in lines if line and line[0] != "#"))

    allowed = expand("@default")  # always, with a list of what is allowed
    for words in settings["SystemCallFilter"]:
        for name in words.lstrip("~").split():
            allowed = allowed - expand(name) if words.startswith("~") else allowed | expand(name)
    return sorted(allowed)


def is_possible():
    attempt = "mount -t tmpfs none /mnt && mount -t proc -o subset=pid none /proc"
    return (os.geteuid() == 0 and confine.find_seccomp() is not None and
            all(map(shutil.which, ("setpriv", "systemd-analyze", "unshare"))) and
            subprocess.run(["unshare", "--mount", "sh", "-c", attempt], capture_output=True, check=False).returncode == 0)


def variables_of(lines):
    """{name: value} of Environment= lines, with the specifiers that our units use."""
    values = {"%S": os.path.dirname(confine.STATE), "%I": "instance", "%d": confine.CREDENTIALS}
    text = " ".join(lines)
    for specifier, value in values.items():
        text = text.replace(specifier, value)
    return dict(word.split("=", 1) for word in shlex.split(text))


class Unit(Process):
    """The unit's program, of these tests, started as systemd would start it."""

    def __init__(self, name, env, *args, secrets=None, state=None, kills=False, program=None):
        """secrets: {credential: text}, with the drop-in of the examples; state: the directory that is the StateDirectory=;
        kills: what the unit forbids ends the process, which might get over an error; program: [path, argument...] of
        another one than the unit's."""
        settings = read(name)
        self.scratch = tempfile.mkdtemp(prefix="empusa-unit-")  # what goes into the namespace
        os.chmod(self.scratch, 0o755)
        shutil.copy(BINARY, os.path.join(self.scratch, "empusa"))
        shutil.copy(confine.__file__, self.scratch)
        argv = shlex.split(settings["ExecStart"][0])
        assert argv[0] == "/usr/local/bin/empusa"
        variables = variables_of(settings.get("Environment", []))
        if secrets:
            more = read("empusa-secrets.conf")
            assert {line.split(":")[0] for line in more["LoadCredential"]} == set(secrets)
            variables.update(variables_of(more["Environment"]))
        plan = {"settings": settings, "calls": system_calls(settings), "kills": kills, "scratch": self.scratch,
                "secrets": secrets or {}, "state": state, "argv": program or ["/run/test/empusa", *argv[1:], *args]}
        path = os.path.join(self.scratch, "plan")
        with open(path, "x", encoding="utf-8") as file:
            json.dump(plan, file)
        super().__init__([sys.executable, "-B", confine.__file__, "enter", path],
                         env={**clean_environment(), **variables, **env})

    def wait(self, timeout=15):
        status = super().wait(timeout)
        shutil.rmtree(self.scratch, ignore_errors=True)
        return status
