"""Completions in the shells themselves: bash and zsh on a terminal where TAB is pressed, fish by its `complete -C`."""

import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from process import PATIENCE, die_with_parent
from server import clean_environment, run

GLOBAL = {"--etcd-endpoint", "--etcd-protocol", "--tree-root", "--config", "--log-level", "--help", "--version"}
COMMANDS = {"service", "switch", "serve", "dev", "zone", "completion"}


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    def path(shell):
        file = tmp_path_factory.mktemp("completion") / f"empusa.{shell}"
        file.write_text(run("completion", shell).out)
        return file
    return path


def needs(program):
    if not shutil.which(program):
        pytest.skip(f"no {program}")


# What is typed, and what may follow: all of these, none of those.
CASES = [
    ("empusa ", COMMANDS | GLOBAL, {"--ttl", "list"}),
    ("empusa se", {"service", "serve"}, {"switch", "--help"}),
    ("empusa --etcd-endpoint 127.0.0.1:2379 se", {"service", "serve"}, set()),
    ("empusa --etcd-endpoint=127.0.0.1:2379 se", {"service", "serve"}, set()),
    ("empusa --etcd-endpoint=http://[::1]:2379/ se", {"service", "serve"}, set()),
    ("empusa --etcd-endpoint [::1]:2379,h:1 --tree-root /foo service re", {"register"}, {"serve", "unregister"}),
    ("empusa --tree-root=/foo service list --fo", {"--format"}, {"--from"}),
    ("empusa service --tree-root serve list --fo", {"--format"}, set()),
    ("empusa service list --", GLOBAL | {"--format", "--service-type"}, {"--ttl", "--from", "list"}),
    ("empusa service --tree-root=/a --", GLOBAL, {"--format"}),
    ("empusa service register --service-location 10.1.2.3:80 --service-n", {"--service-name"}, {"--service-type"}),
    ("empusa service register --txt a=b:c=d --sub", {"--subtype"}, set()),
    ("empusa switch set a:b c=d --t", {"--ttl", "--tree-root"}, {"--txt"}),
    ("empusa --log-level ", {"DEBUG", "INFO", "WARNING", "ERROR"}, COMMANDS | GLOBAL),
    ("empusa switch list --format ", {"table", "json"}, {"--help"}),
    ("empusa switch list --format j", {"json"}, {"table"}),
    ("empusa --format json switch li", {"list"}, set()),
    ("empusa serve --host a=1.2.3.4 --no-", {"--no-switches", "--no-resolve-hosts"}, {"--ns"}),
    ("empusa completion ", {"bash", "zsh", "fish"}, COMMANDS),
    ("empusa -- swi", {"switch"}, set()),
    ("empusa switch set -- --t", set(), {"--ttl", "--tree-root"}),
    ("empusa -", {"--help"}, COMMANDS),
    ("empusa --no-switches se", {"serve"}, set()),
]
# A word that is completed within: what bash is told to put where the last ':', '=' or '@' ends.
WITHIN = [
    ("empusa switch list --format=", {"table", "json"}, "--format="),
    ("empusa switch list --format=j", {"json"}, "--format="),
    ("empusa --log-level=D", {"DEBUG"}, "--log-level="),
    ("empusa --tree-root=/a:b --etcd-protocol=https", {"https"}, "--etcd-protocol="),
]
BREAKS = re.compile(r"\s+|([:=@]+)")


def bash_words(line):
    """As bash splits a line without quotes; `empusa a:` ends in ':', `empusa a: ` in ''."""
    words = [word for word in BREAKS.split(line) if word]
    return words + [""] if line.endswith(" ") else words


