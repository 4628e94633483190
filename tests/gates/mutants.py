"""Mutation testing: what would the tests notice?

From a seed, lines of the four folders are drawn, each as likely as another, and each is given one small mistake: a
comparison turned or moved by one, && for ||, a condition or a result negated, a constant one off, + for -, a call, an
assignment, a break or a return left out. In a copy of the tree the mutant is compiled; one that does not compile, or
whose object is the same as before (it is equivalent), is replaced by the next. Then the tests run that could notice,
the nearest first: the file's own unit test, those of its folder and of all that build on it, and of the end-to-end
tests the files that END names. The first failure kills the mutant, and so does a test that takes three times as long as
without it. The rest survive: they are printed, and left in build-mutants/survivors as patches, which
`mutants.sh --patch FILE...` tries again.
"""

import argparse
import bisect
import collections
import concurrent.futures
import difflib
import fnmatch
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import threading
import time

FOLDERS = ["registry", "zones", "dns", "cli"]
TOP = pathlib.Path.cwd()
HOME = TOP / "build-mutants"
UNIT_JOBS = 6  # they mostly wait
END_JOBS = 2

# What is worth trying of tests/end and tests/faults, by the mutated file's path; the first that matches.
END = [
    (r"^registry/.*(tls|auth|http)", "tls_auth hints distorted"),
    (r"^registry/.*(follow|proof|ledger|watch|feed)", "live proof history reload distorted"),
    (r"^registry/.*(resolver|discovery|member|endpoint|address)", "names members options"),
    (r"^registry/(base|net|etcd)/", "register tls_auth live distorted late"),
    (r"^registry/(.*keep|.*registr|.*bulk|.*lease|.*scan|.*list|empusa|outage)", "register from late session"),
    (r"^registry/", "zone shown register tolerance"),
    (r"^zones/.*(dump|text)", "zone zone_readers"),
    (r"^zones/", "zone live dns reload"),
    (r"^dns/.*(tcp|framing|socket)", "dns tcp_floods limits"),
    (r"^dns/.*(transfer|tsig|xfr)", "zone_readers secondary dns"),
    (r"^dns/", "dns zone live"),
    (r"^cli/.*from", "from register"),
    (r"^cli/.*(zone|transfers|xfr)", "zone zone_readers secondary"),
    (r"^cli/.*(harden|privileges|descriptors|mask|shortage)", "hardening limits port_53"),
    (r"^cli/(process/|.*dev|.*child)", "dev session stderr"),
    (r"^cli/.*(completion|docs|help)", "completion man session options"),
    (r"^cli/args/", "options session hints"),
    (r"^cli/(text/|.*list|.*switch)", "shown session stderr"),
    (r"^cli/serve/", "live names session limits hardening"),
    (r"^cli/", "register session stderr"),
]

# ---- Mistakes: C is read as tokens, and function bodies as statements.

TOKEN = re.compile(r"""
    (?P<skip>\s+|/\*.*?\*/|//[^\n]*|^[ \t]*\#(?:\\\n|/\*.*?\*/|[^\n])*)
  | (?P<text>[LuU]?"(?:\\.|[^"\\])*"|[LuU]?'(?:\\.|[^'\\])*')
  | (?P<number>(?:0[xX][0-9a-fA-F]+|\d+)[uUlL]*(?![\w.])|\d[\w.]*)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<mark>->|\+\+|--|<<=|>>=|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|<<|>>|\.\.\.|.)
""", re.VERBOSE | re.DOTALL | re.MULTILINE)
Token = collections.namedtuple("Token", "kind text begin end")

