"""The benchmark itself, as short as it can be: it runs against this build, and its results have their shape."""

import json
import os
import subprocess
import sys

import pytest

from process import PATIENCE
from server import BINARY

pytestmark = pytest.mark.once

BENCH = os.path.join(os.path.dirname(__file__), "..", "bench", "bench.py")
BUILD = os.path.dirname(os.path.abspath(BINARY))
LATENCY = ["p99_us", "max_us", "lost"]


def bench(*arguments):
    done = subprocess.run([sys.executable, "-B", BENCH, "--build", BUILD, *arguments], capture_output=True, text=True,
                          timeout=120 * PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def measured(directory, steps, *arguments):
    """(what was printed, the results) of one short round."""
    path = directory / "results.json"
    printed = bench("--only", steps, "--rounds", "1", "--seconds", "0.2", "--samples", "5", "--json", str(path),
                    *arguments)
    return printed, json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    directory = tmp_path_factory.mktemp("bench")
    chart = directory / "chart.svg"
    printed, results = measured(directory, "udp,rate,tcp,load,changes,burst,cli", "--svg", str(chart))
    return printed, results, chart.read_text(encoding="utf-8"), directory / "results.json"


def has_figures(figures, names):
    assert set(names) <= set(figures)
    assert all(figures[name] >= 0 for name in names)


@pytest.mark.parametrize("server", ["empusa", "echo", "nsd", "knot"])
def test_every_server_is_measured_over_udp_and_tcp(live, server):
    has_figures(live[1]["servers"][server]["median"], [
        *(f"{mode}_{figure}" for mode in ("udp", "pipelined", "roundtrip")
          for figure in ("qps", "cpu_us", "user_us", "system_us", "load_us")),
        *(f"rate_{figure}" for figure in ["cpu_us", "p50_us", "p999_us", *LATENCY])])


def test_a_ratio_says_how_many_times_the_peers_value_ours_is(live):
    servers = live[1]["servers"]
    ours, peers = (servers[name]["median"]["udp_qps"] for name in ("empusa", "nsd"))
    assert servers["nsd"]["ratio"]["udp_qps"] == pytest.approx(ours / peers)
    assert servers["empusa"]["ratio"] == {}


def test_loading_is_compared_with_curl(live):
    figures = live[1]["servers"]["empusa"]["median"]
    has_figures(figures, ["load_s", "curl_s", "load_ratio", "pss_mb"])
    assert figures["load_ratio"] == pytest.approx(figures["load_s"] / figures["curl_s"])


def test_changes_and_bursts_are_timed_while_queries_go_on(live):
    has_figures(live[1]["servers"]["empusa"]["median"], [
        "ack_p50_ms", "put_p99_ms", "changes_per_s", *(f"changes_{figure}" for figure in LATENCY),
        *(f"{verb}_{pace}_{figure}" for verb in ("arrive", "leave") for pace in ("fast", "slow")
          for figure in [*LATENCY, "s", "late_ms"])])


def test_the_command_line_is_compared_with_etcdctl(live):
    for program in ("empusa", "etcdctl"):
        has_figures(live[1]["commands"][program]["median"],
                    [f"{kind}_{unit}" for kind in ("get", "list", "register") for unit in ("ms", "cpu_ms", "mb")])


def test_results_say_where_they_come_from(live):
    results = live[1]
    assert results["dataset"]["instances"] == 1000
    assert results["command"].startswith("run.sh --build")
    assert {"cpu", "cores", "kernel", "date", "commit", "etcd"} <= set(results["machine"])
    assert set(results["versions"]) == {"empusa", "nsd", "knot"}
    assert len(results["each_round"]["servers"]["empusa"]) == 1


def test_tables_and_the_chart_show_the_servers(live):
    printed, _, chart, path = live
    assert "| empusa / echo | empusa / nsd | empusa / knot |" in printed
    assert "x echo: " in printed
    assert chart.startswith("<svg ") and all(name in chart for name in ("empusa", "echo", "NSD", "Knot"))
    assert "| UDP: CPU s per million answers " in bench("--table", str(path))


def test_answers_and_changes_are_measured_alone(tmp_path):
    with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as cache:
        if "EMPUSA_SANITIZE:STRING=\n" not in cache.read():
            pytest.skip("valgrind cannot run what a sanitizer is in")
    micro = measured(tmp_path, "micro")[1]["micro"]
    for kind in ("srv", "txt", "a", "ptr", "type-srv", "missing", "mix", "change", "change-128"):
        has_figures(micro[kind], ["ns", "instructions"])
    assert micro["fill"]["octets"] > 0
