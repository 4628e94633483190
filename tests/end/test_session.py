"""The command line: the documented session word for word, formats, messages, exit codes."""

import json
import os
import subprocess
import unicodedata

import pytest

from process import Process, free_port
from server import BINARY, cells, clean_environment, run

SERVICE_TABLE = """\
+----------------------------+------------+-------+
| Service                    | Location   | TTL   |
|----------------------------+------------+-------|
| dummy-type/dummy-service-1 | baz:1235   |       |
+----------------------------+------------+-------+
"""
EMPTY_SERVICE_TABLE = """\
+-----------+------------+-------+
| Service   | Location   | TTL   |
|-----------+------------+-------|
+-----------+------------+-------+
"""
SWITCH_TABLE = """\
+-----------------------------+---------+-------+
| Switch                      | Value   | TTL   |
|-----------------------------+---------+-------|
| features/super-cool-feature | enabled |       |
+-----------------------------+---------+-------+
"""
DUMMY = ("--service-type", "dummy-type", "--service-name", "dummy-service-1")
FEATURE = "features/super-cool-feature"


def session(registry, root):
    """The manual's session, each line with its exact standard output and standard error."""
    steps = [
        (("service", "register", *DUMMY, "--service-location", "baz:1235"), {},
         "", "INFO:root:service dummy-service-1 (dummy-type) registered\n"),
        (("service", "register"),
         {"EMPUSA_SERVICE_TYPE": "type-of-service", "EMPUSA_SERVICE_NAME": "name-of-the-service-instance",
          "EMPUSA_SERVICE_LOCATION": "baz:1235"},
         "", "INFO:root:service name-of-the-service-instance (type-of-service) registered\n"),
        (("service", "list", "--service-type", "dummy-type"), {}, SERVICE_TABLE, ""),
        (("service", "list", "--service-type", "dummy-type", "--format", "json"), {},
         [{"service": f"{root}/service/dummy-type/dummy-service-1", "location": "baz:1235", "ttl": None}], ""),
        (("service", "unregister", *DUMMY), {},
         "", "INFO:root:service dummy-service-1 (dummy-type) unregistered\n"),
        (("service", "list", "--service-type", "dummy-type"), {}, EMPTY_SERVICE_TABLE, ""),
        (("service", "unregister", *DUMMY), {},
         "", "INFO:root:service dummy-service-1 (dummy-type) already unregistered\n"),
        (("switch", "set", FEATURE, "enabled"), {}, "", f"INFO:root:switch {FEATURE} set to enabled\n"),
        (("switch", "list"), {}, SWITCH_TABLE, ""),
        (("switch", "list", "--format", "json"), {},
         [{"switch": f"{root}/switch/{FEATURE}", "value": "enabled", "ttl": None}], ""),
        (("switch", "get", FEATURE), {}, "enabled\n", ""),
        (("switch", "toggle", FEATURE), {}, "", f"INFO:root:switch {FEATURE} set to no\n"),
        (("switch", "toggle", FEATURE), {}, "", f"INFO:root:switch {FEATURE} set to yes\n"),
    ]
    for args, env, out, err in steps:
        result = registry.ok(*args, env=env)
        if isinstance(out, list):
            assert json.loads(result.out) == out, result
        else:
            assert result.out == out, result
        assert result.err == err, result


def test_the_documented_session_runs_word_for_word(bind_registry, own_etcd):
    registry = bind_registry(own_etcd)
    registry.root = registry.env["EMPUSA_TREE_ROOT"] = "/foo"
    session(registry, "/foo")


def test_options_win_over_variables(registry):
    env = {"EMPUSA_TREE_ROOT": "/nowhere", "EMPUSA_ETCD_ENDPOINT": "127.0.0.1:1", "EMPUSA_SERVICE_TYPE": "wrong"}
    registry.ok("--etcd-endpoint", registry.etcd.endpoints, "--tree-root", registry.root, "service", "register",
                "--service-type", "t", "--service-name", "n", "--service-location", "h:1", env=env)
    assert registry.service("t", "n").value == b"h:1"


@pytest.mark.parametrize("spelling", ["{}", "{}/", "//{}//", "{}"])
def test_a_root_has_many_spellings(registry, spelling):
    registry.register("t", "n", "h:1")
    plain = registry.root.lstrip("/")
    result = registry.ok("--tree-root", spelling.format(plain), "service", "list", "--format", "json")
    assert [row["service"] for row in json.loads(result.out)] == [f"{registry.root}/service/t/n"]