SWAPS = {
    "<": ["<=", ">="], ">": [">=", "<="], "<=": ["<", ">"], ">=": [">", "<"], "==": ["!="], "!=": ["=="],
    "&&": ["||"], "||": ["&&"], "+": ["-"], "-": ["+"], "+=": ["-="], "-=": ["+="], "++": ["--"], "--": ["++"],
    "true": ["false"], "false": ["true"],
}
TYPES = {"const", "struct", "union", "enum", "static", "unsigned", "signed", "void", "char", "int", "long", "bool"}
# Left alone: what only logs or asserts, and giving memory back, which these builds do not watch.
IGNORED = re.compile(r"log_\w+|\w*assert|\w*free\w*|rcu_retire|\w+_clear|cJSON_Delete|perror|__builtin_prefetch")
OPENING, CLOSING = "([{", ")]}"


class Body:
    """The mistakes that can be made in one function's body, tokens[begin:end]."""

    def __init__(self, tokens, begin, end, result):
        self.tokens, self.result, self.found = tokens, result, []
        self.ignored = set()
        self.expressions(begin, end)
        at = begin
        while at < end:
            at = self.statement(at)

    def add(self, kind, first, last, text):
        """Tokens first to last, both included, become `text`."""
        if not any(i in self.ignored for i in range(first, last + 1)):
            self.found.append((kind, self.tokens[first].begin, self.tokens[last].end, text))

    def group(self, at):
        """The index behind the bracket that closes the one at `at`."""
        depth = 0
        while True:
            depth += (self.tokens[at].text in OPENING) - (self.tokens[at].text in CLOSING)
            at += 1
            if depth == 0:
                return at

    def is_operand_end(self, at):
        token = self.tokens[at]
        return token.kind in ("number", "text") or token.text in (")", "]") or (
            token.kind == "name" and token.text not in ("return", "case"))

    def expressions(self, begin, end):
        for i in range(begin, end):
            if IGNORED.fullmatch(self.tokens[i].text) and self.tokens[i + 1].text == "(":
                self.ignored.update(range(i, self.group(i + 1)))
        for i in range(begin, end):
            token = self.tokens[i]
            if token.kind == "number" and re.fullmatch(r"(0[xX][0-9a-fA-F]+|\d+)[uUlL]*", token.text):
                digits = token.text.rstrip("uUlL")
                value = int(digits, 16 if digits[:2] in ("0x", "0X") else 8 if digits[0] == "0" else 10)
                for other in {value + 1, max(value - 1, 0)} - {value}:
                    self.add("constant", i, i, f"{other}{token.text[len(digits):]}")
            elif token.text in ("+", "-") and not self.is_operand_end(i - 1):
                pass  # a sign
            elif token.text == "!":
                self.add("negation", i, i, "")
            else:
                for other in SWAPS.get(token.text, ()):
                    kind = "comparison" if token.text[0] in "<>=!" else "operator"
                    self.add(kind, i, i, other)

    def statement(self, at):
        """One statement, from `at`; the index behind it."""
        word = self.tokens[at].text
        if word == "{":
            end = self.group(at) - 1
            at += 1
            while at < end:
                at = self.statement(at)
            return end + 1
        if word in ("else", "do"):
            return self.statement(at + 1)
        if word in ("case", "default") or (self.tokens[at + 1].text == ":" and self.tokens[at].kind == "name"):
            while self.tokens[at].text != ":":
                at += 1
            return at + 1
        if self.tokens[at + 1].text == "(" and word != "return":
            behind = self.group(at + 1)
            if word in ("if", "while", "switch", "for"):
                if word in ("if", "while"):
                    inner = "".join(self.source(at + 2, behind - 2))
                    self.add("negation", at + 2, behind - 2, f"!({inner})")
                return behind if self.tokens[behind].text == ";" else self.statement(behind)
            if self.tokens[behind].text == "{" or self.tokens[behind].kind == "name":
                return self.statement(behind)  # a macro that loops
            if self.tokens[behind].text == "}":
                return behind  # a macro with semicolons of its own
        end = at
        while self.tokens[end].text != ";":
            end = self.group(end) if self.tokens[end].text in OPENING else end + 1
        self.simple(at, end)
        return end + 1

    def source(self, first, last):
        return self.text[self.tokens[first].begin:self.tokens[last].end]

    @property
    def text(self):
        return self.tokens.source

    def simple(self, at, end):
        """tokens[at:end], and the semicolon at `end`."""
        if at == end:
            return
        first = self.tokens[at].text
        lines = "\n" * self.source(at, end).count("\n")  # __LINE__ stays what it is
        if first in ("break", "continue", "goto") or (first == "return" and end == at + 1):
            self.add("left out", at, end, "{ }")
        elif first == "return":
            value = self.source(at + 1, end - 1)
            if value in ("true", "false"):
                pass  # swapped above
            elif self.result == "bool":
                self.add("result", at + 1, end - 1, f"!({value})")
            elif value == "STATUS_OK":
                self.add("result", at + 1, end - 1, "STATUS_NO_MEMORY")
            elif value not in ("0", "NULL"):
                self.add("result", at + 1, end - 1, f"(void)({value}), 0")
        elif not self.is_declaration(at, end):
            self.add("left out", at, end, "{ }" + lines)

    def is_declaration(self, at, end):
        if self.tokens[at].text in TYPES:
            return True
        if self.tokens[at].kind != "name":
            return False
        at += 1
        while at < end and self.tokens[at].text == "*":
            at += 1
        return self.tokens[at].kind == "name"


