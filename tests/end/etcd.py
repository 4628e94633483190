"""A private etcd, one member or several, and a small client of its JSON gateway."""

import base64
import json
import functools
import os
import re
import shutil
import signal
import ssl
import subprocess
import urllib.error
import urllib.request

from process import Process, free_port, on_free_ports, temporary_directory, wait_until


def _choose():
    """The etcd of $EMPUSA_ETCD and the etcdctl beside it are those in PATH, for whatever the tests run."""
    chosen = os.environ.get("EMPUSA_ETCD")
    if chosen:
        directory = chosen if os.path.isdir(chosen) else os.path.dirname(chosen)
        os.environ["PATH"] = os.path.abspath(directory) + os.pathsep + os.environ["PATH"]
        return "etcd" if os.path.isdir(chosen) else os.path.abspath(chosen)
    return "etcd"


BINARY = _choose()


@functools.cache
def version_text(binary=BINARY):
    """As it says it, "3.4.23", or None."""
    try:
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout
    except OSError:
        return None
    found = re.search(r"etcd Version: (\S+)", said)
    return found and found.group(1)


def version(binary=BINARY):
    """(3, 4, 23), to compare."""
    return tuple(map(int, re.findall(r"\d+", version_text(binary))[:3]))


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


class EtcdError(Exception):
    pass


class KeyValue:
    def __init__(self, raw):
        self.key = base64.b64decode(raw["key"])
        self.value = base64.b64decode(raw.get("value", ""))
        self.lease = int(raw.get("lease", 0))
        self.mod_revision = int(raw.get("mod_revision", 0))
        self.create_revision = int(raw.get("create_revision", 0))

    def __repr__(self):
        return f"{self.key!r}={self.value!r} lease {self.lease:x} mod {self.mod_revision}"


class Member:
    def __init__(self, name, binary, scheme, directory):
        self.name, self.binary, self.scheme = name, binary, scheme
        self.port, self.peer_port = free_port(), free_port()
        self.data = os.path.join(directory, name)
        self.options = []  # its own, besides the cluster's
        self.process = None

    @property
    def endpoint(self):
        return f"127.0.0.1:{self.port}"

    @property
    def url(self):
        return f"{self.scheme}://{self.endpoint}"


