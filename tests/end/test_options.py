"""Options: where they stand, where their values come from, what is said of wrong ones."""

import re

import pytest

from process import free_port
from server import clean_environment, run

# where they stand

PLACES = [("{o}", "switch", "set", "s", "v"), ("switch", "{o}", "set", "s", "v"), ("switch", "set", "{o}", "s", "v"),
          ("switch", "set", "s", "{o}", "v"), ("switch", "set", "s", "v", "{o}"),
          ("{o}", "--", "switch", "set", "s", "v")]


@pytest.mark.parametrize("glued", [False, True], ids=["--opt value", "--opt=value"])
@pytest.mark.parametrize("place", PLACES, ids=" ".join)
def test_options_stand_anywhere(registry, place, glued):
    pairs = [("--etcd-endpoint", registry.etcd.endpoints), ("--tree-root", registry.root), ("--etcd-timeout", "20"),
             ("--log-level", "info"), ("--ttl", "300")]
    options = [f"{name}={value}" for name, value in pairs] if glued else [word for pair in pairs for word in pair]
    args = [word for part in place for word in (options if part == "{o}" else [part])]
    result = run(*args, env=clean_environment())
    assert result.status == 0 and result.err == "INFO:root:switch s set to v\n", result
    assert registry.etcd.get(registry.key("switch", "s")).lease != 0


def test_behind_two_dashes_nothing_is_an_option(registry):
    registry.ok("switch", "set", "--", "--tree-root", "-h")
    assert registry.etcd.get(registry.key("switch", "--tree-root")).value == b"-h"
    assert registry.ok("switch", "get", "--", "--tree-root").out == "-h\n"
    assert registry("switch", "list", "--", "--help").error_line(2).startswith(
        'ERROR:root:unexpected argument "--help"')


@pytest.mark.parametrize("command", [(), ("service",), ("switch",)], ids=" ".join)
def test_alone_they_print_help(registry, command):
    for env in (None, registry.env):
        alone, asked, short = run(*command, env=env), run(*command, "--help"), run(*command, "-h")
        assert alone.status == 0 and alone.err == "" and "Usage: empusa" in alone.out, alone
        assert alone.out == asked.out == short.out
    assert run(*command, "--etcd-timeout", "3").status == 2


@pytest.mark.parametrize("args", [("switch", "set", "-h"), ("-h", "switch", "set"),
                                  ("switch", "-h", "set", "a", "b", "c"), ("switch", "set", "--nonsense", "-h"),
                                  ("--etcd-timeout", "x", "switch", "set", "-h")], ids=" ".join)
def test_help_may_be_asked_for_anywhere(args):
    assert run(*args).out == run("switch", "set", "--help").out


@pytest.mark.parametrize("value", ["0", "00"])
def test_0_is_none(registry, value):
    registry.register("t", "n", "h:1", "--ttl", value, "--refresh-every", value)
    env = {"EMPUSA_SERVICE_TTL": value, "EMPUSA_SERVICE_REFRESH_EVERY": value, "EMPUSA_SWITCH_TTL": value}
    registry.ok("service", "register", "--service-type", "t", "--service-name", "o", "--service-location", "h:1",
                env=env)
    registry.ok("switch", "set", "s", "v", "--ttl", value)
    registry.ok("switch", "set", "r", "v", env=env)
    assert registry.service("t", "n").lease == registry.service("t", "o").lease == 0
    assert [registry.etcd.get(registry.key("switch", name)).lease for name in "sr"] == [0, 0]
    registry.register("t", "n", "h:1", "--ttl", "300", "--refresh-every", value)
    assert registry.service("t", "n").lease != 0


# endpoints

@pytest.mark.parametrize("text", ["{dead} {live}", "  {dead}\t{live}  ", "{dead},{live}", "{dead} , {live}",
                                  "{dead}\n{live}\n", "http://{dead} http://{live}/", "[::1]:{port} {live}"])
def test_endpoints_are_separated_by_blanks_or_commas(registry, text):
    port = free_port()
    text = text.format(dead=f"127.0.0.1:{port}", port=port, live=registry.etcd.endpoints)
    registry.ok("switch", "list", env={"EMPUSA_ETCD_ENDPOINT": text})
    registry.ok("switch", "list", "--etcd-endpoint", text, env={"EMPUSA_ETCD_ENDPOINT": ""})


# the file

@pytest.fixture
def config(tmp_path):
    def write(*lines, text=None):
        path = tmp_path / "empusa.conf"
        path.write_bytes("\n".join((*lines, "")).encode() if text is None else text)
        return path
    return write


