"""The zone as text and as a transfer: other programs read it, and read the same."""

import collections
import shutil
import subprocess

import dns.rdatatype
import dns.zone
import pytest

import readme
from process import PATIENCE
from server import run
from test_zone import HOSTS, fill_example

HAS_ZONE = "\n  zone " in run("--help").out
ODD = ["a.b", "a b", " a ", 'q"u"ote', "back\\slash", "\\", "\\000", "\\.", ".dot", "dot.", "..", "Étage 2. Büro",
       "日本", "semi;colon", "(paren)", "#", "#1", "@", "$ORIGIN", "*", "*.x", "'", "TTL", "IN", "3600", "a/b", "~",
       "tab\tx", "x" * 63, "x" * 70, "é" * 40]

pytestmark = pytest.mark.skipif(not HAS_ZONE, reason="this empusa has no zone")


@pytest.fixture(scope="module")
def full(module_registry):
    """The worked example and all that is hard to write down."""
    fill_example(module_registry)
    for i, name in enumerate(ODD):
        module_registry.put("odd", name, f"10.9.{i}.1:80")
    module_registry.put("odd", "json", r'{"location":"baz:1","protocol":"udp","priority":7,"weight":9,'
                                       r'"subtypes":["a.b c"],"txt":{"path":"a;b \"c\" \\ (d)","beta":true,"e":"","#":"é"}}')
    for path, value in (("odd/a.b", 'v;"\\ é\x01'), ("empty", ""), ("long", "x" * 700), ("#", "\\#"), ("@", "@")):
        module_registry.put_switch(path, value)
    return module_registry


@pytest.fixture(scope="module")
def text(full, tmp_path_factory):
    """A file with what `empusa zone` prints."""
    path = tmp_path_factory.mktemp("zone") / "empusa.internal"
    path.write_bytes(full.ok("zone", *HOSTS).out.encode("utf-8", "surrogateescape"))
    return path


def records(content):
    """{(owner, TTL, type, data)}, as dnspython reads a master file."""
    zone = dns.zone.from_text(content, "empusa.internal.", relativize=False)
    return {(owner.to_text(), ttl, dns.rdatatype.to_text(rdata.rdtype), rdata.to_text())
            for owner, ttl, rdata in zone.iterate_rdatas()}


def command(*argv):
    if not shutil.which(argv[0]):
        pytest.skip(f"no {argv[0]} here")
    return subprocess.run(list(map(str, argv)), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=30 * PATIENCE, check=False)


@pytest.mark.parametrize("program", [["named-checkzone", "-k", "fail", "-n", "fail", "-r", "fail", "empusa.internal"],
                                     ["kzonecheck", "-o", "empusa.internal"], ["nsd-checkzone", "empusa.internal"],
                                     ["ldns-read-zone", "-z"]], ids=lambda program: program[0])
def test_the_zone_loads(text, program):
    done = command(*program, text)
    assert done.returncode == 0, done.stderr + done.stdout[-2000:]


def test_bind_understands_the_zone_as_it_is_meant(text):
    """It writes down what it read; NSD's copy is in lower case, that of ldns has quotes bare in names."""
    done = command("named-compilezone", "-q", "-o", "-", "empusa.internal", text)
    assert done.returncode == 0, done.stderr
    assert records(done.stdout) == records(text.read_text(encoding="utf-8"))


@pytest.mark.parametrize("program", ["dig", "kdig"])
def test_a_transfer_brings_what_zone_prints(full, text, program):
    server = full.serve(*HOSTS, "--ns", "ns=127.0.0.1", "--ns", "ns=::1", "--allow-transfer", "127.0.0.1/32")
    done = command(program, "@127.0.0.1", "-p", server.port, "empusa.internal", "AXFR")
    # The SOA comes twice: a master file has it once.
    assert records(done.stdout) == records(text.read_text(encoding="utf-8"))
    assert done.stdout.count("\tSOA\t") == 2
    refused = full.serve(*HOSTS)
    assert "Transfer failed" in command("dig", "@127.0.0.1", "-p", refused.port, "empusa.internal", "AXFR").stdout


def test_an_odd_name_is_in_the_zone_as_the_server_says_it(full, text):
    server = full.serve(*HOSTS)
    shown = records(text.read_text(encoding="utf-8"))
    for kind in ("PTR", "SRV", "TXT"):
        assert {data for owner, _, of, data in shown if of == kind and owner == "_odd._tcp.empusa.internal."} == \
            set(server.dns.data("_odd._tcp", kind))


def warnings(registry, *args):
    result = registry.ok("zone", "--ns", "ns=127.0.0.1", *args)
    return result.out, [line for line in result.err.splitlines() if line.startswith("WARNING:root:")]


def as_primary(directory, text):
    """The README's lines about the zone as a file."""
    (directory / "empusa.internal.zone").write_text(text)
    lines = readme.block("With what `empusa zone` printed:")
    return f'options {{ directory "{directory}"; }};\n{lines}', lines


def loads(directory, config):
    path = directory / "named.conf"
    path.write_text(config)
    return command("named-checkconf", "-z", path).returncode == 0


@pytest.mark.parametrize("location,options,named", [
    ("db_1:5432", [], "db_1.host.empusa.internal."), ("db_1:5432", ["--host", "db_1=10.0.0.1"], "db_1.host.empusa.internal."),
    ("my_db.example.com:5432", [], "my_db.example.com."), ("db:1", ["--host-domain", "a_b.example"], "db.a_b.example."),
    ("10.1.2.3:1", ["--ns", "n_s=127.0.0.1"], "n_s.empusa.internal.")])
def test_hosts_that_bind_refuses_are_warned_of(registry, tmp_path, location, options, named):
    registry.put("db", "good", "db-1.example.com:1")
    registry.put("my_type", "my_name", "10.0.0.1:1")  # neither becomes a host
    text, said = warnings(registry)
    config, _ = as_primary(tmp_path, text)
    assert said == [] and loads(tmp_path, config.replace("    check-names ignore;\n", ""))
    registry.put("db", "one", location)
    text, said = warnings(registry, *options)
    assert len(said) == 1 and named in said[0] and "check-names ignore" in said[0]
    config, _ = as_primary(tmp_path, text)
    assert loads(tmp_path, config) and not loads(tmp_path, config.replace("    check-names ignore;\n", ""))


def test_large_sets_are_warned_of(registry, tmp_path):
    def fill(first, count):
        registry.etcd.put_many((registry.service_key("web", f"n{i}"), f"10.0.{i}.1:80") for i in range(first, first + count))
    fill(0, 100)
    assert warnings(registry)[1] == []
    fill(100, 1)
    registry.put("db", "one", "db_1:1")
    text, said = warnings(registry)
    assert len(said) == 2 and any("max-records-per-type 0" in line and ".empusa.internal." in line for line in said)
    sets = collections.Counter((owner, kind) for owner, _, kind, _ in records(text))
    large = [key for key, count in sets.items() if count > 100]
    assert any(f":{len(large)} sets" in line for line in said), (large, said)
    config, _ = as_primary(tmp_path, text)
    assert loads(tmp_path, config)
