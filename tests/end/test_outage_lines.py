"""What the log says of an outage: that contact is lost and why, and that it stands again and after how long; nothing of
the tries in between."""

import re
import signal
import time

import pytest

from etcd import Etcd
from process import PATIENCE, wait_until
from relay import Relay
from test_hardening import enable_users
from test_status_http import Pages

KEEP = ("service", "register", "--service-type", "t", "--service-name", "n", "--service-location", "10.0.0.1:80", "--ttl", "60",
        "--refresh-every", "1")
LOST = r"WARNING:root:no contact with etcd, trying again: .*; .*See --etcd-endpoint \(answering what is known\)"
AGAIN = r"INFO:root:contact with etcd again after (\d+\.\d) s: http://127\.0\.0\.1:\d+"
SHORT = r"WARNING:root:contact with etcd again after \d+\.\d s: http://127\.0\.0\.1:\d+ \(it was lost: .+\)"
KEEPER_LOST = r"WARNING:root:service n \(t\): .*; .*See --etcd-endpoint \(trying again\)"
KEEPER_AGAIN = r"INFO:root:etcd answers again after (\d+\.\d) s: http://127\.0\.0\.1:\d+"


@pytest.fixture
def link(own_etcd):
    made = Relay(own_etcd.members[0].port)
    yield made
    made.stop()


@pytest.fixture
def status(link, own_registry):  # in this order, as a keeper that ends needs the link
    own_registry.put("u", "last", "10.0.0.2:80")  # by which the store is known again, and need not be loaded
    return Pages(own_registry, endpoints=link.endpoint)


def assert_lines(lines, *patterns):
    assert len(lines) == len(patterns) and all(map(re.fullmatch, patterns, lines)), "\n".join(lines)


def said_s(line, pattern):
    return float(re.fullmatch(pattern, line).group(1))


@pytest.mark.parametrize("fault,tries", [("cut", 10), ("hang", 2)])
def test_an_outage_of_many_tries_is_two_lines(link, own_registry, status, fault, tries):
    keeper = own_registry.start(*KEEP, env={"EMPUSA_ETCD_ENDPOINT": link.endpoint})
    keeper.wait_line("registered$")
    server, failures = status.server, f'etcd_failures_total{{member="{link.endpoint}"}}'
    began, before, kept = time.monotonic(), len(server.said()), len(keeper.err)
    getattr(link, fault)()
    wait_until(lambda: status.metrics()[failures] >= tries, 60)
    keeper.wait_line("trying again", 30)
    assert_lines(server.err[before:], LOST)
    link.heal()
    lasted = [said_s(server.wait_line(AGAIN), AGAIN), said_s(keeper.wait_line(KEEPER_AGAIN), KEEPER_AGAIN)]
    took = time.monotonic() - began
    assert all(took / 3 - 1 < number < took + 2 * PATIENCE for number in lasted), (lasted, took)
    assert_lines(server.said()[before:-1], LOST, AGAIN)  # the last one is the summary
    assert_lines(keeper.err[kept:], KEEPER_LOST, KEEPER_AGAIN)


def test_one_that_comes_and_goes_has_no_more_lines_than_changes(link, status):
    server = status.server
    before = len(server.said())
    for i in range(1, 7):
        link.cut()
        wait_until(lambda: status.get("/readyz")[1] == "stale\n")
        link.heal()
        wait_until(lambda: sum("contact with etcd again" in line for line in server.err[before:]) == i)
    lines = server.said()[before:-1]
    assert sum(bool(re.fullmatch(f"{AGAIN}|{SHORT}", line)) for line in lines) == 6, lines
    assert all(re.fullmatch(f"{LOST}|{AGAIN}|{SHORT}", line) for line in lines), lines
    assert sum(bool(re.fullmatch(LOST, line)) for line in lines) == sum(bool(re.fullmatch(AGAIN, line)) for line in lines), lines


def test_a_wrong_password_is_one_line_that_names_its_option(bind_registry, tmp_path):
    etcd = Etcd()
    try:
        enable_users(etcd, "empusa", "right")
        registry = bind_registry(etcd, EMPUSA_ETCD_USER="empusa", EMPUSA_ETCD_PASSWORD_FILE=str(tmp_path / "password"))
        (tmp_path / "password").write_text("wrong")
        (tmp_path / "password").chmod(0o600)
        server = registry.serve_unready()
        server.wait_line("no contact")
        time.sleep(5)  # of which it tries again every second
        refused = r"WARNING:root:no contact .*--etcd-password-file .*\(queries fail until it is there\)"
        assert_lines(list(server.err), refused)
        (tmp_path / "password").write_text("right")
        server.send(signal.SIGHUP)
        server.wait_line(AGAIN, 30)
        rest = [line for line in server.err[1:] if not re.match("INFO:root:(serving|secrets and certificates) ", line)]
        assert_lines(rest, AGAIN)
        registry.stop()
    finally:
        etcd.stop()


def test_a_name_that_dns_does_not_know_is_one_line(registry):
    where = "no-such-host.invalid:2379"
    server = registry.serve_unready(endpoints=where)
    keeper = registry.start(*KEEP, env={"EMPUSA_ETCD_ENDPOINT": where})
    keeper.wait_line("cannot look up", 30)
    server.wait_line("cannot look up", 30)
    time.sleep(5)
    unknown = r"WARNING:root:.*cannot look up no-such-host\.invalid: .*; see /etc/resolv\.conf, and --etcd-endpoint .*"
    assert_lines(list(server.err), unknown)
    assert_lines(list(keeper.err), unknown)
