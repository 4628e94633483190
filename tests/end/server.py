"""The empusa under test: its commands, and `empusa serve`."""

import os
import re
import signal
import subprocess

from dns_client import Dns
from process import PATIENCE, Process, die_with_parent, free_port, on_free_ports, wait_until

BINARY = os.path.abspath(os.environ.get("EMPUSA_BINARY", "build/empusa"))


def clean_environment(**variables):
    """No EMPUSA_* of the person who runs the tests; UTF-8."""
    keep = ("PATH", "HOME", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS")
    env = {key: os.environ[key] for key in keep if key in os.environ}
    return {**env, "LANG": "C.UTF-8", **variables}


class Result:
    def __init__(self, argv, status, out, err):
        self.argv, self.status = argv, status
        self.out, self.err = out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "surrogateescape")

    def __repr__(self):
        return f"{self.argv}: exit {self.status}\n-- out\n{self.out}\n-- err\n{self.err}"

    def error_line(self, status=1):
        """The one line that an unsuccessful command says."""
        assert self.status == status, self
        assert self.err.endswith("\n") and self.err.count("\n") == 1, self
        return self.err.rstrip("\n")


def run(*args, env=None, timeout=30, binary=None, **options):
    argv = [binary or BINARY, *(arg if isinstance(arg, bytes) else str(arg) for arg in args)]
    options.setdefault("stdout", subprocess.PIPE)
    done = subprocess.run(argv, env=env or clean_environment(), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          timeout=timeout * PATIENCE, preexec_fn=die_with_parent, check=False, **options)
    assert b"Sanitizer" not in done.stderr and b"runtime error" not in done.stderr, done.stderr.decode()
    return Result(argv, done.returncode, done.stdout or b"", done.stderr)


class Registry:
    """One tree root in one etcd: the command line bound to it, and its keys behind empusa's back."""

    def __init__(self, etcd, root, **variables):
        self.etcd, self.root = etcd, root
        self.env = clean_environment(EMPUSA_ETCD_ENDPOINT=etcd.endpoints, EMPUSA_TREE_ROOT=root, **variables)
        self.binary = None  # another program than BINARY, which wraps it
        self.processes = []

    def __call__(self, *args, env=None, **options):
        return run(*args, env={**self.env, **(env or {})}, binary=self.binary, **options)

    def ok(self, *args, **options):
        result = self(*args, **options)
        assert result.status == 0, result
        return result

    def start(self, *args, env=None):
        process = Process([self.binary or BINARY, *args], env={**self.env, **(env or {})})
        self.processes.append(process)
        return process

    def register(self, kind, name, location, *more):
        return self.ok("service", "register", "--service-type", kind, "--service-name", name,
                       "--service-location", location, *more)

    def unregister(self, kind, name):
        return self.ok("service", "unregister", "--service-type", kind, "--service-name", name)

    def hold(self, kind, name, location, *more, env=None):
        """A `service register --refresh-every` that stays, once it has registered."""
        process = self.start("service", "register", "--service-type", kind, "--service-name", name,
                             "--service-location", location, *more, env=env)
        process.wait_line(r"^INFO:root:service .* registered$")
        return process

    def service_key(self, kind, name):
        return self.key("service", kind, name)

    def key(self, *parts):
        return b"/".join(part if isinstance(part, bytes) else part.encode() for part in (self.root, *parts))

    def service(self, kind, name):
        """The entry as etcd has it, or None."""
        return self.etcd.get(self.service_key(kind, name))

    def put(self, kind, name, value, lease=0):
        return self.etcd.put(self.service_key(kind, name), value, lease)

    def put_switch(self, path, value, lease=0):
        return self.etcd.put(self.key("switch", path), value, lease)

    def delete(self, *parts):
        self.etcd.delete(self.key(*parts))

    @on_free_ports
    def serve(self, *args, **options):
        """A running, ready server. Hosts are not looked up unless a test says so: DNS traffic stays here."""
        return self.serve_unready(*args, **options).wait_ready()

    def serve_unready(self, *args, listen="127.0.0.1", env=None, resolve=False, endpoints=None):
        args = [*args] if resolve else [*args, "--no-resolve-hosts"]
        env = {**self.env, **(env or {})}
        if endpoints:
            env["EMPUSA_ETCD_ENDPOINT"] = endpoints
        server = Server(args, env, listen, self.binary)
        self.processes.append(server)
        return server

    def wait_served(self, *clients, timeout=15.0):
        """Until servers that look no hosts up have published all that was written, the last of it below this root.

        A change is published piece by piece, the serial last: one name that is as it will be says nothing of the others.
        """
        revision = self.etcd.revision() & 0xFFFFFFFF
        for dns in clients:
            wait_until(lambda: (dns.serial() - revision) % (1 << 32) < 1 << 31,  # pylint: disable=cell-var-from-loop
                       timeout, f"the serial is {revision}")

    def stop(self):
        """Whatever still runs must end well: exit 0 on SIGTERM, nothing said by a sanitizer."""
        problems = []
        for process in self.processes:
            try:
                status = process.stop() if process.is_running() else 0
            except AssertionError as error:
                status = process.kill()
                problems.append(str(error))
            report = next((i for i, line in enumerate(process.err) if re.search("Sanitizer|runtime error", line)), None)
            if report is not None:
                problems += process.err[report:report + 200]
            elif status != 0:
                problems += [f"{process.argv}: exit {status} on SIGTERM", *process.err[-20:]]
        assert not problems, "\n".join(problems)


class Server(Process):
    def __init__(self, args, env, listen="127.0.0.1", binary=None):
        self.port = free_port()
        shown = f"[{listen}]" if ":" in listen else listen
        super().__init__([binary or BINARY, "serve", "--listen", f"{shown}:{self.port}", *args], env=env)
        self.dns = Dns(self.port, {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen, listen))

    def wait_ready(self, timeout=20):
        self.serving = self.wait_line(r"^INFO:root:serving ", timeout)
        return self

    def said(self):
        """All that it has logged up to now: the summary that it is asked for comes behind that."""
        before = len(self.err)
        self.send(signal.SIGUSR1)
        self.wait_line(r"^INFO:root:\S+ is [a-z ]+: \d+ services of ", start=before)
        return list(self.err)


def cells(table):
    """The rows of a psql table, the header first; checks its shape."""
    lines = table.splitlines()
    assert lines[0] == lines[-1] and re.fullmatch(r"\+(-+\+)+", lines[0]), table
    assert lines[2] == "|" + lines[0][1:-1] + "|", table
    rows = [lines[1], *lines[3:-1]]
    assert all(row.startswith("| ") and row.endswith(" |") for row in rows), table
    return [[cell.strip() for cell in row[1:-1].split("|")] for row in rows]