def test_the_root_slash_alone_is_the_empty_root(own_etcd, bind_registry):
    registry = bind_registry(own_etcd)
    registry.ok("--tree-root", "/", "service", "register", "--service-type", "t", "--service-name", "n",
                "--service-location", "h:1")
    assert own_etcd.get("/service/t/n").value == b"h:1"
    rows = json.loads(registry.ok("--tree-root", "/", "service", "list", "--format", "json").out)
    assert rows == [{"service": "/service/t/n", "location": "h:1", "ttl": None}]


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:{port}", "localhost:{port}", "http://localhost:{port}"])
def test_an_endpoint_may_have_a_scheme_which_overrides_the_protocol(registry, endpoint):
    text = endpoint.format(port=registry.etcd.members[0].port)
    protocol = ("--etcd-protocol", "https") if "//" in text else ()
    registry.ok("--etcd-endpoint", text, *protocol, "service", "list")


def test_lists_are_sorted_and_show_every_type(registry):
    for kind, name in [("web", "b"), ("db", "z"), ("web", "a"), ("db", "a"), ("Web", "x")]:
        registry.register(kind, name, "h:1")
    table = cells(registry.ok("service", "list").out)
    assert table[0] == ["Service", "Location", "TTL"]
    assert [row[0] for row in table[1:]] == ["Web/x", "db/a", "db/z", "web/a", "web/b"]
    rows = json.loads(registry.ok("service", "list", "--format", "json").out)
    assert [row["service"].removeprefix(registry.root) for row in rows] == [
        "/service/Web/x", "/service/db/a", "/service/db/z", "/service/web/a", "/service/web/b"]
    assert [row[0] for row in cells(registry.ok("service", "list", "--service-type", "web").out)[1:]] == [
        "web/a", "web/b"]


def test_empty_lists_are_a_header_and_an_empty_array(registry):
    assert registry.ok("service", "list").out == EMPTY_SERVICE_TABLE
    assert json.loads(registry.ok("service", "list", "--format", "json").out) == []
    assert cells(registry.ok("switch", "list").out) == [["Switch", "Value", "TTL"]]
    assert json.loads(registry.ok("switch", "list", "--format", "json").out) == []


def test_a_ttl_is_shown_as_seconds_left(registry):
    registry.register("t", "n", "h:1", "--ttl", "300")
    registry.register("t", "o", "h:1")
    registry.ok("switch", "set", "s", "v", "--ttl", "300")
    rows = json.loads(registry.ok("service", "list", "--format", "json").out)
    assert 0 < rows[0]["ttl"] <= 300 and rows[1]["ttl"] is None
    table = cells(registry.ok("service", "list").out)
    assert 0 < int(table[1][2]) <= 300 and table[2][2] == ""
    assert 0 < json.loads(registry.ok("switch", "list", "--format", "json").out)[0]["ttl"] <= 300
    assert 0 < int(cells(registry.ok("switch", "list").out)[1][2]) <= 300


def test_json_has_further_members_only_where_an_entry_has_them(registry):
    entry = {"location": "h:1", "protocol": "udp", "priority": 10, "weight": 5,
             "txt": {"path": "/", "beta": True}, "subtypes": ["printer"], "state": "draining"}
    registry.put("t", "full", json.dumps(entry))
    registry.put("t", "plain", "h:1")
    full, plain = json.loads(registry.ok("service", "list", "--format", "json").out)
    assert set(plain) == {"service", "location", "ttl"}
    assert {key: full[key] for key in entry} == entry


@pytest.mark.parametrize("fill", [0, 5, 2000])
def test_json_is_valid_at_any_size(registry, fill):
    registry.etcd.put_many((registry.service_key("t", f'n"{i:05}\\'), "h:1") for i in range(fill))
    rows = json.loads(registry.ok("service", "list", "--format", "json").out)
    assert [row["service"] for row in rows] == [f'{registry.root}/service/t/n"{i:05}\\' for i in range(fill)]


def test_what_another_tool_spoilt_does_not_spoil_a_list(registry):
    registry.put("t", "bad", b"\xff\x00{")
    registry.put("t", b"\xff\xfe", "h:1")
    registry.put("t", "good", "h:1")
    assert "t/good" in registry.ok("service", "list").out
    out = registry.ok("service", "list", "--format", "json").out
    json.loads(out)
    assert f"{registry.root}/service/t/good" in out


# switches