def test_a_file_gives_what_the_environment_does_not(registry, config):
    path = config("# the registry", "; of the cluster", "", f'EMPUSA_ETCD_ENDPOINT="{registry.etcd.endpoints}"',
                  f" EMPUSA_TREE_ROOT = '{registry.root}' ", "EMPUSA_SWITCH_TTL=300", "PATH=/nowhere", "EMPUSA_HTTP=")
    result = run("switch", "set", "s", "v", "--config", path)
    assert result.status == 0 and result.err == "INFO:root:switch s set to v\n", result
    assert registry.etcd.get(registry.key("switch", "s")).lease != 0
    assert run("switch", "get", "s", env=clean_environment(EMPUSA_CONFIG=str(path))).out == "v\n"
    windows = config(text=b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert run(f"--config={windows}", "switch", "get", "s").out == "v\n"


def test_the_command_line_wins_then_the_environment_then_the_file(registry, config):
    roots = [f"{registry.root}/{name}" for name in ("line", "variable", "file")]
    for root in roots:
        registry.ok("--tree-root", root, "switch", "set", "s", root)
    path = config(f"EMPUSA_TREE_ROOT={roots[2]}", "EMPUSA_TREE_ROOT=", f"EMPUSA_TREE_ROOT={roots[2]}")
    env = {"EMPUSA_CONFIG": path, "EMPUSA_TREE_ROOT": roots[1]}
    assert registry.ok("switch", "get", "s", "--tree-root", roots[0], env=env).out == roots[0] + "\n"
    assert registry.ok("switch", "get", "s", env=env).out == roots[1] + "\n"
    assert registry.ok("switch", "get", "s", env={**env, "EMPUSA_TREE_ROOT": ""}).out == roots[2] + "\n"
    assert registry.ok("switch", "get", "s", "--config", "/dev/null", env=env).out == roots[1] + "\n"


def test_a_password_may_be_in_the_file(registry, config):
    path = config("EMPUSA_ETCD_PASSWORD=secret", "EMPUSA_ETCD_USER=nobody", "EMPUSA_LOGLEVEL=DEBUG")
    result = registry("switch", "list", "--config", path)
    assert "secret" not in result.err


def test_an_unknown_name_is_a_warning(registry, config):
    path = config("EMPUSA_TREEROOT=/x", "EMPUSA_CONFIG=/nowhere", "OTHER=1")
    result = registry.ok("switch", "list", "--config", path)
    assert result.err == (f"WARNING:root:{path}, line 1: EMPUSA_TREEROOT is no variable of empusa's\n"
                          f"WARNING:root:{path}, line 2: EMPUSA_CONFIG names no further file\n")
    path = config(*(f"EMPUSA_X{i}=1" for i in range(1000)))
    assert len(registry.ok("switch", "list", "--config", path).err.splitlines()) == 11
    assert registry.ok("switch", "list", "--config", config("EMPUSA_X=", "EMPUSA_LOGLEVEL=ERROR")).err == ""


@pytest.mark.parametrize("text,said", [
    (b"EMPUSA_TREE_ROOT=/x\nnonsense\n", "line 2: not NAME=VALUE"),
    (b"export EMPUSA_TREE_ROOT=/x\n", 'line 1: what is before the = is no name'),
    (b'\n\nEMPUSA_TREE_ROOT="/x\n', "line 3: the value begins with a \""),
    (b"EMPUSA_TREE_ROOT=/x\0\n", "line 1: a NUL octet"),
    (b"A=b\n" * 300_000, "longer than 1048576 octets"),
    (b"#\nEMPUSA_ETCD_TIMEOUT=5s\n", '--etcd-timeout "5s" (from EMPUSA_ETCD_TIMEOUT in {}, line 2): not a whole number'),
    (b"EMPUSA_ETCD_ENDPOINT=a:1 b:x\n", '--etcd-endpoint "b:x" (from EMPUSA_ETCD_ENDPOINT in {}, line 1): '),
], ids=["no =", "export", "quote", "NUL", "long", "value", "endpoint"])
def test_a_wrong_file_is_named_with_its_line(registry, config, text, said):
    path = config(text=text)
    line = registry("switch", "list", "--config", path, env={"EMPUSA_ETCD_ENDPOINT": ""}).error_line(2)
    assert str(path) in line and said.format(path) in line
    assert registry("--version", "--config", path).status == 0 and registry("--config", path, "-h").status == 0


@pytest.mark.parametrize("path,said", [("/nonexistent", "No such file"), ("/", "Is a directory"),
                                       ("/dev/zero", "longer than"), ("/dev/null/x", "Not a directory")])
def test_an_unreadable_file_is_wrong_usage(registry, path, said):
    assert f'--config "{path}": {said}' in registry("switch", "list", "--config", path).error_line(2)
    line = registry("switch", "list", env={"EMPUSA_CONFIG": path}).error_line(2)
    assert f'--config "{path}" (from EMPUSA_CONFIG): {said}' in line


# what is said of wrong ones

@pytest.mark.parametrize("args,said", [
    (("service", "register", "--port", "80"), "no option --port: see empusa service register --help"),
    (("serve", "--port", "53"), "no option --port: see empusa serve --help"),
    (("service", "register", "--name", "n"), "no option --name: did you mean --service-name?"),
    (("--endpoints", "h:1", "switch", "list"), "no option --endpoints: did you mean --etcd-endpoint?"),
    (("--etcd-password=hunter2", "switch", "list"), "no option --etcd-password: did you mean --etcd-password-file?"),
    (("switch", "set", "x", "-y"), 'no option -y: if it is the VALUE, put "--" before it: empusa switch set ... -- -y'),
    (("switch", "set", "x"), "missing operand VALUE: empusa switch set SWITCH VALUE"),
    (("switch", "set"), "missing operand SWITCH: empusa switch set SWITCH VALUE"),
    (("switch", "cas", "x", "a"), "missing operand EXPECTED: empusa switch cas SWITCH VALUE EXPECTED"),
    (("switch", "list", "x"), 'unexpected argument "x": see empusa switch list --help'),
    (("service", "unregister", "--service-type", "--service-name", "n"), "--service-type needs a value: TYPE"),
    (("list",), 'no command "list": did you mean "service list" or "switch list"?'),
], ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_a_wrong_line_says_what_to_do(registry, args, said):
    assert registry(*args).error_line(2) == "ERROR:root:" + said


T, N, L = ("--service-type", "t"), ("--service-name", "n"), ("--service-location", "h:1")
QUOTING = {  # each quotes "{}", and says at its end what the same line says of a short value
    "endpoint": ("switch", "list", "--etcd-endpoint", "{}"),
    "second endpoint": ("switch", "list", "--etcd-endpoint", "h:1,{}"),
    "number": ("switch", "list", "--etcd-timeout", "{}"),
    "choice": ("switch", "list", "--format", "{}"),
    "level": ("switch", "list", "--log-level", "{}"),
    "ca": ("switch", "list", "--etcd-protocol", "https", "--ca-bundle", "/{}"),
    "config": ("switch", "list", "--config", "/{}"),
    "password file": ("switch", "list", "--etcd-user", "u", "--etcd-password-file", "/{}"),
    "location": ("service", "register", *T, *N, "--service-location", "{}!"),
    "txt": ("service", "register", *T, *N, *L, "--txt", "={}"),
    "from": ("service", "register", "--from", "/{}"),
    "operand": ("switch", "list", "{}"),
    "shell": ("completion", "{}"),
    "flag": ("serve", "--no-switches={}"),
    "command": ("{}",),
    "option": ("switch", "list", "--{}"),
    "listen": ("serve", "--listen", "{}"),
    "acl": ("serve", "--allow-query", "{}"),
    "ns": ("serve", "--ns", "{}=x"),
    "http": ("serve", "--listen", f"127.0.0.1:{free_port()}", "--http", "{}"),
}


@pytest.mark.parametrize("unit", [b"v", b"\xff", b"\x1b[2J", "ü".encode(), "\u202e".encode(), b"\":."],
                         ids=["ascii", "not UTF-8", "controls", "UTF-8", "bidirectional", "quotes"])
@pytest.mark.parametrize("case", QUOTING)
def test_a_long_value_does_not_push_the_reason_out(registry, case, unit):
    def said_of(value):
        args = [arg.encode().replace(b"{}", value) for arg in QUOTING[case]]
        result = registry(*args)
        assert result.status in (1, 2) and result.err.count("\n") == 1, result
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", result.err), result
        return result.err.rstrip("\n")

    short = said_of(unit * 2)
    reason = short[-15:]
    for size in (200, 600, 5_000, 100_000):
        line = said_of((unit * size)[:size])
        same = reason in line[-60:]
        # What is too long for a name, a path or a label may be wrong in that way first.
        assert same or re.search(r"long|octets|File name|is none", line[-80:]), (short, line)
        assert len(line) < 5000


@pytest.mark.parametrize("variable,value,fault", [
    ("EMPUSA_DOMAIN", "{}", "is no domain name"), ("EMPUSA_HOST_DOMAIN", "{}", "is no domain name"),
    ("EMPUSA_ALLOW_QUERY", "10.0.0.0/8 {}", "not an address or prefix"),
    ("EMPUSA_HOST", "h=10.0.0.1 {}=10.0.0.1", "is no name without dots"),
    ("EMPUSA_LISTEN", "{}", "or an address alone")])
def test_a_long_value_does_not_push_out_where_it_came_from(registry, tmp_path, variable, value, fault):
    text = value.format("v" * 700)
    line = registry("serve", env={variable: text}).error_line(2)
    assert f"(from {variable}): " in line and line.endswith(fault), line
    directory = tmp_path / ("d" * 120)
    directory.mkdir()
    config = directory / "file"
    config.write_text(f"{variable}={text}\n")
    line = registry("serve", "--config", str(config)).error_line(2)
    assert f" (from {variable} in " in line and "/file, line 1): " in line and line.endswith(fault), line


@pytest.mark.parametrize("word", ["-" + "v" * 700, "--" + "v" * 700 + "=1"])
def test_a_long_operand_does_not_push_the_advice_out(registry, word):
    assert ': if it is the SWITCH, put "--" before it: empusa switch set ... -- -' in registry(
        "switch", "set", word, "x").error_line(2)