class Etcd:
    """`binary` may be of another version; `options` go to every member."""

    def __init__(self, members=1, binary=None, options=(), tls=None, client_tls=None):
        binary = binary or BINARY
        self.directory = temporary_directory()
        self.options = list(options)
        self.token = None  # of auth
        self.cluster_token = "empusa-e2e"
        self.prefix = None
        self.context = None
        if tls:
            self.options += ["--cert-file", tls.server_cert, "--key-file", tls.server_key]
            self.context = ssl.create_default_context(cafile=tls.ca)
            if client_tls:
                self.options += ["--client-cert-auth", "--trusted-ca-file", tls.ca]
                self.context.load_cert_chain(tls.client_cert, tls.client_key)
        scheme = "https" if tls else "http"
        self.members = []
        self._begin(members, binary, scheme)

    @on_free_ports
    def _begin(self, count, binary, scheme):
        """The first start; a later one is on the same ports."""
        self.kill()
        for member in self.members:
            shutil.rmtree(member.data, ignore_errors=True)
        self.members = [Member(f"m{i}", binary, scheme, self.directory) for i in range(count)]
        self.start()

    def start(self):
        for member in self.members:
            if not member.process:
                self.start_member(member)
        self.wait_ready()

    def start_member(self, member):
        cluster = ",".join(f"{m.name}=http://127.0.0.1:{m.peer_port}" for m in self.members)
        member.process = Process(
            [member.binary, "--name", member.name, "--data-dir", member.data,
             "--listen-client-urls", member.url, "--advertise-client-urls", member.url,
             "--listen-peer-urls", f"http://127.0.0.1:{member.peer_port}",
             "--initial-advertise-peer-urls", f"http://127.0.0.1:{member.peer_port}",
             "--initial-cluster", cluster, "--initial-cluster-token", self.cluster_token, *self.options, *member.options],
            env={"PATH": os.environ["PATH"], "HOME": self.directory})

    def wait_ready(self):
        wait_until(self._is_ready, 30, "etcd answers")

    def _is_ready(self):
        for member in self.members:
            if member.process:
                member.process.check()
        try:
            with self._open("/health") as reply:
                return json.load(reply).get("health") == "true"
        except (OSError, ValueError):
            return False

    def is_running(self):
        return any(member.process for member in self.members)

    def stop(self):
        for member in self.members:
            self.kill_member(member)
        shutil.rmtree(self.directory, ignore_errors=True)

    def kill(self):
        """As a power cut: the data directories stay."""
        for member in self.members:
            self.kill_member(member)

    @staticmethod
    def kill_member(member):
        if member.process:
            member.process.kill()
            member.process = None

    def pause(self, *members):
        for member in members or self.members:
            member.process.send(signal.SIGSTOP)

    def resume(self, *members):
        for member in members or self.members:
            if member.process:
                member.process.send(signal.SIGCONT)

    def wipe(self, token=None):
        """The history is lost: revisions from 1 again; the same cluster ID unless there is a new token."""
        self.kill()
        for member in self.members:
            shutil.rmtree(member.data)
        self.cluster_token = token or self.cluster_token
        self.start()

    def save(self):
        """A copy of what is on disk, as an operator would take one of a stopped etcd."""
        self.kill()
        for member in self.members:
            shutil.copytree(member.data, member.data + ".saved")
        self.start()

    def restore(self):
        self.kill()
        for member in self.members:
            shutil.rmtree(member.data)
            shutil.copytree(member.data + ".saved", member.data)
        self.start()

    def make_room(self):
        """What an operator does about a full database: compact, defragment, disarm."""
        self.compact()
        for member in self.members:
            self.call("/maintenance/defragment", member=member)
        for alarm in self.call("/maintenance/alarm", {"action": "GET"}).get("alarms", []):
            self.call("/maintenance/alarm", {"action": "DEACTIVATE", **alarm})

    @property
    def endpoints(self):
        return ",".join(member.endpoint for member in self.members)

    # the gateway

    def _open(self, path, body=None, member=None, timeout=5):
        member = member or next(m for m in self.members if m.process)
        headers = {"Authorization": self.token} if self.token else {}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(member.url + path, data=data, headers=headers)
        return urllib.request.urlopen(request, timeout=timeout, context=self.context)

    def call(self, path, body=None, member=None, timeout=10):
        if self.prefix is None:
            with self._open("/version", member=member) as reply:
                version = json.load(reply)["etcdserver"].split(".")
            self.prefix = "/v3beta" if (int(version[0]), int(version[1])) < (3, 4) else "/v3"
        try:
            with self._open(self.prefix + path, body or {}, member, timeout) as reply:
                return json.loads(reply.read().decode().splitlines()[0])
        except urllib.error.HTTPError as error:
            raise EtcdError(f"{path}: {error.code} {error.read().decode(errors='replace')}") from None

    def put(self, key, value, lease=0):
        """The revision it was written at."""
        return int(self.call("/kv/put", {"key": b64(key), "value": b64(value), "lease": str(lease)})
                   ["header"]["revision"])

    def put_many(self, pairs):
        pairs = list(pairs)
        for i in range(0, len(pairs), 100):
            self.call("/kv/txn", {"success": [
                {"request_put": {"key": b64(key), "value": b64(value)}} for key, value in pairs[i:i + 100]]})

    def get(self, key):
        """The key's KeyValue or None."""
        kvs = self.call("/kv/range", {"key": b64(key)}).get("kvs")
        return KeyValue(kvs[0]) if kvs else None

    def get_prefix(self, prefix):
        prefix = prefix if isinstance(prefix, bytes) else prefix.encode()
        end = prefix[:-1] + bytes([prefix[-1] + 1])
        return [KeyValue(raw) for raw in
                self.call("/kv/range", {"key": b64(prefix), "range_end": b64(end)}).get("kvs", [])]

    def delete(self, key):
        self.call("/kv/deleterange", {"key": b64(key)})

    def delete_prefix(self, prefix):
        prefix = prefix if isinstance(prefix, bytes) else prefix.encode()
        end = prefix[:-1] + bytes([prefix[-1] + 1])
        self.call("/kv/deleterange", {"key": b64(prefix), "range_end": b64(end)})

    def revision(self):
        return int(self.call("/kv/range", {"key": b64("x")})["header"]["revision"])

    def compact(self):
        self.call("/kv/compaction", {"revision": str(self.revision()), "physical": True})

    def grant(self, ttl, identity=0):
        return int(self.call("/lease/grant", {"TTL": str(ttl), "ID": str(identity)})["ID"])

    def revoke(self, lease):
        self.call("/kv/lease/revoke", {"ID": str(lease)})

    def ttl(self, lease):
        """Seconds left; negative when it is gone."""
        return int(self.call("/kv/lease/timetolive", {"ID": str(lease)})["TTL"])

    def granted_ttl(self, lease):
        """0 when it is gone."""
        return int(self.call("/kv/lease/timetolive", {"ID": str(lease)}).get("grantedTTL", 0))

    def leader(self):
        for member in self.members:
            if member.process:
                status = self.call("/maintenance/status", member=member)
                if status.get("leader") == status["header"]["member_id"]:
                    return member
        return None
