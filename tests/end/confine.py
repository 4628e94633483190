"""Confine this process as a unit of systemd says, and become its program: unit.py starts this.

A setting that this knows nothing of is a mistake, unless it stands in WITHOUT_EFFECT.
"""

import ctypes
import errno
import json
import os
import resource
import signal
import socket
import sys

USER = 61234  # of those that DynamicUser= takes
CREDENTIALS = "/run/credentials/unit"
STATE = "/var/lib/empusa"
WITHOUT_EFFECT = {
    # what systemd itself does
    "Type", "Restart", "RestartSec", "TimeoutStartSec", "TimeoutStopSec", "WatchdogSec", "ExecReload", "EnvironmentFile",
    "Environment", "ExecStart",
    # what is refused in any case to who has no right but to bind a port
    "KeyringMode", "LockPersonality", "PrivateMounts", "PrivateUsers", "ProtectClock", "ProtectControlGroups",
    "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "RemoveIPC", "RestrictRealtime",
    "RestrictSUIDSGID", "SystemCallArchitectures"}
KNOWN = {
    "DynamicUser", "AmbientCapabilities", "CapabilityBoundingSet", "LimitNOFILE", "UMask", "NoNewPrivileges",
    "PrivateDevices", "PrivateTmp", "ProcSubset", "ProtectHome", "ProtectProc", "ProtectSystem", "StateDirectory",
    "StateDirectoryMode",
    "MemoryDenyWriteExecute", "RestrictAddressFamilies", "RestrictNamespaces", "SystemCallFilter", "SystemCallErrorNumber"}
LIBC = ctypes.CDLL(None, use_errno=True)
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EQ, MASKED_EQ = 4, 7
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
NEW_MOUNTS, NAMESPACES = 0x00020000, 0x7E020080  # CLONE_NEW*


def find_seccomp():
    try:
        return ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return None


# In the child, as root: the file system, and then who it is.

def check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def mount(source, target, kind=None, flags=0, data=None):
    check(LIBC.mount(source and source.encode(), target.encode(), kind and kind.encode(), ctypes.c_ulong(flags),
                     data and data.encode()), target)


def set_read_only(path, is_read_only=True, flags=0x8000):
    """mount_setattr(2); of all below it, too."""
    attributes = (ctypes.c_uint64 * 4)(int(is_read_only), int(not is_read_only), 0, 0)
    check(LIBC.syscall(442, -100, path.encode(), flags, ctypes.byref(attributes), 32), path)


def make_devices():
    keep = ["null", "zero", "full", "random", "urandom", "tty"]
    held = {name: os.open(f"/dev/{name}", os.O_PATH) for name in keep}
    mount("dev", "/dev", "tmpfs", 0, "mode=755")
    for name, fd in held.items():
        open(f"/dev/{name}", "x", encoding="ascii").close()
        mount(f"/proc/self/fd/{fd}", f"/dev/{name}", flags=MS_BIND)
        os.close(fd)


def make_directory(path, mode=0o700):
    os.mkdir(path)
    os.chown(path, USER, USER)
    os.chmod(path, mode)


def make_files(plan, is_on):
    """The tests' files go to /run, which is empty but for them and the credentials."""
    check(LIBC.unshare(NEW_MOUNTS), "unshare")
    mount(None, "/", flags=MS_REC | MS_PRIVATE)
    holder = os.open(plan["scratch"], os.O_PATH)
    state = os.open(plan["state"], os.O_PATH) if plan["state"] else None
    mount("run", "/run", "tmpfs", 0, "mode=755")
    os.mkdir("/run/test")
    mount(f"/proc/self/fd/{holder}", "/run/test", flags=MS_BIND)
    os.makedirs("/run/credentials")
    make_directory(CREDENTIALS, 0o500)
    for name, text in plan["secrets"].items():
        with open(f"{CREDENTIALS}/{name}", "x", encoding="utf-8") as file:
            file.write(text)
        os.chown(file.name, USER, USER)
        os.chmod(file.name, 0o400)
    if "StateDirectory" in plan["settings"]:
        assert plan["settings"]["StateDirectory"] == ["empusa"]
        mount("lib", "/var/lib", "tmpfs", 0, "mode=755")
        os.mkdir("/var/lib/private")
        os.chmod("/var/lib/private", 0o755)  # 0700, and open to the unit, with systemd
        make_directory("/var/lib/private/empusa")
        os.symlink("private/empusa", STATE)
        if state is not None:
            os.chown(plan["state"], USER, USER)
            os.chmod(plan["state"], int(plan["settings"]["StateDirectoryMode"][0], 8))
            mount(f"/proc/self/fd/{state}", "/var/lib/private/empusa", flags=MS_BIND)
    if is_on("PrivateDevices"):
        make_devices()
    for path in ["/home", "/root"] if is_on("ProtectHome") else []:
        mount("none", path, "tmpfs", 0, "mode=000")
    assert plan["settings"]["ProtectSystem"] == ["strict"]
    set_read_only("/")
    for path in ["/tmp", "/var/tmp"] if is_on("PrivateTmp") else []:
        mount("tmp", path, "tmpfs", 0, "mode=1777")
    if "StateDirectory" in plan["settings"]:
        if state is None:
            mount("state", "/var/lib/private/empusa", "tmpfs", 0, f"mode=700,uid={USER},gid={USER}")
        else:
            set_read_only("/var/lib/private/empusa", False, 0)
    proc = [*(["hidepid=invisible"] if plan["settings"].get("ProtectProc") == ["invisible"] else []),
            *(["subset=pid"] if plan["settings"].get("ProcSubset") == ["pid"] else [])]
    mount("proc", "/proc", "proc", 0, ",".join(proc) or None)
    os.chdir("/")