class Tokens(list):
    source = ""


def tokenize(text):
    tokens = Tokens()
    tokens.source = text
    for match in TOKEN.finditer(text):
        if match.lastgroup != "skip":
            tokens.append(Token(match.lastgroup, match.group(), match.start(), match.end()))
    return tokens


def result_type(tokens, brace):
    """Of the function whose body begins at `brace`: "bool", or something else."""
    at, depth = brace - 1, 0
    while at >= 0:
        depth += (tokens[at].text in CLOSING) - (tokens[at].text in OPENING)
        at -= 1
        if depth == 0:
            break
    return tokens[at - 1].text if at > 0 else ""


def mistakes(text):
    """{line: [(kind, begin, end, replacement)]} of all function bodies."""
    tokens, found = tokenize(text), []
    at = 0
    while at < len(tokens):
        if tokens[at].text == "{":
            end = Body.group(argparse.Namespace(tokens=tokens), at)
            if tokens[at - 1].text == ")":
                found += Body(tokens, at + 1, end - 1, result_type(tokens, at)).found
                at = end
            elif tokens[at - 1].kind == "text":
                at += 1  # extern "C"
            else:
                at = end
        else:
            at += 1
    breaks = [i for i, octet in enumerate(text) if octet == "\n"]
    lines = collections.defaultdict(list)
    for mistake in found:
        lines[bisect.bisect_left(breaks, mistake[1]) + 1].append(mistake)
    return lines


class Mutant:
    def __init__(self, path, line, kind, before, after):
        self.path, self.line, self.kind, self.after = path, line, kind, after
        self.diff = "".join(difflib.unified_diff(before.splitlines(True), after.splitlines(True), f"a/{path}",
                                                 f"b/{path}", n=2))


def draw(rng, only):
    """Mutants without end, or until all lines are used."""
    places = []
    for folder in FOLDERS:
        for path in sorted(pathlib.Path(folder).rglob("*.[ch]")):
            if not only or fnmatch.fnmatch(str(path), only):
                text = path.read_text()
                places += [(str(path), text, line, found) for line, found in sorted(mistakes(text).items())]
    print(f"{len(places)} lines with code", flush=True)
    rng.shuffle(places)
    for path, text, line, found in places:
        kind = rng.choice(sorted({mistake[0] for mistake in found}))
        _, begin, end, replacement = rng.choice([mistake for mistake in found if mistake[0] == kind])
        yield Mutant(path, line, kind, text, text[:begin] + replacement + text[end:])


