"""On port 53, in a network namespace where the server has the README's address."""

import json
import os
import shlex
import shutil
import subprocess
import types

import pytest

import namespace
import readme
import resolved
import resolvers
from process import temporary_directory, wait_until
from server import BINARY
from test_zone import HOSTS, example_sets, fill_example

ODD = 'Étage 2. Büro "A\\B/ c'
DIG = ["dig", "+short", "+tries=1", "+timeout=5"]
RESOLV = f"nameserver {readme.SERVER}\noptions timeout:2 attempts:1\n"

pytestmark = pytest.mark.skipif(not namespace.is_possible(), reason="no network namespaces here")


@pytest.fixture(scope="module")
def place(module_registry, tmp_path_factory):
    """A namespace with a server at the README's address; glibc there asks it."""
    fill_example(module_registry)
    module_registry.put("web", ODD, "10.1.2.9:80")
    with open("/etc/passwd", encoding="utf-8") as file:
        passwd = file.read()
    with open("/etc/group", encoding="utf-8") as file:
        group = file.read()
    files = {"/etc/resolv.conf": RESOLV, "/etc/hosts": "127.0.0.1 localhost\n",
             "/etc/nsswitch.conf": "hosts: files dns\n",
             "/etc/passwd": resolved.USER + passwd, "/etc/group": "systemd-resolve:x:0:\n" + group}
    files = {path: text for path, text in files.items() if os.path.exists(path)}
    inside = namespace.Namespace(tmp_path_factory.mktemp("place"), module_registry.etcd.members[0].port, files)
    env = {**module_registry.env, "EMPUSA_ETCD_ENDPOINT": inside.etcd_endpoint}
    server = inside.start(BINARY, "serve", "--listen", readme.SERVER, "--no-resolve-hosts", *HOSTS, env=env)
    server.wait_line("^INFO:root:serving ")
    yield types.SimpleNamespace(inside=inside, env=env, server=server, registry=module_registry)
    status = server.stop()
    inside.close()
    assert status == 0


def test_the_port_is_53_if_left_out(place):
    assert place.server.find_line(rf"serving empusa\.internal on {readme.SERVER}:53: ")
    assert place.inside.run(*DIG, f"@{readme.SERVER}", "super-cool-feature.features.switch.empusa.internal",
                            "TXT") == '"enabled"\n'


def test_bind_finds_it_by_a_static_stub(place, tmp_path):
    bind = resolvers.start_named_static_stub(tmp_path, place.inside.enter)
    try:
        def ask(name, kind):
            return place.inside.run(*DIG, "@127.0.0.1", "-p", bind.port, f"{name}.empusa.internal".lstrip("."), kind)
        wait_until(lambda: ask("", "NS") == "ns.empusa.internal.\n", what="an answer through BIND")
        for name, kind in (("_dummy-type._tcp", "SRV"), ("_dummy-type._tcp", "PTR"), ("dummy-type.service", "AAAA")):
            assert sorted(ask(name, kind).splitlines()) == sorted(example_sets()[name, kind][0])
    finally:
        bind.stop()


@pytest.mark.parametrize("shares", [True, False])
def test_bind_shares_port_53_of_the_machine(place, tmp_path, shares):
    """It leaves alone the address that empusa has; told nothing, it takes a part of empusa's questions."""
    def ask(server, *more):
        return place.inside.run(*DIG[:1], "+tries=1", "+timeout=5", f"@{server}", "_dummy-type._tcp.empusa.internal", "SRV",
                                *more)
    bind = resolvers.start_named_on_port_53(tmp_path, place.inside.enter, shares)
    try:
        wait_until(lambda: "status: " in ask("127.0.0.1"), what="an answer of BIND")
        if not shares:
            wait_until(lambda: " aa " not in ask(readme.SERVER), what="an answer that is BIND's")
        else:
            assert all(" aa " in ask(readme.SERVER) for _ in range(40))
            assert len(ask("127.0.0.1", "+short").splitlines()) == 3
    finally:
        bind.stop()


# glibc

@pytest.mark.parametrize("database,name,addresses", [
    ("ahosts", "dummy-type.service.empusa.internal", {"10.1.2.3", "10.9.8.7", "fd00::1"}),
    ("ahostsv4", "dummy-type.service.empusa.internal", {"10.1.2.3", "10.9.8.7"}),
    ("ahostsv6", "dummy-service-3.dummy-type.service.empusa.internal", {"fd00::1"}),
    ("hosts", "baz.host.empusa.internal", {"10.9.8.7"}),
    ("ahosts", "dummy-service-2.dummy-type.service.empusa.internal.", {"10.1.2.3"}),
    ("ahosts", "nosuch.service.empusa.internal", set())])
def test_glibc_finds_the_host_view(place, database, name, addresses):
    lines = place.inside.run("getent", database, name).splitlines()
    assert {line.split()[0] for line in lines} == addresses


# systemd-resolved

