"""A cluster of etcd and what may happen to it. All of it goes straight to the members, past any relay."""

import os
import shutil
import subprocess

from etcd import Etcd, EtcdError, Member, b64
from process import wait_until


class Cluster(Etcd):
    """`call` goes to a member that is neither dead nor stopped, unless one is named."""

    _paused = frozenset()

    def pause(self, *members):
        self._paused = self._paused | set(members or self.members)
        super().pause(*members)

    def resume(self, *members):
        super().resume(*members)
        self._paused = self._paused - set(members or self.members)

    def _open(self, path, body=None, member=None, timeout=3):
        awake = [m for m in self.members if m.process and m not in self._paused]
        if not member and not awake:
            raise ConnectionError("no member runs")
        return super()._open(path, body, member or awake[0], timeout)

    def call(self, path, body=None, member=None, timeout=3):
        return super().call(path, body, member, timeout)

    def writes(self, member=None, timeout=1):
        """Whether a write is done."""
        try:
            return bool(self.call("/kv/put", {"key": b64("/settled")}, member, timeout))
        except (OSError, EtcdError):
            return False

    def wait_writes(self, member=None):
        """Until it takes writes."""
        wait_until(lambda: self.writes(member), 30, "etcd takes writes")

    def is_healthy(self, member):
        """Whether a member runs and knows a leader."""
        try:
            return "leader" in self.call("/maintenance/status", member=member, timeout=2)
        except (OSError, EtcdError):
            return False

    def watched(self):
        """The members that have watches."""
        return [member for member in self.members if member.process and self._watchers(member)]

    def _watchers(self, member):
        with self._open("/metrics", member=member) as reply:
            return any(float(line.split()[1]) for line in reply.read().decode().splitlines()
                       if line.startswith("etcd_debugging_mvcc_watcher_total "))

    def wait_healthy(self, *members):
        for member in members or self.members:
            wait_until(lambda: self.is_healthy(member), 30, f"{member.name} is healthy")

    def restart_member(self, member):
        """After it was killed, or now."""
        self.kill_member(member)
        self.start_member(member)
        self.wait_healthy(member)

    def replace(self, member):
        """A new member, with nothing on its disk, at the address of one that is removed for good."""
        others = [m for m in self.members if m is not member and m.process]
        self.kill_member(member)
        listed = self.call("/cluster/member/list", member=others[0])["members"]
        identity = next(m["ID"] for m in listed if m.get("name") == member.name)
        self._change_members("/cluster/member/remove", {"ID": identity}, others[0])
        shutil.rmtree(member.data)
        fresh = Member(f"{member.name}x", member.binary, member.scheme, self.directory)
        fresh.port, fresh.peer_port = member.port, member.peer_port
        fresh.options = ["--initial-cluster-state", "existing"]
        self._change_members("/cluster/member/add", {"peerURLs": [f"http://127.0.0.1:{fresh.peer_port}"]}, others[0])
        self.members[self.members.index(member)] = fresh
        self.start_member(fresh)
        self.wait_healthy(fresh)
        return fresh

    def _change_members(self, path, body, member):
        """Refused while etcd finds its cluster unhealthy, as for five seconds after a start."""
        def change():
            try:
                return self.call(path, body, member)
            except (OSError, EtcdError):
                return None
        wait_until(change, 30, path)

    def snapshot(self):
        """What `etcdctl snapshot save` makes of a running member: the file's name."""
        path = os.path.join(self.directory, "snapshot")
        self._etcdctl("--endpoints", self.members[0].endpoint, "snapshot", "save", path)
        return path

    def restore_snapshot(self, path):
        """As an operator would: every member anew, and so another cluster ID."""
        self.kill()
        cluster = ",".join(f"{m.name}=http://127.0.0.1:{m.peer_port}" for m in self.members)
        for member in self.members:
            shutil.rmtree(member.data)
            self._etcdctl("snapshot", "restore", path, "--name", member.name, "--data-dir", member.data,
                          "--initial-cluster", cluster, "--initial-cluster-token", self.cluster_token,
                          "--initial-advertise-peer-urls", f"http://127.0.0.1:{member.peer_port}")
        self.start()

    @staticmethod
    def _etcdctl(*args):
        subprocess.run(["etcdctl", *args], env={**os.environ, "ETCDCTL_API": "3"}, check=True, capture_output=True,
                       timeout=60)

    def leases(self):
        """The IDs of all leases."""
        return {int(lease["ID"]) for lease in self.call("/lease/leases").get("leases", [])}

    def cluster_id(self):
        return self.call("/kv/range", {"key": b64("x")})["header"]["cluster_id"]
