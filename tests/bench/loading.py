"""How long empusa takes until it answers from the whole tree, beside curl reading the range."""
import json
import subprocess
import time

import dataset
import etcd
import servers

KEY_MIN = 100  # octets of a key in etcd's JSON, at least
LIMIT_S = 600


class Loading:
    def __init__(self, setting):
        self.setting = setting
        self.request = setting.write("curl.json", json.dumps(
            {"key": etcd.encode(dataset.ROOT + "/"), "range_end": etcd.encode(dataset.ROOT + "0")}))

    def curl_s(self):
        """In one request, which is the cheapest for etcd."""
        start_s = time.monotonic()
        done = subprocess.run(["curl", "--disable", "--fail", "--silent", "--output", "/dev/null", "--data", "@" + self.request,
                               "--write-out", "%{size_download}", f"http://127.0.0.1:{self.setting.etcd_port}/v3/kv/range"],
                              check=True, timeout=LIMIT_S, capture_output=True, preexec_fn=servers.prepare(self.setting.cpus))
        elapsed_s = time.monotonic() - start_s
        if int(done.stdout) < KEY_MIN * self.setting.data.size:
            raise RuntimeError(f"curl read only {int(done.stdout)} octets")
        return elapsed_s

    def measure(self):
        curl_s = self.curl_s()
        server = servers.Empusa(self.setting, tag="-loading")
        try:
            load_s = server.load(LIMIT_S)
        finally:
            server.stop()
        return {"load_s": load_s, "curl_s": curl_s, "load_ratio": load_s / curl_s}
