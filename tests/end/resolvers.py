"""Resolvers in front of empusa, set up by the lines of the README, each on a loopback port.

Those that validate hold a trust anchor for "internal" that nothing fulfils (the signed root of the real DNS says that
there is no such domain), and name root servers that are not there: no question leaves the machine.
"""

import os
import shutil
import socket

import pytest

import readme
from dns_client import Dns
from process import Process, free_port, on_free_ports, wait_until

RD = 0x0100
DIGEST = "00" * 32
STARTED = r"start of service| running$|: started, version"  # of unbound, BIND and dnsmasq

UNBOUND = """
server:
    interface: 127.0.0.1@{port}
    username: ""
    chroot: ""
    directory: "{directory}"
    pidfile: ""
    use-syslog: no
    root-hints: "hints"
    trust-anchor: "internal. DS 12345 13 2 {digest}"
    module-config: "validator iterator"
    do-not-query-localhost: no
    use-caps-for-id: yes
    harden-below-nxdomain: yes
    qname-minimisation-strict: yes
remote-control:
    control-enable: no
"""
NAMED = """
    directory "{directory}";
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    pid-file none;
    session-keyfile none;
    max-cache-size 32m;
    dnssec-validation yes;
"""
NAMED_REST = """
controls {{ }};
trust-anchors {{ "internal." static-ds 12345 13 2 "{digest}"; }};
zone "." {{ type hint; file "hints"; }};
"""
DNSMASQ = """
port={port}
listen-address=127.0.0.1
bind-interfaces
no-resolv
no-hosts
pid-file=
stop-dns-rebind
"""


class Resolver(Process):
    """A running one; `prefix` runs it elsewhere, where nobody waits for its port."""

    def __init__(self, argv, port, prefix=()):
        if not shutil.which(argv[0]):
            pytest.skip(f"no {argv[0]} here")
        super().__init__([*prefix, *argv])
        self.port, self.client = port, Dns(port)
        if not prefix:
            self.wait_line(STARTED)  # what answers on its port may be somebody else
            wait_until(self._is_up, what=argv[0])

    def _is_up(self):
        self.check()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def ask(self, name, kind, tcp=False):
        return self.client.ask(name, kind, tcp=tcp, edns=1232, flags=RD)

    def data(self, name, kind):
        """The data of the answer as sorted text, over TCP where UDP does not hold it."""
        reply = self.ask(name, kind)
        if reply.is_truncated:
            reply = self.ask(name, kind, tcp=True)
        assert reply.rcode in (0, 3), reply.message
        return reply.data()


def _settings(directory, port):
    (directory / "hints").write_text(". 3600 NS a.\na. 3600 A 127.0.0.1\n")
    return {"directory": directory, "port": port, "digest": DIGEST}


@on_free_ports
def start_unbound(directory, server_port, *changes):
    """`changes`: (a line of the README, what stands there instead)."""
    port = free_port()
    path = directory / "unbound.conf"
    lines = readme.moved(readme.block("unbound,"), server_port, "@")
    for before, after in changes:
        assert lines.count(before) == 1, (before, lines)
        lines = lines.replace(before, after)
    path.write_text(UNBOUND.format(**_settings(directory, port)) + lines)
    return Resolver(["unbound", "-d", "-c", path], port)


def _named(directory, lines, port, prefix=(), without=""):
    settings = _settings(directory, port)
    path = directory / "named.conf"
    assert lines.count("options {\n") == 1
    ours = NAMED.format(**settings)
    assert without in ours
    path.write_text(lines.replace("options {\n", "options {" + ours.replace(without, "")) +
                    NAMED_REST.format(**settings))
    return Resolver(["named", "-g", "-n", "1", "-c", path], port, prefix)


@on_free_ports
def start_named(directory, server_port):
    """With `forward`, which knows ports."""
    lines = readme.block("BIND 9.18.28 or later")
    kind = "    type static-stub;\n    server-addresses { 10.0.0.7; };\n"
    assert kind in lines
    forward = readme.inline("type forward;").replace(f"{readme.SERVER} port 5300", f"127.0.0.1 port {server_port}")
    assert str(server_port) in forward
    return _named(directory, lines.replace(kind, forward), free_port())


def start_named_static_stub(directory, prefix):
    """As the README has it, where there is a server at its address."""
    return _named(directory, readme.block("BIND 9.18.28 or later"), 5302, prefix)


def start_named_on_port_53(directory, prefix, shares=True):
    """On all addresses of the machine but the one that the README leaves to empusa."""
    line = readme.inline("listen-on { !")
    assert readme.SERVER in line
    lines = readme.block("BIND 9.18.28 or later").replace("options {\n", "options {\n    %s\n" % (line if shares else ""))
    return _named(directory, lines, 53, prefix, "    listen-on port 53 { 127.0.0.1; };\n")


@on_free_ports
def start_dnsmasq(directory, server_port):
    port = free_port()
    path = directory / "dnsmasq.conf"
    path.write_text(DNSMASQ.format(port=port) + readme.moved(readme.block("dnsmasq:"), server_port, "#"))
    user = ["--user=root"] if os.getuid() == 0 else []
    return Resolver(["dnsmasq", "--keep-in-foreground", "--log-facility=-", f"--conf-file={path}", *user], port)


START = {"unbound": start_unbound, "BIND": start_named, "dnsmasq": start_dnsmasq}