TRUE = ["yes", "true", "y", "on", "1", "enabled", "YES", " On ", "Enabled"]
FALSE = ["no", "false", "n", "off", "0", "disabled", "No", "  OFF", "Disabled "]


@pytest.mark.parametrize("value,toggled", [(value, "no") for value in TRUE] + [(value, "yes") for value in FALSE])
def test_toggle_turns_an_enabled_one_into_no_and_a_disabled_one_into_yes(registry, value, toggled):
    registry.put_switch("a/s", value)
    assert registry.ok("switch", "toggle", "a/s").err == f"INFO:root:switch a/s set to {toggled}\n"
    assert registry.ok("switch", "get", "a/s").out == f"{toggled}\n"


@pytest.mark.parametrize("value", ["maybe", "", "2", "yes please", "tru"])
def test_toggle_refuses_another_value(registry, value):
    registry.put_switch("s", value)
    line = registry("switch", "toggle", "s").error_line()
    assert line.startswith("ERROR:root:") and line.endswith("does not have boolean value") and " s " in line
    assert registry.etcd.get(registry.key("switch", "s")).value == value.encode()


def test_toggle_of_a_missing_one_is_an_error(registry):
    assert registry("switch", "toggle", "s").error_line() == "ERROR:root:switch s not set"


def test_of_toggles_at_once_each_counts_or_says_it_lost(registry):
    registry.ok("switch", "set", "s", "yes")
    processes = [registry.start("switch", "toggle", "s") for _ in range(8)]
    assert [process.wait() for process in processes] == [0] * 8
    said = sorted(line for process in processes for line in process.err)
    won = [line for line in said if line.startswith("INFO:root:switch s set to ")]
    assert len(said) == 8 and said[len(won):] == ["WARNING:root:switch s already toggled"] * (8 - len(won))
    assert len(won) >= 1
    assert registry.ok("switch", "get", "s").out == ("no\n" if len(won) % 2 else "yes\n")


def test_toggle_keeps_the_lease(registry):
    registry.ok("switch", "set", "s", "yes", "--ttl", "300")
    lease = registry.etcd.get(registry.key("switch", "s")).lease
    registry.ok("switch", "toggle", "s")
    assert lease and registry.etcd.get(registry.key("switch", "s")).lease == lease


def test_get_of_a_missing_one_says_so_on_standard_error(registry):
    result = registry("switch", "get", "a/s")
    assert (result.status, result.out, result.err) == (1, "", 'No such switch "a/s"\n')


@pytest.mark.parametrize("value", ["", "v", "two words", "žluť", "-1", "--ttl", '{"a": 1}', "a\nb"])
def test_a_switch_holds_any_value(registry, value):
    registry.ok("switch", "set", "s", "--", value) if value.startswith("-") else registry.ok(
        "switch", "set", "s", value)
    assert registry.etcd.get(registry.key("switch", "s")).value == value.encode()
    assert registry.ok("switch", "get", "s").out == value + "\n"


def test_remove_removes(registry):
    registry.ok("switch", "set", "a/b", "v")
    registry.ok("switch", "set", "a", "v")
    registry.ok("switch", "remove", "a/b")
    assert registry.etcd.get(registry.key("switch", "a/b")) is None
    assert [row[0] for row in cells(registry.ok("switch", "list").out)[1:]] == ["a"]


def test_removing_a_missing_switch_changes_nothing(registry):
    revision = registry.etcd.revision()
    result = registry("switch", "remove", "s")
    assert result.status in (0, 1) and result.err.count("\n") == 1, result
    assert registry.etcd.revision() == revision


@pytest.mark.parametrize("path", ["", "/", "a//b", "/a", "a/", "a\x01b"])
def test_a_bad_switch_path_is_refused(registry, path):
    result = registry("switch", "set", path, "v")
    assert result.status == 2 and result.err.count("\n") == 1, result
    assert registry.etcd.get_prefix(registry.root + "/") == []


# wrong usage