def from_patch(patch):
    text = pathlib.Path(patch).read_text()
    path = re.search(r"^\+\+\+ b/(\S+)", text, re.MULTILINE)[1]
    line = int(re.search(r"^@@ -(\d+)", text, re.MULTILINE)[1]) + 2
    copy = HOME / "patched.c"
    shutil.copy(path, copy)
    argv = ["patch", "-s", "-f", "--read-only=ignore", "-o", str(copy), path, patch]
    if subprocess.run(argv, check=False).returncode:
        sys.exit(f"{patch}: {path} has changed")
    return Mutant(path, line, patch, pathlib.Path(path).read_text(), copy.read_text())


# ---- Building and running.

def run(argv, timeout=None, is_alone=False, **options):
    """(exit status or None when it took too long, what it said). is_alone: with processes and ports of its own."""
    if is_alone:
        # The shell is the namespace's init: a test that were it could not send signals to itself.
        argv = ["unshare", "--pid", "--net", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
                'ip link set lo up; "$@"; exit $?', "sh", *argv]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          **options) as process:
        try:
            said = process.communicate(timeout=timeout)[0]
            return process.returncode, said.decode(errors="replace")
        except subprocess.TimeoutExpired:
            process.kill()
            said = process.communicate()[0]
            return None, said.decode(errors="replace")


class Test:
    def __init__(self, name, argv, target, cwd):
        self.name, self.argv, self.target, self.cwd = name, argv, target, cwd
        self.seconds = 0


