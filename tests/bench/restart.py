"""How long `serve` takes until it answers: from etcd, and from --state-dir without etcd.

    python3 tests/bench/restart.py --binary build/empusa --size 100k|1m [--rounds N]

The copy is not in the page cache when it is read. Prints a line of JSON.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
import urllib.request

import dataset
import etcd
import servers


class Serve:
    def __init__(self, arguments, endpoint, *more):
        self.start_s = time.monotonic()
        self.child = subprocess.Popen(
            [arguments.binary, "serve", "--listen", f"127.0.0.1:{servers.free_port()}", "--etcd-endpoint", endpoint,
             "--tree-root", dataset.ROOT, "--no-resolve-hosts", "--workers", "1", *more], stderr=subprocess.PIPE, text=True)
        for line in self.child.stderr:
            if line.startswith("INFO:root:serving"):
                break
        self.ready_s = time.monotonic() - self.start_s

    def wait_saved(self, port):
        """Until the copy was written since the start."""
        while True:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as reply:
                age_s = next(float(line.split()[1]) for line in reply.read().decode().splitlines()
                             if line.startswith("empusa_state_dir_age_seconds "))
            since_s = time.monotonic() - self.start_s
            if age_s < since_s - self.ready_s:
                return since_s - age_s
            time.sleep(0.1)

    def rss_mb(self):
        with open(f"/proc/{self.child.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024

    def stop(self):
        self.child.terminate()
        self.child.communicate()


def forget(path):
    """Out of the page cache."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", default="build/empusa")
    parser.add_argument("--size", choices=dataset.SIZES, default="100k")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work")
    arguments = parser.parse_args()
    work = tempfile.mkdtemp(prefix="empusa-restart-", dir=arguments.work)
    state = os.path.join(work, "state")
    times = {"etcd": [], "state_dir": []}
    store = etcd.Etcd(work, os.sched_getaffinity(0))
    try:
        store.fill(dataset.Dataset(arguments.size, 1))
        for _ in range(arguments.rounds):
            server = Serve(arguments, f"127.0.0.1:{store.port}")
            times["etcd"].append(server.ready_s)
            server.stop()
        http = servers.free_port()
        server = Serve(arguments, f"127.0.0.1:{store.port}", "--state-dir", state, "--http", f"127.0.0.1:{http}")
        saving_ready_s, saved_s = server.ready_s, server.wait_saved(http)
        server.stop()
        path = os.path.join(state, "registry.db")
        for _ in range(arguments.rounds):
            forget(path)
            server = Serve(arguments, "127.0.0.1:1", "--state-dir", state)
            times["state_dir"].append(server.ready_s)
            rss_mb = server.rss_mb()
            server.stop()
        print(json.dumps({"size": arguments.size, **{name: round(statistics.median(list_s), 3) for name, list_s in times.items()},
                          "etcd_and_saving": round(saving_ready_s, 3), "saved": round(saved_s, 3), "file_mb": os.path.getsize(path) >> 20,
                          "rss_mb": round(rss_mb), "all": times}))
    finally:
        store.stop()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
