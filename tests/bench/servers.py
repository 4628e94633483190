"""The servers: how each is configured, started on one core with one worker, watched and stopped."""
import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import time

import client
import dataset

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_libc = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def free_port():
    """A loopback port that is free for UDP and TCP, below the ephemeral ones, which any connection may have in the
    meantime, and above those that tests/end/process.py gives out."""
    while True:
        address = "127.0.0.1", random.SystemRandom().randrange(30000, 32000)
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(address)
                udp.bind(address)
            except OSError:
                continue
            return address[1]


def prepare(cpus, nice=0):
    """What a child does first: stay on these cores, end with us whatever happens."""
    def run():
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.sched_setaffinity(0, cpus)
        try:
            os.nice(nice)
        except PermissionError:
            pass
    return run


def spawn(argv, log, cpus, nice=0, **options):
    """A child in a session of its own."""
    with open(log, "ab") as out:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                start_new_session=True, preexec_fn=prepare(cpus, nice), **options)


class Process:
    """A child process and its descendants (those of its session)."""

    def __init__(self, name, argv, work, cpus, nice=0, env=None):
        self.name, self.log = name, os.path.join(work, name + ".log")
        self.child = spawn(argv, self.log, cpus, nice, cwd=work, env=env)

    def stats(self):
        """pid and the fields of /proc/PID/stat from the state on, of each process."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == self.child.pid:
                yield int(pid), fields

    def cpu_s(self):
        """(user, system) CPU seconds so far of all processes and threads."""
        stats = [fields for _, fields in self.stats()]
        return tuple(sum(int(fields[i]) for fields in stats) * TICK_S for i in (11, 12))

    def pss_mb(self):
        total_kb = 0
        for pid, _ in self.stats():
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                total_kb += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        return total_kb * 1024 / 1e6

    def has_ended(self):
        """Without reaping it: its number stays its own until stop()."""
        return os.waitid(os.P_PID, self.child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def check(self):
        if self.has_ended():
            with open(self.log, encoding="utf-8", errors="replace") as file:
                raise RuntimeError(f"{self.name} ended by itself: {file.read()[-2000:]}")

    def stop(self, patience_s=5):
        deadline_s = time.monotonic() + patience_s
        if not self.has_ended():
            self.child.terminate()
        while any(fields[0] != "Z" for _, fields in self.stats()) and time.monotonic() < deadline_s:
            time.sleep(0.01)
        for pid, _ in list(self.stats()):
            os.kill(pid, signal.SIGKILL)
        self.child.wait()


class Setting:
    """What all servers share: the data, where it is, the core, our programs."""

    def __init__(self, data, work, cpus, tools, binary):
        self.data, self.work, self.cpus, self.tools, self.binary = data, work, cpus, tools, binary
        self.zone_file, self.etcd_port = os.path.join(work, "zone"), 0

    def write(self, name, text):
        path = os.path.join(self.work, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def folder(self, name):
        path = os.path.join(self.work, name)
        os.makedirs(path, exist_ok=True)
        return path


class Server(Process):
    """wrapper: a command line to put before (valgrind)."""
    name, program, env = "", "", None
    says_version = "--version"
    has_zone = True

    def __init__(self, setting, wrapper=(), tag=""):
        self.setting, self.port, self.tag = setting, free_port(), self.name + tag
        self.started_s = time.monotonic()
        super().__init__(self.tag, [*wrapper, *self.argv()], setting.work, setting.cpus,
                         env={**os.environ, **(self.env or {})})

    @classmethod
    def find(cls, setting):
        """Path of the program; None when it is not here."""
        return shutil.which(cls.program, path=os.environ["PATH"] + ":/usr/sbin:/sbin:" + go_bin())

    def argv(self):
        raise NotImplementedError

    def load(self, limit_s):
        """Wait until it answers for the last instance; seconds since the start."""
        kind, name, *_ = self.setting.data.instance(self.setting.data.size - 1)
        query = (dataset.wire_name(name, f"_{kind}._tcp", dataset.DOMAIN), dataset.TYPE_SRV)
        with client.Client(self.port, 0.5) as dns:
            while time.monotonic() - self.started_s < limit_s:
                self.check()
                reply = dns.ask(*query)
                if reply and (not self.has_zone or reply.srv_port() is not None):
                    return time.monotonic() - self.started_s
                time.sleep(0.002)
        raise RuntimeError(f"{self.tag} was not ready within {limit_s} s; see {self.log}")


class Echo(Server):
    name, has_zone = "echo", False

    @classmethod
    def find(cls, setting):
        return os.path.join(setting.tools, "echo")

    def argv(self):
        return [self.find(self.setting), str(self.port)]


class Empusa(Server):
    name = "empusa"

    @classmethod
    def find(cls, setting):
        return shutil.which(setting.binary)

    @staticmethod
    def command(setting):
        """Up to the command's name."""
        return [os.path.abspath(setting.binary), "--etcd-endpoint", f"127.0.0.1:{setting.etcd_port}",
                "--tree-root", dataset.ROOT]

    def argv(self):
        return [*self.command(self.setting), "serve", "--listen", f"127.0.0.1:{self.port}", "--domain",
                dataset.DOMAIN, "--workers", "1"]


class Nsd(Server):
    name = program = "nsd"
    says_version = "-v"

    def argv(self):
        folder = self.setting.folder(self.tag)
        config = self.setting.write(f"{self.tag}.conf", f"""server:
  server-count: 1
  ip-address: 127.0.0.1@{self.port}
  do-ip6: no
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  pidfile: "{folder}/pid"
  zonelistfile: "{folder}/zone.list"
  xfrdfile: "{folder}/xfrd.state"
  xfrdir: "{folder}"
  database: ""
  cookie-secret-file: "{folder}/cookies"
  rrl-ratelimit: 0
  tcp-count: 200
remote-control:
  control-enable: no
zone:
  name: {dataset.DOMAIN}
  zonefile: {self.setting.zone_file}
""")
        return [self.find(self.setting), "-d", "-c", config]


class Knot(Server):
    """Takes dynamic updates, too, so that its changes can be timed."""
    name, program = "knot", "knotd"

    def argv(self):
        folder = self.setting.folder(self.tag)
        config = self.setting.write(f"{self.tag}.conf", f"""server:
  rundir: {folder}
  listen: 127.0.0.1@{self.port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: {folder}
acl:
  - id: us
    address: 127.0.0.1
    action: update
template:
  - id: default
    storage: {folder}
zone:
  - domain: {dataset.DOMAIN}
    file: {self.setting.zone_file}
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
    acl: us
log:
  - target: stderr
    any: warning
""")
        return [self.find(self.setting), "-c", config]


class CoreDns(Server):
    """Its file plugin: the same zone from memory. Built by `go install github.com/coredns/coredns@latest`."""
    name = program = "coredns"
    env = {"GOMAXPROCS": "1"}
    says_version = "-version"

    def argv(self):
        config = self.setting.write(f"{self.tag}.conf", f"{dataset.DOMAIN}:{self.port} {{\n  bind 127.0.0.1\n"
                                    f"  file {self.setting.zone_file}\n}}\n")
        return [self.find(self.setting), "-conf", config]


def go_bin():
    return os.path.join(os.environ.get("GOPATH") or os.path.expanduser("~/go"), "bin")


ALL = {server.name: server for server in (Echo, Empusa, Nsd, Knot, CoreDns)}