class Worker:
    """A copy of the tree with a build of its own."""

    def __init__(self, number):
        self.source = HOME / f"worker{number}" / "source"
        self.build = HOME / f"worker{number}" / "build"
        self.copy_tree()
        rooms = re.search(r"set\(EMPUSA_ORDER([^)]*)\)", (self.source / "CMakeLists.txt").read_text())[1]
        self.order = rooms.split()
        self.configure()
        self.tests = self.unit_tests()
        self.end_sets = {}

    def copy_tree(self):
        """Only what has changed, so that little is built again."""
        listed = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], check=True,
                                stdout=subprocess.PIPE).stdout.decode().split("\0")
        wanted = {name for name in listed if name and os.path.exists(name)}
        for path in list(self.source.rglob("*")):
            if path.is_file() and str(path.relative_to(self.source)) not in wanted:
                path.unlink()
        for name in wanted:
            copy = self.source / name
            if not copy.exists() or copy.read_bytes() != pathlib.Path(name).read_bytes():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(name, copy)

    def must(self, argv):
        status, said = run(argv)
        if status != 0:
            sys.exit(f"{' '.join(argv)}:\n{said[-4000:]}")
        return said

    def configure(self):
        # -w: a mistake that only a warning would catch is still a mistake. No -g: objects can be compared.
        self.must(["cmake", "-G", "Ninja", "-S", str(self.source), "-B", str(self.build), "-DCMAKE_BUILD_TYPE=Debug",
                   "-DCMAKE_C_FLAGS=-w", "-DCMAKE_C_FLAGS_DEBUG=-O1", "-DEMPUSA_TESTS=ON"])
        self.must(["ninja", "-C", str(self.build)])
        self.commands, self.objects = {}, {}
        for row in json.loads((self.build / "compile_commands.json").read_text()):
            path = os.path.relpath(row["file"], self.source)
            if path.split("/")[0] in FOLDERS:
                output = re.search(r" -o (\S+)", row["command"])[1]
                self.commands.setdefault(path, []).append(output)
                self.objects[output] = self.digest(output)
        shutil.copy(self.build / "empusa", self.build / "empusa.whole")

    def digest(self, output):
        return hashlib.sha256((self.build / output).read_bytes()).digest()

    def unit_tests(self):
        rows = json.loads(self.must(["ctest", "--test-dir", str(self.build), "--show-only=json-v1"]))["tests"]
        tests = []
        for row in rows:
            cwd = next((p["value"] for p in row["properties"] if p["name"] == "WORKING_DIRECTORY"), str(self.build))
            if "command" in row and row["command"][0].startswith(str(self.build)):
                tests.append(Test(row["name"], row["command"], os.path.relpath(row["command"][0], self.build), cwd))
        return tests

    def measure(self):
        """The time of each test without a mistake. One that fails without any is of no use."""
        def one(test):
            begin = time.monotonic()
            status, said = run(test.argv, 300, True, cwd=test.cwd)
            test.seconds = time.monotonic() - begin
            if status != 0:
                status, said = run(test.argv, 300, True, cwd=test.cwd)
            if status != 0:
                print(f"{test.name} fails without any mistake:\n{said[-2000:]}", flush=True)
            return status == 0
        with concurrent.futures.ThreadPoolExecutor(UNIT_JOBS) as pool:
            good = list(pool.map(one, self.tests))
        self.tests = [test for test, is_good in zip(self.tests, good) if is_good]

    def stages(self, path):
        """Unit tests: the file's own, then its folder's and those of what builds on it, quick ones first."""
        folder, stem = os.path.dirname(path), pathlib.Path(path).stem
        own = re.compile(rf"{re.escape(folder)}/test_{re.escape(stem)}(_memory)?$")
        builds_on = self.order[self.order.index(folder):] + ["fuzz"]
        near = [test for test in self.tests if own.match(test.name)]
        far = [test for test in self.tests if test not in near and os.path.dirname(test.name) in builds_on]
        far.sort(key=lambda test: (os.path.dirname(test.name) != folder, test.seconds))
        return [stage for stage in (near, far) if stage]

    def run_unit(self, tests):
        """The name of one that fails, or None."""
        failed, lock = [], threading.Lock()

        def one(test):
            if failed:
                return
            limit = max(30, 3 * test.seconds)
            status, said = run(test.argv, limit, True, cwd=test.cwd)
            # Once more, since a loaded machine makes mistakes, too. What hangs is not waited for twice.
            if status is not None and status > 0:
                status, said = run(test.argv, limit, True, cwd=test.cwd)
            if status != 0:
                named = re.findall(r"FAILED  \] (\w+)", said) or [f"status {status}"]
                which = "hangs" if status is None else named[0]
                with lock:
                    failed.append(f"{test.name} ({which})")

        with concurrent.futures.ThreadPoolExecutor(UNIT_JOBS) as pool:
            list(pool.map(one, tests))
        return failed[0] if failed else None

    def pytest(self, binary, files, timeout, *options):
        env = {**os.environ, "EMPUSA_BINARY": str(binary), "EMPUSA_PATIENCE": "4"}
        return run(["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", str(END_JOBS), "-rf",
                    *options, *files], timeout, True, cwd=self.source, env=env)

    @staticmethod
    def failures(said):
        return re.findall(r"^FAILED (\S+)", said, re.MULTILINE)

    def run_end(self, path):
        names = next(names for pattern, names in END if re.search(pattern, path))
        files = [f"tests/{folder}/test_{name}.py" for name in names.split() for folder in ("end", "faults")]
        files = [name for name in files if (self.source / name).exists()]
        if names not in self.end_sets:
            begin = time.monotonic()
            _, said = self.pytest(self.build / "empusa.whole", files, 900)
            self.end_sets[names] = time.monotonic() - begin, [f"--deselect={test}" for test in self.failures(said)]
            for test in self.failures(said):
                print(f"{test} fails without any mistake", flush=True)
        seconds, left_out = self.end_sets[names]
        status, said = self.pytest(self.build / "empusa", files, 3 * seconds + 20, "-x", *left_out)
        if status is None:
            return "tests/end (hangs)"
        failed = self.failures(said)
        if status != 0 and failed:  # once more, as above
            status, _ = self.pytest(self.build / "empusa", failed[:1], 3 * seconds + 20)
        return None if status == 0 else failed[0] if failed else "tests/end"

    def compile(self, path):
        """False: it does not compile, or it is the same as before."""
        outputs = self.commands.get(path) or list(self.objects)
        if run(["ninja", "-C", str(self.build), *outputs], 120)[0] != 0:
            return False
        return any(self.digest(output) != self.objects[output] for output in outputs)

    def judge(self, mutant, with_end):
        """What killed it, "" when it survived, None when it is no mutant."""
        place = self.source / mutant.path
        whole = place.read_text()
        place.write_text(mutant.after)
        try:
            if not self.compile(mutant.path):
                return None
            for tests in self.stages(mutant.path):
                if run(["ninja", "-C", str(self.build), *(test.target for test in tests)], 300)[0] != 0:
                    return None
                killer = self.run_unit(tests)
                if killer:
                    return killer
            if with_end:
                if run(["ninja", "-C", str(self.build), "empusa"], 300)[0] != 0:
                    return None
                return self.run_end(mutant.path) or ""
            return ""
        finally:
            place.write_text(whole)