@pytest.fixture(scope="module")
def resolvectl(place, request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("resolved")
    root = resolved.installed_at(directory, request.config.getoption("--long"))
    if not root or not shutil.which("dbus-daemon"):
        pytest.skip("no systemd-resolved here, or no dbus-daemon; --long downloads the former")
    started = resolved.Resolved(place.inside, root, directory)
    yield started
    started.stop()


def test_resolvectl_browses_and_reads_switches_and_hosts(resolvectl):
    where = "_dummy-type._tcp.empusa.internal"
    assert sorted(resolvectl("query", "--type=PTR", where)) == [
        f"{where} IN PTR dummy-service-{i}.{where}" for i in (1, 2, 3)]
    assert resolvectl("query", "--type=TXT", "super-cool-feature.features.switch.empusa.internal") == [
        'super-cool-feature.features.switch.empusa.internal IN TXT "enabled"']
    assert {line.split()[-1] for line in resolvectl("query", "dummy-type.service.empusa.internal")} == {
        "10.1.2.3", "10.9.8.7", "fd00::1"}
    assert resolvectl("query", "nosuch.empusa.internal") == []


@pytest.fixture
def resolvectl_service(resolvectl):
    """It looks the targets up on the link that the SRV came by, and there only."""
    for line in readme.block("`resolvectl service` ").replace("eth0", "here").splitlines():
        command, *arguments = shlex.split(line)
        assert command == "resolvectl"
        resolvectl(*arguments)
    yield lambda *arguments: resolvectl("service", *arguments)
    resolvectl("revert", "here")


def test_resolvectl_finds_a_type_with_its_addresses(resolvectl_service):
    lines = resolvectl_service("_dummy-type._tcp", "empusa.internal")
    for wanted in ("10-1-2-3.addr.empusa.internal:80 [priority=0, weight=1]", "10.1.2.3",
                   "fd00-0-0-0-0-0-0-1.addr.empusa.internal:8080 [priority=0, weight=1]", "fd00::1",
                   "baz.host.empusa.internal:1235 [priority=0, weight=1]", "10.9.8.7", "name=dummy-service-3"):
        assert any(line.endswith(wanted) for line in lines), (wanted, lines)


def test_resolvectl_finds_an_instance_with_an_odd_name(resolvectl_service):
    lines = resolvectl_service(ODD, "_web._tcp", "empusa.internal")
    assert lines[0].endswith("10-1-2-9.addr.empusa.internal:80 [priority=0, weight=1]") and lines[1] == "10.1.2.9"


# Prometheus

PROMETHEUS = """
scrape_configs:
  - job_name: web
    dns_sd_configs:
      - names: [_dummy-type._tcp.empusa.internal]
        refresh_interval: 1s
  - job_name: addresses
    dns_sd_configs:
      - names: [dummy-type.service.empusa.internal]
        type: A
        port: 80
        refresh_interval: 1s
"""


@pytest.mark.skipif(not shutil.which("prometheus"), reason="no prometheus here")
def test_prometheus_finds_its_targets(place, tmp_path):
    (tmp_path / "prometheus.yml").write_text(PROMETHEUS)
    process = place.inside.start("prometheus", f"--config.file={tmp_path}/prometheus.yml",
                                 f"--storage.tsdb.path={tmp_path}/data", "--web.listen-address=127.0.0.1:9090")

    def targets():
        shown = place.inside.run("curl", "-sf", "http://127.0.0.1:9090/api/v1/targets")
        active = json.loads(shown)["data"]["activeTargets"] if shown else []
        return {(target["labels"]["job"], target["discoveredLabels"]["__address__"]) for target in active}
    try:
        wait_until(lambda: targets() == {
            ("web", "baz.host.empusa.internal:1235"), ("web", "10-1-2-3.addr.empusa.internal:80"),
            ("web", "fd00-0-0-0-0-0-0-1.addr.empusa.internal:8080"),
            ("addresses", "10.1.2.3:80"), ("addresses", "10.9.8.7:80")}, what="five targets")
    finally:
        process.stop()


# privileges

@pytest.fixture
def public_binary():
    """A copy that every user may run."""
    if os.getuid() != 0:
        pytest.skip("needs root, to become another user")
    directory = temporary_directory()
    os.chmod(directory, 0o755)
    yield shutil.copy(BINARY, directory)
    shutil.rmtree(directory)


def status_of(process):
    """/proc/PID/status as {field: words}."""
    with open(f"/proc/{process.pid}/status", encoding="ascii", errors="replace") as file:
        return {line.split(":")[0]: line.split(":", 1)[1].split() for line in file}


def serves(place, command, address, *options):
    """What a server that was started so is like once it answers; it must end well."""
    process = place.inside.start(*command, "serve", "--listen", address, "--no-resolve-hosts", *options, env=place.env)
    try:
        process.wait_line(rf"^INFO:root:serving .* on {address}:53: ")
        for transport in ("+notcp", "+tcp"):
            shown = place.inside.run(*DIG, transport, f"@{address}", "10-1-2-3.addr.empusa.internal", "A")
            assert shown == "10.1.2.3\n"
        return status_of(process)
    finally:
        assert process.stop() == 0


def test_root_becomes_another_user_once_the_ports_are_bound(place, public_binary):
    status = serves(place, [public_binary], "127.0.0.2", "--user", "nobody")
    group = subprocess.run(["id", "-g", "nobody"], capture_output=True, text=True, check=True).stdout.strip()
    groups = subprocess.run(["id", "-G", "nobody"], capture_output=True, text=True, check=True).stdout.split()
    assert set(status["Uid"]) == {"65534"} and set(status["Gid"]) == {group}
    assert set(status["Groups"]) <= set(groups)
    assert {status[kind][0] for kind in ("CapPrm", "CapEff", "CapInh", "CapAmb")} == {"0" * 16}


def test_the_right_to_low_ports_suffices(place, public_binary):
    become = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs"]
    right = ["--inh-caps", "-all,+net_bind_service", "--ambient-caps", "+net_bind_service",
             "--bounding-set", "-all,+net_bind_service"]
    status = serves(place, [*become, *right, public_binary], "127.0.0.3")
    assert set(status["Uid"]) == {"65534"} and int(status["CapPrm"][0], 16) == 1 << 10
    refused = place.inside.start(*become, public_binary, "serve", "--listen", "127.0.0.4", env=place.env)
    status = refused.wait()
    said = [line for line in refused.err if not line.startswith("profiling:")]  # a build that measures coverage
    assert status == 1 and len(said) == 1 and "127.0.0.4:53" in said[0]
