"""An etcd of our own on loopback, and writing to it fast through its JSON gateway."""
import base64
import http.client
import json
import os
import threading
import time

import servers

BATCH = 128  # operations of one transaction, etcd's limit
CONNECTIONS = 4


class Etcd(servers.Process):
    def __init__(self, work, cpus):
        self.port, peer = servers.free_port(), servers.free_port()
        listen, peer_url = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{peer}"
        super().__init__("etcd", [
            "etcd", "--name", "bench", "--data-dir", os.path.join(work, "etcd"), "--log-level", "error",
            "--listen-client-urls", listen, "--advertise-client-urls", listen, "--listen-peer-urls", peer_url,
            "--initial-advertise-peer-urls", peer_url, "--initial-cluster", f"bench={peer_url}",
            "--quota-backend-bytes", str(8 << 30)], work, cpus, nice=5,
            env={key: value for key, value in os.environ.items() if not key.startswith("ETCD_")})
        deadline_s = time.monotonic() + 30
        while True:
            self.check()
            try:
                self.connect().post("kv/range", {"key": encode("x")})
                return
            except OSError:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(0.05)

    def connect(self):
        return Connection(self.port)

    def fill(self, data):
        """Store all instances, from several connections."""
        def put(connection, first):
            connection.put_all(data.entry(i) for i in range(first, min(first + BATCH, data.size)))
        self.spread(put, range(0, data.size, BATCH))

    def spread(self, act, items):
        """act(connection, item) for all items, from several connections at once."""
        items, failures = list(items), []

        def run(part):
            connection = self.connect()
            try:
                for item in items[part::CONNECTIONS]:
                    act(connection, item)
            except (OSError, RuntimeError) as error:
                failures.append(error)

        threads = [threading.Thread(target=run, args=(part,)) for part in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]


def encode(text):
    return base64.b64encode(text.encode()).decode()


class Connection:
    def __init__(self, port):
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def post(self, path, body):
        self.http.request("POST", "/v3/" + path, json.dumps(body))
        reply = self.http.getresponse()
        text = reply.read()
        if reply.status != 200:
            raise RuntimeError(f"etcd: {path}: {reply.status} {text[:200]!r}")
        return text

    def put(self, key, value):
        self.post("kv/put", {"key": encode(key), "value": encode(value)})

    def put_all(self, entries, lease=0):
        """At most BATCH of them, in one transaction."""
        self.post("kv/txn", {"success": [
            {"request_put": {"key": encode(key), "value": encode(value), "lease": str(lease)}}
            for key, value in entries]})

    def grant(self, ttl_s):
        return int(json.loads(self.post("lease/grant", {"TTL": str(ttl_s)}))["ID"])

    def revoke(self, lease):
        self.post("lease/revoke", {"ID": str(lease)})