WRONG = [  # arguments, what the message names
    (("--log-level", "INFO"), "no command"),
    (("service", "--log-level", "INFO"), "no command"),
    (("nonsense",), "nonsense"),
    (("service", "nonsense"), "nonsense"),
    (("--nonsense", "service", "list"), "--nonsense"),
    (("service", "list", "--nonsense"), "--nonsense"),
    (("service", "list", "surplus"), "surplus"),
    (("service", "list", "--format", "xml"), "xml"),
    (("service", "list", "--format"), "--format"),
    (("service", "register"), "--service-type"),
    (("service", "register", "--service-type", "t"), "--service-name"),
    (("service", "register", "--service-type", "t", "--service-name", "n"), "--service-location"),
    (("service", "unregister", "--service-type", "t"), "--service-name"),
    (("switch", "get"), ""),
    (("switch", "set", "s"), ""),
    (("switch", "get", "s", "t"), "t"),
    (("--log-level", "LOUD", "service", "list"), "LOUD"),
    (("--etcd-protocol", "gopher", "service", "list"), "gopher"),
    (("--etcd-timeout", "0", "service", "list"), "--etcd-timeout"),
    (("--etcd-timeout", "abc", "service", "list"), "abc"),
    (("--etcd-endpoint", "no-port", "service", "list"), "no-port"),
    (("--etcd-endpoint", "h:99999", "service", "list"), "h:99999"),
    (("--etcd-endpoint", "127.0.0.1:1,,127.0.0.1:2", "service", "list"), "--etcd-endpoint"),
    (("--ca-bundle", "/nonexistent/ca.pem", "--etcd-protocol", "https", "service", "list"), "/nonexistent/ca.pem"),
]


@pytest.mark.parametrize("args,named", WRONG, ids=lambda value: " ".join(value) if isinstance(value, tuple) else None)
def test_wrong_usage_is_one_line_and_exit_2(registry, args, named):
    result = registry(*args)
    assert result.status == 2 and result.out == "", result
    assert result.err.count("\n") == 1 and named in result.err, result


@pytest.mark.parametrize("missing,option", [("EMPUSA_ETCD_ENDPOINT", "--etcd-endpoint"),
                                            ("EMPUSA_TREE_ROOT", "--tree-root")])
def test_the_two_required_options_are_named_when_missing(registry, missing, option):
    env = {key: value for key, value in registry.env.items() if key != missing}
    for command in (("service", "list"), ("serve",)):
        result = run(*command, env=env)
        assert result.status == 2 and option in result.err and result.err.count("\n") == 1, result


@pytest.mark.parametrize("args,meant", [(("servic", "list"), "service"), (("swich", "list"), "switch"),
                                        (("service", "regster"), "register"), (("serv",), "serve")])
def test_an_unknown_command_suggests_the_nearest(registry, args, meant):
    result = registry(*args)
    assert result.status == 2 and meant in result.err.replace("'", " ").replace('"', " "), result


GLOBAL_OPTIONS = ["--etcd-endpoint", "--etcd-protocol", "--tree-root", "--ca-bundle", "--etcd-cert", "--etcd-key",
                  "--etcd-user", "--etcd-password-file", "--etcd-discovery-srv", "--etcd-timeout", "--log-level",
                  "--help", "--version"]
HELP = [
    ((), GLOBAL_OPTIONS + ["service", "switch", "serve", "dev"]),
    (("service",), ["register", "unregister", "list"]),
    (("switch",), ["set", "get", "list", "remove", "toggle"]),
    (("service", "register"), ["--service-type", "--service-name", "--service-location", "--ttl", "--refresh-every",
                               "--protocol", "--priority", "--weight", "--txt", "--subtype", "EMPUSA_SERVICE_TTL",
                               "EMPUSA_SERVICE_REFRESH_EVERY"]),
    (("service", "unregister"), ["--service-type", "--service-name"]),
    (("service", "list"), ["--service-type", "--format"]),
    (("switch", "set"), ["--ttl"]),
    (("switch", "get"), []),
    (("switch", "list"), ["--format"]),
    (("switch", "remove"), []),
    (("switch", "toggle"), []),
    (("serve",), ["--listen", "--domain", "--workers", "--record-ttl", "--negative-ttl", "--host-domain", "--host",
                  "--no-resolve-hosts", "--no-switches", "--ns", "--stale-limit", "--allow-query", "--nsid",
                  "--cookie-secret-file", "--rate-limit", "--max-udp-size", "--tcp-connections", "--tcp-idle",
                  "--user", "127.0.0.1:5300", "empusa.internal"]),
    (("dev",), ["--data-dir"]),
]