def enter(plan):
    settings = plan["settings"]
    assert not set(settings) - KNOWN - WITHOUT_EFFECT, set(settings) - KNOWN - WITHOUT_EFFECT
    make_files(plan, lambda name: settings.get(name) == ["yes"])
    for key, value in settings.items():
        if key.startswith("Limit"):
            number = getattr(resource, key.replace("Limit", "RLIMIT_"))
            limit = min(int(value[0]), resource.getrlimit(number)[1])  # who is not quite root may not raise it
            resource.setrlimit(number, (limit, limit))
    os.umask(int(settings["UMask"][0], 8))
    bounding = "".join(f",+{name[4:].lower()}" for name in settings["CapabilityBoundingSet"][-1].split())
    ambient = "".join(f",+{name[4:].lower()}" for name in settings.get("AmbientCapabilities", [""])[-1].split())
    assert settings["DynamicUser"] == settings["NoNewPrivileges"] == ["yes"]
    who = ["setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups", "--no-new-privs", "--bounding-set",
           f"-all{bounding}", "--inh-caps", f"-all{ambient}", "--ambient-caps", f"-all{ambient}"]
    os.execvp(who[0], [*who, sys.executable, "-B", "/run/test/confine.py", "execute", "/run/test/plan"])


# As the unit's user: what the kernel refuses.

class Compare(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("operator", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


class Filter:
    """One of several, as systemd has one for each setting: the strictest answer counts."""

    def __init__(self, default):
        self.lib = find_seccomp()
        self.lib.seccomp_init.restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.lib.seccomp_init(ctypes.c_uint32(default)))

    def add(self, action, name, *compares):
        number = self.lib.seccomp_syscall_resolve_name(name.encode())
        if number < 0:  # not of this machine
            return
        array = (Compare * max(len(compares), 1))(*compares)
        result = self.lib.seccomp_rule_add_array(self.context, ctypes.c_uint32(action), number, len(compares), array)
        assert result == 0, (name, os.strerror(-result))

    def load(self):
        result = self.lib.seccomp_load(self.context)
        assert result == 0, os.strerror(-result)


def forbid_memory(action):
    """MemoryDenyWriteExecute=."""
    rules = Filter(ALLOW)
    rules.add(action, "mmap", Compare(2, MASKED_EQ, 6, 6))
    for name in ("mprotect", "pkey_mprotect"):
        rules.add(action, name, Compare(2, MASKED_EQ, 4, 4))
    rules.add(action, "shmat", Compare(2, MASKED_EQ, 0o100000, 0o100000))
    rules.load()


def forbid_families(names, action):
    allowed = {int(getattr(socket, name)) for name in names}
    rules = Filter(ALLOW)
    for family in set(range(64)) - allowed:
        rules.add(action, "socket", Compare(0, EQ, family))
    rules.load()


def forbid_namespaces(action):
    rules = Filter(ALLOW)
    rules.add(action, "setns")
    for bit in (1 << i for i in range(32) if NAMESPACES >> i & 1):
        for name in ("clone", "unshare"):
            rules.add(action, name, Compare(0, MASKED_EQ, bit, bit))
    rules.load()


def execute(plan):
    settings = plan["settings"]
    assert settings["SystemCallErrorNumber"] == ["EPERM"]
    refusal = KILL if plan["kills"] else ERRNO | errno.EPERM
    LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, which went with the change of user
    if settings["MemoryDenyWriteExecute"] == ["yes"]:
        forbid_memory(refusal)
    forbid_families(settings["RestrictAddressFamilies"][0].split(), KILL if plan["kills"] else ERRNO | errno.EAFNOSUPPORT)
    if settings["RestrictNamespaces"] == ["yes"]:
        forbid_namespaces(refusal)
    rules = Filter(refusal)
    for name in plan["calls"]:
        rules.add(ALLOW, name)
    rules.load()
    os.execv(plan["argv"][0], plan["argv"])


if __name__ == "__main__":
    with open(sys.argv[2], encoding="utf-8") as file:
        {"enter": enter, "execute": execute}[sys.argv[1]](json.load(file))
