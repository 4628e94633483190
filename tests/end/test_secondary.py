"""BIND as a secondary, by the lines of the README."""

import json
import shutil
import time
import urllib.request

import pytest

import readme
from dns_client import Dns
from process import Process, free_port, on_free_ports, wait_until

REFRESH = 60  # the zone's SOA
NAMED = """
options {{
    directory "{directory}";
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    recursion no;
    pid-file none;
    session-keyfile none;
}};
controls {{ }};
statistics-channels {{ inet 127.0.0.1 port {statistics} allow {{ 127.0.0.1; }}; }};
"""


@on_free_ports
def start(directory, server_port, *without):
    """A BIND with the README's zone, without these lines; its port, and that of its statistics."""
    if not shutil.which("named"):
        pytest.skip("no named here")
    port, statistics = free_port(), free_port()
    lines = readme.block("As a secondary of a server").replace(f"{{ {readme.SERVER}; }}",
                                                               f"{{ 127.0.0.1 port {server_port}; }}")
    assert str(server_port) in lines
    for line in without:
        assert f"    {line};\n" in lines
        lines = lines.replace(f"    {line};\n", "")
    path = directory / "named.conf"
    path.write_text(NAMED.format(directory=directory, port=port, statistics=statistics) + lines)
    process = Process(["named", "-g", "-n", "1", "-c", path])
    process.port, process.statistics = port, statistics
    process.wait_line(" running$", 30)
    process.check()
    return process


def next_refresh(process):
    """Seconds until it asks for news."""
    with urllib.request.urlopen(f"http://127.0.0.1:{process.statistics}/json/v1/zones", timeout=10) as reply:
        views = json.load(reply)["views"]
    zone = next(zone for zone in views["_default"]["zones"] if zone["name"] == "empusa.internal")
    when = time.strptime(zone["refresh"], "%Y-%m-%dT%H:%M:%SZ")
    return time.mktime(when) - time.timezone - time.time()


@pytest.fixture
def primary(registry):
    registry.etcd.put_many((registry.service_key("crowd", f"member-{i}"), f"10.9.{i}.1:80") for i in range(150))
    registry.put("db", "one", "db_1:1")
    return registry.serve("--ns", "ns=127.0.0.1", "--allow-transfer", "127.0.0.1/32")


@pytest.mark.parametrize("without,soonest,latest", [
    ((), 0, REFRESH + 5), (("min-refresh-time 1", "min-retry-time 1"), 200, 305)])
def test_when_bind_asks_for_news(primary, tmp_path, without, soonest, latest):
    bind = start(tmp_path, primary.port, *without)
    try:
        dns = Dns(bind.port)
        wait_until(lambda: bind.find_line("sending notifies|transferred serial"), 30, "a transfer")
        wait_until(lambda: soonest < next_refresh(bind), what="its time to ask")
        assert next_refresh(bind) <= latest
        wait_until(lambda: len(dns.ask("_crowd._tcp", "SRV", tcp=True).data()) == 150)
        assert dns.data("_db._tcp", "SRV") == ["0 1 1 db_1.host.empusa.internal."]
    finally:
        bind.stop()


def test_bind_without_the_limit_lifted_takes_nothing(primary, tmp_path):
    bind = start(tmp_path, primary.port, "max-records-per-type 0")
    try:
        bind.wait_line("too many records", 30)
        assert Dns(bind.port).ask("_db._tcp", "SRV").rcode == 2
    finally:
        bind.stop()
