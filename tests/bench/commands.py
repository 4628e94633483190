"""What empusa's command line costs, beside etcdctl doing the same."""
import os
import shutil
import statistics
import subprocess

import dataset
import report
import servers

RUNS = 10  # of each command in a round
SWITCH, TYPE, NAME, LOCATION = "bench/switch", "svc-cli", "one", "10.1.2.3:80"
KINDS = {"get": "switch get", "list": f"service list, of {dataset.SMALL_SIZE}", "register": "service register"}
METRICS = [report.Metric(f"{kind}_{unit}", title, ".1f") for kind, name in KINDS.items()
           for unit, title in (("ms", f"{name}: wall time, ms"), ("cpu_ms", "- CPU time, ms"),
                               ("mb", "- memory (most resident), MB"))]


class Commands:
    def __init__(self, setting, data, store):
        self.setting, self.times = setting, os.path.join(setting.tools, "times")
        kind = data.instance(data.size - 1)[0]
        switch, service = f"{dataset.ROOT}/switch/{SWITCH}", f"{dataset.ROOT}/service/{TYPE}/{NAME}"
        store.connect().put(switch, "enabled")
        self.argv = {
            "empusa": {
                "get": ["switch", "get", SWITCH],
                "list": ["service", "list", "--service-type", kind],
                "register": ["service", "register", "--service-type", TYPE, "--service-name", NAME,
                             "--service-location", LOCATION]},
            "etcdctl": {
                "get": ["get", switch],
                "list": ["get", "--prefix", f"{dataset.ROOT}/service/{kind}/"],
                "register": ["put", service, LOCATION]}}
        self.programs = {"empusa": servers.Empusa.command(setting)}
        if shutil.which("etcdctl"):
            self.programs["etcdctl"] = ["etcdctl", "--endpoints", f"http://127.0.0.1:{setting.etcd_port}"]
        self.results = report.Results(list(self.programs), METRICS)

    def measure(self, number):
        for program, command in self.programs.items():
            for kind, argv in self.argv[program].items():
                self.results.add(program, number, self.run(kind, [*command, *argv]))

    def run(self, kind, command):
        done = subprocess.run([self.times, str(RUNS), *command], check=False, capture_output=True, text=True,
                              timeout=120, env={**os.environ, "ETCDCTL_API": "3"},
                              preexec_fn=servers.prepare(self.setting.cpus))
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")
        runs = zip(*(map(float, line.split()) for line in done.stdout.splitlines()))
        wall_ms, cpu_ms, kb = map(statistics.median, runs)
        return {f"{kind}_ms": wall_ms, f"{kind}_cpu_ms": cpu_ms, f"{kind}_mb": kb * 1024 / 1e6}
