"""How long empusa takes until it answers from the whole tree, beside curl reading the same pages of the range."""
import json
import subprocess
import time

import dataset
import etcd
import servers

PAGE = 50_000  # of registry/range.c
KEY_MIN = 100  # octets of a key in etcd's JSON, at least
LIMIT_S = 600


class Loading:
    def __init__(self, setting):
        self.setting = setting
        self.config = setting.write("curl.conf", self.requests())

    def requests(self):
        """For curl --config: the pages over one connection. Their first keys are known without reading."""
        url, end = f"http://127.0.0.1:{self.setting.etcd_port}/v3/kv/range", etcd.encode(dataset.ROOT + "0")
        parts = []
        for first in [dataset.ROOT + "/", *self.setting.data.pages(PAGE)[1:]]:
            body = json.dumps({"key": etcd.encode(first), "range_end": end, "limit": PAGE})
            parts.append(f"url = {json.dumps(url)}\ndata = {json.dumps(body)}\noutput = /dev/null\n"
                         'fail\nsilent\nwrite-out = "%{size_download}\\n"\n')
        return "next\n".join(parts)

    def curl_s(self):
        start_s = time.monotonic()
        done = subprocess.run(["curl", "--disable", "--config", self.config], check=True, timeout=LIMIT_S,
                              capture_output=True, text=True, preexec_fn=servers.prepare(self.setting.cpus))
        elapsed_s = time.monotonic() - start_s
        if sum(map(int, done.stdout.split())) < KEY_MIN * self.setting.data.size:
            raise RuntimeError(f"curl read only {done.stdout.split()} octets")
        return elapsed_s

    def measure(self):
        curl_s = self.curl_s()
        server = servers.Empusa(self.setting, tag="-loading")
        try:
            load_s = server.load(LIMIT_S)
        finally:
            server.stop()
        return {"load_s": load_s, "curl_s": curl_s, "load_ratio": load_s / curl_s}