@pytest.mark.parametrize("command,words", HELP, ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_every_command_has_a_help_that_needs_nothing(command, words):
    result = run(*command, "--help")
    assert result.status == 0 and result.err == "", result
    assert [word for word in words if word not in result.out] == []


def test_version_is_said():
    result = run("--version")
    assert result.status == 0 and result.err == "" and "1.0" in result.out, result


# failures

def test_an_unreachable_etcd_is_one_line_that_names_each_endpoint(registry):
    first, second = free_port(), free_port()
    endpoints = f"127.0.0.1:{first},127.0.0.1:{second}"
    line = registry("--etcd-endpoint", endpoints, "--etcd-timeout", "2", "service", "list").error_line()
    assert line.startswith("ERROR:root:") and f"127.0.0.1:{first}" in line and f"127.0.0.1:{second}" in line


def test_the_timeout_bounds_a_request_to_a_silent_etcd(own_registry):
    own_registry.etcd.pause()
    line = own_registry("--etcd-timeout", "1", "service", "list", timeout=10).error_line()
    assert line.startswith("ERROR:root:") and own_registry.etcd.endpoints in line


def test_something_that_is_no_etcd_is_a_clear_error(registry):
    import http.server
    import threading
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"127.0.0.1:{server.server_port}"
    line = registry("--etcd-endpoint", endpoint, "service", "list").error_line()
    server.shutdown()
    server.server_close()
    assert line.startswith("ERROR:root:") and endpoint in line


@pytest.mark.parametrize("level,shown", [("INFO", True), ("DEBUG", True), ("WARNING", False), ("ERROR", False)])
def test_the_log_level_chooses_what_is_said(registry, level, shown):
    result = registry.ok("--log-level", level, "switch", "set", "s", "v")
    assert ("INFO:root:switch s set to v\n" in result.err) == shown
    assert all(line.split(":")[0] in ("DEBUG", "INFO") for line in result.err.splitlines())
    assert registry.ok("switch", "set", "s", "v", env={"EMPUSA_LOGLEVEL": level}).err.count("set to") == shown


# tables for people

def width(text):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def test_tables_align_wide_characters(registry):
    for name in ("Étage 2", "会議室", "e\u0301tude", "plain"):
        registry.register("t", name, "h:1")
    out = registry.ok("service", "list").out
    assert len({width(line) for line in out.splitlines()}) == 1, out
    assert "t/会議室" in out and "t/Étage 2" in out


def test_tables_show_control_octets_as_hex(registry):
    registry.put("t", "a\x1b[31m\nb\x7f", "h:1")
    registry.put_switch("s", "x\x07\ty")
    services, switches = registry.ok("service", "list").out, registry.ok("switch", "list").out
    assert r"t/a\x1b[31m\x0ab\x7f" in services and r"x\x07\x09y" in switches
    assert not any(ord(c) < 32 or ord(c) == 127 for c in (services + switches).replace("\n", ""))


def test_messages_cannot_be_forged_by_what_is_in_them(registry):
    registry.put_switch("s", "x\nERROR:root:forged")
    assert registry("switch", "toggle", "s").err.count("\n") == 1


# standard output that fails

@pytest.mark.parametrize("command", [("service", "list"), ("service", "list", "--format", "json"), ("switch", "get", "s"),
                                     ("--help",), ("--version",)], ids=" ".join)
def test_a_full_disk_is_an_error(registry, command):
    registry.register("t", "n", "h:1")
    registry.put_switch("s", "v")
    with open("/dev/full", "wb") as full:
        result = registry(*command, stdout=full)
    assert result.error_line().startswith("ERROR:root:")


def test_a_closed_pipe_ends_a_list_quietly(registry):
    registry.etcd.put_many((registry.service_key("t", f"n{i:05}"), "h:1") for i in range(3000))
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.Popen([BINARY, "service", "list"], env=registry.env, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    _, err = process.communicate(timeout=30)
    assert process.returncode in (0, 1, -13) and err.count(b"\n") <= 1, (process.returncode, err)


def test_a_command_ends_on_ctrl_c_while_it_waits(own_registry):
    own_registry.etcd.pause()
    process = Process([BINARY, "--etcd-timeout", "60", "service", "list"], env=own_registry.env)
    with pytest.raises(AssertionError):
        process.wait(0.3)
    assert process.stop(2) in (1, 130, -2)


def test_a_password_is_never_an_argument(registry):
    assert registry("--etcd-password", "secret", "service", "list").status == 2


def test_an_environment_without_path_or_home_suffices(registry):
    env = {key: value for key, value in registry.env.items() if key.startswith("EMPUSA_")}
    assert run("service", "list", env=env).status == 0


def test_an_empty_variable_counts_as_missing_or_is_refused():
    result = run("service", "list", env=clean_environment(EMPUSA_ETCD_ENDPOINT="", EMPUSA_TREE_ROOT="/foo"))
    assert result.status == 2 and result.err.count("\n") == 1, result