def bash_replies(script, line, *, with_line, breaks=None, words=None):
    words = words or bash_words(line)
    program = "source \"$1\"; shift; [ -z \"$BREAKS\" ] || COMP_WORDBREAKS=$BREAKS; COMP_WORDS=(\"$@\"); " \
              "COMP_CWORD=$(($# - 1)); COMP_LINE=$LINE_TYPED; COMP_POINT=${#COMP_LINE}; _empusa; " \
              "printf '%s\\n' \"${COMPREPLY[@]}\""
    env = clean_environment(LINE_TYPED=line if with_line else "", BREAKS=breaks or "")
    done = subprocess.run(["bash", "--norc", "-c", program, "bash", script("bash"), *words], env=env, check=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.stderr == "", done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("with_line", [True, False], ids=["line", "words"])
@pytest.mark.parametrize("line,some,none", CASES, ids=[case[0] for case in CASES])
def test_bash_knows_what_may_follow(script, line, some, none, with_line):
    replies = bash_replies(script, line, with_line=with_line)
    assert some <= replies and not none & replies, replies


@pytest.mark.parametrize("line,values,before", WITHIN, ids=[case[0] for case in WITHIN])
def test_bash_replaces_what_stands_behind_the_last_break(script, line, values, before):
    for with_line in (True, False):
        assert bash_replies(script, line, with_line=with_line) == values
    whole = {before + value for value in values}
    assert bash_replies(script, line, with_line=True, breaks=" \t\n", words=line.split()) == whole
    assert bash_replies(script, line, with_line=False, breaks=" \t\n", words=line.split()) == whole


def test_bash_completes_files(script, tmp_path):
    for name in ("a b.json", "a:c.json", "x.json"):
        (tmp_path / name).touch()
    base = f"empusa service register --from {tmp_path}/"
    assert bash_replies(script, base + "x", with_line=True) == {f"{tmp_path}/x.json"}
    assert bash_replies(script, base.replace("--from ", "--from=") + "x", with_line=True) == {f"{tmp_path}/x.json"}
    assert bash_replies(script, base + "a:", with_line=True) == {"c.json"}


class Terminal:
    """A shell that a person types into. `empusa` is a function there, which writes down its arguments."""

    def __init__(self, argv, setup, directory):
        self.out = directory / "arguments"
        env = clean_environment(TERM="dumb", HOME=str(directory), ZDOTDIR=str(directory), PS1="> ")
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            die_with_parent()
            os.chdir(directory)
            os.execvpe(argv[0], argv, env)
        self.enter(f"{setup}\n empusa() {{ printf '%s\\n' \"$@\" >{self.out}.new; mv {self.out}.new {self.out}; }}")
        self.arguments("empusa ready")

    def enter(self, text):
        os.write(self.fd, text.encode() + b"\n")

    def drain(self, quiet=0.1):
        while select.select([self.fd], [], [], quiet)[0]:
            os.read(self.fd, 65536)

    def arguments(self, line, tab=False):
        """What empusa is called with when this is typed, and TAB."""
        self.out.unlink(missing_ok=True)
        self.drain()
        self.enter(line + ("\t" if tab else ""))
        end = time.monotonic() + 15 * PATIENCE
        while not self.out.exists():
            assert time.monotonic() < end, line
            self.drain(0.05)
        return self.out.read_text().split("\n")[:-1]

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


TYPED = [
    ("empusa --etcd-endpoint 127.0.0.1:2379 serv", "--etcd-endpoint 127.0.0.1:2379 serv"),
    ("empusa --etcd-endpoint 127.0.0.1:2379 serve --no-sw", "--etcd-endpoint 127.0.0.1:2379 serve --no-switches"),
    ("empusa --etcd-endpoint=127.0.0.1:2379 switch togg", "--etcd-endpoint=127.0.0.1:2379 switch toggle"),
    ("empusa switch list --format=j", "switch list --format=json"),
    ("empusa switch list --format j", "switch list --format json"),
    ("empusa switch list --tree-r", "switch list --tree-root"),
    ("empusa --config=plain", "--config=plain.conf"),
    ("empusa --config od", "--config odd name.conf"),
    ("empusa service register --service-location 10.1.2.3:80 --service-n",
     "service register --service-location 10.1.2.3:80 --service-name"),
]


@pytest.mark.parametrize("shell,argv,setup", [
    ("bash", ["bash", "--norc", "--noprofile", "-i"], "source {}"),
    ("zsh", ["zsh", "-f", "-i"], "source {}"),
    ("zsh", ["zsh", "-f", "-i"], "cp {0} ./_empusa; fpath=($PWD $fpath); autoload -Uz compinit; compinit -u")],
    ids=["bash", "zsh", "zsh fpath"])
def test_tab_on_a_terminal(script, tmp_path, shell, argv, setup):
    needs(shell)
    for name in ("plain.conf", "odd name.conf"):
        (tmp_path / name).touch()
    terminal = Terminal(argv, setup.format(script(shell)), tmp_path)
    try:
        for typed, completed in TYPED:
            words = completed.split(" ") if "odd" not in completed else ["--config", "odd name.conf"]
            assert terminal.arguments(typed, tab=True) == words, typed
    finally:
        terminal.close()


FISH = [case for case in CASES if not case[0].startswith(("empusa -- ", "empusa --format ", "empusa --no-"))]


def test_fish_knows_what_may_follow(script, tmp_path):
    needs("fish")
    lines = [line for line, _, _ in FISH] + [line for line, _, _ in WITHIN] + ["empusa -", "empusa serve -"]
    program = "source $argv[1]; for line in $argv[2..-1]; complete -C $line; echo ----; end"
    done = subprocess.run(["fish", "--no-config", "-c", program, script("fish"), *lines], check=True, text=True,
                          env=clean_environment(HOME=str(tmp_path)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, cwd=tmp_path)
    assert done.stderr == "", done.stderr
    replies = [{line.split("\t")[0] for line in part.splitlines() if line} for part in done.stdout.split("----\n")]
    for (line, some, none), got in zip(FISH, replies):
        some = {word for word in some if "-" not in word or line.rsplit(" ", 1)[1].startswith("-")}
        assert some <= got and not none & got, (line, got)
    for (line, values, before), got in zip(WITHIN, replies[len(FISH):]):
        assert got == {before + value for value in values}, (line, got)
    for got in replies[-3:-1]:
        assert {"-h", "--help", "--tree-root"} <= got, got