class Survey:
    """The next mutant to whoever asks, until `count` were good ones: the seed alone says which these are."""

    def __init__(self, mutants, count, with_end):
        self.mutants, self.count, self.with_end = iter(mutants), count, with_end
        self.handed_out, self.done = 0, 0
        self.killed, self.replaced, self.survivors = 0, 0, []
        self.changed = threading.Condition()

    def next(self):
        with self.changed:
            while self.handed_out >= self.count and self.done < self.handed_out:
                self.changed.wait()
            if self.handed_out >= self.count:
                return None
            mutant = next(self.mutants, None)
            if mutant:
                self.handed_out += 1
            return mutant

    def note(self, mutant, killer, seconds):
        with self.changed:
            if killer is None:
                self.handed_out -= 1
                self.replaced += 1
            else:
                self.done += 1
                self.killed += killer != ""
                print(f"{self.done:4d} {mutant.path}:{mutant.line} {mutant.kind}: {killer or 'SURVIVED'}, "
                      f"{seconds:.0f} s", flush=True)
                if killer == "":
                    self.survivors.append(mutant)
                    number = len(self.survivors)
                    (HOME / "survivors" / f"{number:03d}.diff").write_text(mutant.diff)
                    print(mutant.diff, flush=True)
            self.changed.notify_all()

    def work(self, worker):
        while mutant := self.next():
            begin = time.monotonic()
            killer = worker.judge(mutant, self.with_end)
            self.note(mutant, killer, time.monotonic() - begin)


def main():
    parser = argparse.ArgumentParser(description="mutation testing")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--only", metavar="GLOB", help="files such as 'dns/*'")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-end", action="store_true", help="unit tests alone")
    parser.add_argument("--patch", nargs="+", metavar="FILE", help="these mistakes and no others")
    options = parser.parse_args()

    if options.patch:
        mutants, count = [from_patch(patch) for patch in options.patch], len(options.patch)
    else:
        print(f"--seed {options.seed} --count {options.count}" + (f" --only '{options.only}'" if options.only else ""))
        mutants, count = draw(random.Random(options.seed), options.only), options.count
    shutil.rmtree(HOME / "survivors", ignore_errors=True)
    (HOME / "survivors").mkdir()
    workers = [Worker(number) for number in range(min(options.workers, count))]
    workers[0].measure()
    for worker in workers[1:]:
        times = {test.name: test.seconds for test in workers[0].tests}
        worker.tests = [test for test in worker.tests if test.name in times]
        for test in worker.tests:
            test.seconds = times[test.name]
    survey = Survey(mutants, count, not options.no_end)
    threads = [threading.Thread(target=survey.work, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for mutant in survey.survivors:
        print(f"survived: {mutant.path}:{mutant.line} {mutant.kind}")
    print(f"{survey.done} mutants, {survey.killed} killed, {len(survey.survivors)} survived: "
          f"{100 * survey.killed / max(survey.done, 1):.0f} % killed; {survey.replaced} others did not compile or "
          "changed nothing")


main()
