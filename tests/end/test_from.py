"""`service register --from`, and `service list` of more than fits in a page."""

import collections
import json
import os
import pathlib
import pty
import random
import re
import select
import signal
import subprocess
import time

import pytest

from etcd import Etcd
from process import PATIENCE, Process, die_with_parent, wait_until
from server import BINARY, Result, cells

KEYS_MAX = 1000  # of a lease
PAGE = 25000  # rows that `service list` reads at a time
FULL = [
    {"service": "/R/service/http/a b", "location": "10.1.2.3:80", "ttl": None},
    {"service": "/R/service/http/all", "location": "[fd00::1]:8080", "ttl": None, "protocol": "udp", "priority": 0,
     "weight": 1, "txt": {"beta": True, "path": "/", "q": 'a"\\\n\u0000'}, "subtypes": ["__x", "printer"],
     "state": "draining"},
    {"service": "/R/service/zé/naïve", "location": "baz:1235", "ttl": None, "weight": 65535},
]


def feed(registry, text, *args, **options):
    """Through a pipe."""
    argv = [BINARY, "service", "register", "--from", "-", *args]
    data = text if isinstance(text, bytes) else text.encode()
    env = {"EMPUSA_ETCD_TIMEOUT": str(round(5 * PATIENCE)), **registry.env}  # megabytes take a slow etcd a while
    done = subprocess.run(argv, env=env, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=60 * PATIENCE, preexec_fn=die_with_parent, check=False, **options)
    assert b"Sanitizer" not in done.stderr and b"runtime error" not in done.stderr, done.stderr.decode()
    return Result(argv, done.returncode, done.stdout, done.stderr)


def entries(count, first=0, **members):
    return [{"service": f"t/n{i:06}", "location": f"10.0.{i >> 8 & 255}.{i & 255}:80", **members}
            for i in range(first, first + count)]


def listed(registry):
    return json.loads(registry.ok("service", "list", "--format", "json").out)


def keys(registry):
    return registry.etcd.get_prefix(registry.root + "/service/")


def count_of(registry):
    return sum(1 for _ in keys(registry))


# round trips


@pytest.mark.parametrize("way", ["array", "lines", "file", "two arrays"])
def test_what_is_listed_can_be_registered(registry, tmp_path, way):
    wanted = json.loads(json.dumps(FULL).replace("/R/", registry.root + "/"))
    text = json.dumps(wanted)
    if way == "lines":
        text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in wanted)
    if way == "two arrays":
        text = json.dumps(wanted[:1], indent=2) + "\n[]" + json.dumps(wanted[1:])
    if way == "file":
        (tmp_path / "f.json").write_text(text)
        result = registry("service", "register", "--from", tmp_path / "f.json")
    else:
        result = feed(registry, text)
    assert (result.status, result.out, result.err) == (0, "", "INFO:root:3 services registered\n"), result
    assert listed(registry) == wanted
    assert registry.service("http", "a b").value == b"10.1.2.3:80"
    before = {kv.key: kv.value for kv in keys(registry)}
    printed = registry.ok("service", "list", "--format", "json").out
    registry.etcd.delete_prefix(registry.root + "/")
    assert feed(registry, printed).status == 0
    assert {kv.key: kv.value for kv in keys(registry)} == before
    assert registry.ok("service", "list", "--format", "json").out == printed


def test_a_name_without_the_tree_is_below_it(registry):
    assert feed(registry, '{"service": "t/n", "location": "h:1"}').err == "INFO:root:1 service registered\n"
    assert registry.service("t", "n").value == b"h:1"


@pytest.mark.parametrize("text", ["[]", " [ ]\n"])
def test_no_entry_is_none_registered(registry, text):
    result = feed(registry, text)
    assert (result.status, result.err) == (0, "INFO:root:0 services registered\n"), result
    assert keys(registry) == []


def test_addresses_that_nobody_can_connect_to_are_warned_of_once(registry):
    wanted = entries(1) + [{"service": f"t/any{i}", "location": where} for i, where in
                           enumerate(["[::]:80", "0.0.0.0:81", "[::]:82"])]
    said = feed(registry, json.dumps(wanted)).err.splitlines()
    assert len(said) == 2 and said[0].startswith("WARNING:root:entry 2: ") and "service/t/any0" in said[0], said
    assert said[1] == "INFO:root:4 services registered"


# leases and batches


def test_entries_of_one_ttl_share_leases(registry):
    mixed = entries(2500, ttl=600) + entries(300, 2500, ttl=900) + entries(300, 2800)
    mixed = [mixed[(i * 1009) % len(mixed)] for i in range(len(mixed))]  # 1009 is prime to 3100: each once
    result = feed(registry, json.dumps(mixed))
    assert result.err == "INFO:root:3100 services registered\n", result
    leases = collections.defaultdict(list)
    for kv in keys(registry):
        leases[kv.lease].append(kv.key)
    assert len(leases.pop(0)) == 300
    assert all(len(held) <= KEYS_MAX for held in leases.values())
    by_ttl = collections.Counter(registry.etcd.granted_ttl(lease) for lease in leases)
    assert by_ttl == {600: 3, 900: 1}
    assert all(lease >> 55 == 0x45 for lease in leases)
    assert {entry["service"].removeprefix(registry.root + "/service/"): entry["location"]
            for entry in listed(registry)} == {entry["service"]: entry["location"] for entry in mixed}


def test_the_option_is_for_entries_that_say_none(registry):
    result = feed(registry, json.dumps(entries(1, ttl=None) + entries(1, 1) + entries(1, 2, ttl=300)), "--ttl", "70")
    assert result.status == 0, result
    ttls = [registry.etcd.granted_ttl(kv.lease) for kv in keys(registry)]
    assert ttls == [70, 70, 300]


@pytest.mark.parametrize("ttls,count,leases_max", [
    (range(1000, 1065), 2000, 65), (range(1000, 1500), 2000, 64 + 22), (range(1, 2001), 2000, 64 + 50 + 190 + 30),
    ([60 + i * 7919 % 9000000000 for i in range(0, 3000000, 1500)], 2000, 64 + 960)])
def test_however_many_ttls_there_are_they_share_leases(registry, seed, ttls, count, leases_max):
    ttls = list(ttls)
    wanted = [{"service": f"t/n{i:05}", "location": "h:1", "ttl": ttls[i % len(ttls)]} for i in range(count)]
    given = random.sample(wanted, count)
    began = time.monotonic()
    assert feed(registry, json.dumps(given)).err == f"INFO:root:{count} services registered\n"
    leases = {kv.key: kv.lease for kv in keys(registry)}
    held = collections.Counter(leases.values())
    assert len(held) <= leases_max and max(held.values()) <= KEYS_MAX
    granted = {lease: registry.etcd.granted_ttl(lease) for lease in held}
    took_s = time.monotonic() - began
    exact = 0
    for entry in wanted:
        asked = max(entry["ttl"], 2)  # etcd's least
        ttl = granted.get(leases.get(registry.service_key(*entry["service"].split("/"))))
        if not ttl:
            assert took_s > asked, "it has not expired"
            continue
        assert asked <= ttl < asked * 1.02 + 1, (asked, ttl)
        assert asked > 50 or asked == ttl
        exact += asked == ttl
    assert exact >= min(64, len(ttls))


def test_64_ttls_are_kept_apart(registry):
    wanted = [{"service": f"t/n{i:04}", "location": "h:1", "ttl": 1000 + i % 64} for i in range(640)]
    assert feed(registry, json.dumps(wanted)).err == "INFO:root:640 services registered\n"
    found = keys(registry)
    assert [registry.etcd.granted_ttl(kv.lease) for kv in found] == [entry["ttl"] for entry in wanted]
    assert len({kv.lease for kv in found}) == 64


def test_what_is_there_already_is_replaced(registry):
    assert feed(registry, json.dumps(entries(700, ttl=600))).status == 0
    registry.delete("service", "t", "n000300")
    assert feed(registry, json.dumps(entries(900, weight=7))).err == "INFO:root:900 services registered\n"
    assert {json.loads(kv.value)["weight"] for kv in keys(registry)} == {7} and count_of(registry) == 900
    assert {kv.lease for kv in keys(registry)} == {0}


@pytest.fixture(scope="module", params=[100, 16, 1])
def narrow_etcd(request):
    server = Etcd(options=["--max-txn-ops", str(request.param)])
    yield server
    server.stop()


def test_an_etcd_that_takes_fewer_operations_gets_fewer(narrow_etcd, bind_registry):
    registry = bind_registry(narrow_etcd)
    wanted = entries(1000, ttl=600) + entries(100, 1000)
    for _ in range(2):
        assert feed(registry, json.dumps(wanted)).err == "INFO:root:1100 services registered\n"
    assert [kv.value.decode() for kv in keys(registry)] == [entry["location"] for entry in wanted]
    assert len({kv.lease for kv in keys(registry)}) == 2


def test_an_etcd_that_takes_fewer_operations_takes_all_commands(narrow_etcd, bind_registry):
    registry = bind_registry(narrow_etcd)
    one = ["--service-type", "t", "--service-name", "n"]
    for ttl in ([], ["--ttl", "60"]):
        registry.register("t", "n", "h:1", *ttl)
        registry.ok("service", "drain", *one)
        registry.ok("service", "undrain", *one)
        registry.unregister("t", "n")
        process = registry.hold("t", "n", "h:1", *ttl, "--refresh-every", "1")
        registry.delete("service", "t", "n")
        process.wait_line("vanished")
        assert process.stop() == 0 and registry.service("t", "n") is None
    for args in (["set", "s", "no"], ["toggle", "s"], ["cas", "s", "a", "yes"], ["remove", "s"]):
        registry.ok("switch", *args)


def test_an_etcd_that_takes_shorter_requests_gets_shorter(bind_registry):
    server = Etcd(options=["--max-request-bytes", "60000"])
    try:
        registry = bind_registry(server)
        txt = {f"k{i:02}": "x" * 200 for i in range(30)}
        assert feed(registry, json.dumps(entries(300, txt=txt))).err == "INFO:root:300 services registered\n"
        assert count_of(registry) == 300
    finally:
        server.stop()


def test_a_last_second_is_still_a_ttl(registry):
    assert feed(registry, '[{"service": "t/n", "location": "h:1", "ttl": 0}]').status == 0
    wait_until(lambda: keys(registry) == [], 15, "it expired")


def test_long_values_make_smaller_transactions(registry):
    txt = {f"k{i:02}": "\x01" * 200 for i in range(38)}
    assert feed(registry, json.dumps(entries(200, txt=txt))).err == "INFO:root:200 services registered\n"
    assert all(len(kv.value) > 45000 for kv in keys(registry)) and count_of(registry) == 200
    assert [entry["txt"] for entry in listed(registry)] == [txt] * 200


# what is wrong


BAD = [
    ("", "empty"),
    (" \n", "empty"),
    ("5", "not an array of JSON objects behind entry 0"),
    ('"[]"', "not an array of JSON objects behind entry 0"),
    ("[1]", "not an array of JSON objects behind entry 0"),
    ("[[]]", "not an array of JSON objects behind entry 0"),
    ("[OK OK]", "not an array of JSON objects behind entry 1"),
    ("[OK,]", "not an array of JSON objects behind entry 1"),
    ("[OK, null]", "not an array of JSON objects behind entry 1"),
    ("[OK] x", "not an array of JSON objects behind entry 1"),
    ("[OK", "cut off behind entry 1"),
    ('[OK, {"service": "t/cut', "cut off behind entry 1"),
    ("[OK, {]}]", "entry 2: not JSON"),
    ('[OK, {"service" "t/n"}]', "entry 2: not JSON"),
    ("[OK, {}]", 'entry 2: no member "service"'),
    ('[OK, {"service": 5, "location": "h:1"}]', 'entry 2: member "service": not a string'),
    ('[OK, {"service": "t", "location": "h:1"}]', 'entry 2: "t": neither a key nor TYPE/NAME'),
    ('[OK, {"service": "t/a/b", "location": "h:1"}]', 'entry 2: "t/a/b": service name "a/b"'),
    ('[OK, {"service": "t/", "location": "h:1"}]', 'entry 2: "t/": service name ""'),
    ('[OK, {"service": "t/a\\u0000b", "location": "h:1"}]', 'entry 2: "t/a'),
    ('[OK, {"service": "/elsewhere/service/t/n", "location": "h:1"}]',
     'entry 2: "/elsewhere/service/t/n": not below /'),
    ('[OK, {"service": "dns-sd/n", "location": "h:1"}]', 'entry 2: "dns-sd/n": service type "dns-sd"'),
    ('[OK, {"service": "t/n"}]', 'entry 2: "t/n": no member "location"'),
    ('[OK, {"service": "t/n", "location": 5}]', 'entry 2: "t/n": member "location": not a string'),
    ('[OK, {"service": "t/n", "location": "nowhere"}]', 'entry 2: "t/n": member "location": '),
    ('[OK, {"service": "t/n", "location": "h:1", "ttl": "5"}]', 'entry 2: "t/n": member "ttl": neither null nor'),
    ('[OK, {"service": "t/n", "location": "h:1", "ttl": -1}]', 'entry 2: "t/n": member "ttl": neither null nor'),
    ('[OK, {"service": "t/n", "location": "h:1", "ttl": 1.5}]', 'entry 2: "t/n": member "ttl": neither null nor'),
    ('[OK, {"service": "t/n", "location": "h:1", "ttl": 1e99}]', 'entry 2: "t/n": member "ttl": neither null nor'),
    ('[OK, {"service": "t/n", "location": "h:1", "protocol": "sctp"}]', 'entry 2: "t/n": member "protocol": '),
    ('[OK, {"service": "t/n", "location": "h:1", "priority": "5"}]', 'entry 2: "t/n": member "priority": '),
    ('[OK, {"service": "t/n", "location": "h:1", "weight": 65536}]', 'entry 2: "t/n": member "weight": '),
    ('[OK, {"service": "t/n", "location": "h:1", "txt": ["a"]}]', 'entry 2: "t/n": member "txt": '),
    ('[OK, {"service": "t/n", "location": "h:1", "txt": {"a": 1}}]', 'entry 2: "t/n": member "txt": '),
    ('[OK, {"service": "t/n", "location": "h:1", "txt": {"a": "1", "A": "2"}}]', 'entry 2: "t/n": member "txt": '),
    ('[OK, {"service": "t/n", "location": "h:1", "subtypes": [""]}]', 'entry 2: "t/n": member "subtypes": '),
    ('[OK, {"service": "t/n", "location": "h:1", "state": "sleepy"}]', 'entry 2: "t/n": member "state": '),
    ('[OK, {"service": "t/n", "location": "h:1", "prio": 1}]', 'entry 2: "t/n": unknown member "prio"'),
    ('[OK, {"service": "t/n", "location": "h:1", "location": "h:2"}]',
     'entry 2: "t/n": member "location" is given twice'),
    ("[OK, OK]", 'service/t/ok": given twice'),
]


@pytest.mark.parametrize("text,fault", BAD, ids=[text or "nothing" for text, _ in BAD])
def test_what_is_wrong_is_said_and_what_went_before_stays(registry, text, fault):
    good = text.count("OK") - ("OK, OK" in text) - ("OK OK" in text)
    result = feed(registry, text.replace("OK", '{"service": "t/ok", "location": "h:1"}'))
    line = result.error_line()
    services = "service" if good == 1 else "services"
    assert line.startswith('ERROR:root:--from "-": ') and fault in line, line
    assert line.endswith(f"({good} {services} registered)"), line
    assert [kv.key for kv in keys(registry)] == [registry.service_key("t", "ok")] * good


@pytest.mark.parametrize("at", [1, 128, 129, 1700, 3000])
def test_all_before_the_wrong_one_are_registered(registry, at):
    wanted = entries(3000, ttl=500)
    wanted[at - 1]["weight"] = -1
    line = feed(registry, json.dumps(wanted)).error_line()
    assert f'entry {at}: "t/n{at - 1:06}": member "weight"' in line and f"({at - 1} service" in line, line
    assert [kv.key.decode()[-6:] for kv in keys(registry)] == [f"{i:06}" for i in range(at - 1)]


def test_one_that_comes_again_much_later_is_found(registry):
    line = feed(registry, json.dumps(entries(5000) + entries(1, 17))).error_line()
    assert "entry 5001: " in line and 't/n000017": given twice (5000 services registered)' in line, line


@pytest.mark.parametrize("file,fault", [("/nowhere/f.json", "No such file or directory"), ("/", "Is a directory")])
def test_a_file_that_cannot_be_read(registry, file, fault):
    line = registry("service", "register", "--from", file).error_line()
    assert line.startswith(f'ERROR:root:--from "{file}": {fault}'), line


@pytest.mark.parametrize("option", [["--service-type", "t"], ["--service-name", "n"], ["--service-location", "h:1"],
                                    ["--refresh-every", "5"], ["--protocol", "udp"], ["--priority", "1"],
                                    ["--weight", "1"], ["--txt", "a=b"], ["--subtype", "s"]])
def test_what_an_entry_says_is_no_option_as_well(registry, option):
    assert registry("service", "register", "--from", "-", *option).error_line(2) == (
        f"ERROR:root:{option[0]}: not together with --from")


def test_variables_that_are_meant_for_others_do_no_harm(registry):
    registry.env.update(EMPUSA_SERVICE_TYPE="x", EMPUSA_SERVICE_NAME="x", EMPUSA_SERVICE_LOCATION="x",
                        EMPUSA_SERVICE_REFRESH_EVERY="5")
    assert feed(registry, json.dumps(entries(1))).status == 0
    assert count_of(registry) == 1


def test_without_it_the_others_are_still_required(registry):
    assert "--service-type is missing" in registry("service", "register", "--ttl", "5").error_line(2)


def test_etcd_away_is_said(bind_registry, own_etcd):
    registry = bind_registry(own_etcd)
    own_etcd.kill()
    line = feed(registry, json.dumps(entries(1000))).error_line()
    assert line.startswith("ERROR:root:0 services registered, then: ") and "is etcd running there?" in line, line


# while it runs


class Fed(Process):
    """--from a pipe that stays open."""

    def __init__(self, registry, **options):
        self.input, theirs = os.pipe()[::-1]
        super().__init__([BINARY, "service", "register", "--from", f"/dev/fd/{theirs}"], env=registry.env,
                         pass_fds=[theirs], **options)
        os.close(theirs)

    def write(self, text):
        os.write(self.input, text.encode())

    def end(self):
        os.close(self.input)
        return self.wait(30)


def test_an_entry_does_not_wait_for_the_next(registry):
    process = Fed(registry)
    process.write("[" + json.dumps(entries(1, ttl=600)[0]))
    wait_until(lambda: count_of(registry) == 1, 5, "the first is there")
    process.write("," + json.dumps(entries(1, 1, ttl=600)[0]) + "]")
    wait_until(lambda: count_of(registry) == 2, 5, "the second is there")
    assert process.end() == 0 and process.err == ["INFO:root:2 services registered"]
    assert len({kv.lease for kv in keys(registry)}) == 1


def test_a_lease_takes_no_keys_when_half_its_time_is_over(registry):
    process = Fed(registry)
    process.write(json.dumps(entries(1, ttl=4)[0]))
    wait_until(lambda: count_of(registry) == 1, 5, "the first is there")
    time.sleep(2.5)
    process.write(json.dumps(entries(1, 1, ttl=4)[0]))
    wait_until(lambda: registry.service("t", "n000001"), 5, "the second is there")
    assert process.end() == 0
    assert len({kv.lease for kv in keys(registry)}) == count_of(registry)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(registry, number):
    process = Fed(registry)
    process.write("[" + "".join(json.dumps(entry) + "," for entry in entries(300)))
    wait_until(lambda: count_of(registry) == 300, 5, "they are there")
    process.send(number)
    assert process.wait() == 1
    assert process.err == ["ERROR:root:interrupted: 300 services registered"]
    assert count_of(registry) == 300


def test_a_signal_in_full_course_tells_what_is_registered(registry, tmp_path):
    file = tmp_path / "f.json"
    file.write_text(json.dumps(entries(60000)))
    process = registry.start("service", "register", "--from", str(file))
    wait_until(lambda: count_of(registry) > 500, 10, "it is under way")
    process.send(signal.SIGINT)
    assert process.wait() in (0, 1)
    told = int(re.search(r"(\d+) services registered", process.err[-1]).group(1))
    assert len(process.err) == 1 and count_of(registry) == told, process.err
    assert process.child.returncode == 0 or process.err[0].startswith("ERROR:root:interrupted: ")


def test_a_second_signal_does_not_wait_for_etcd(bind_registry, own_etcd):
    registry = bind_registry(own_etcd)
    process = Fed(registry)
    process.write(json.dumps(entries(1)[0]))
    wait_until(lambda: count_of(registry) == 1, 5, "it is connected")
    own_etcd.pause()
    process.write(json.dumps(entries(1, 1)[0]))
    time.sleep(0.6)
    process.send(signal.SIGINT)
    time.sleep(0.3)
    process.send(signal.SIGTERM)  # another one: of two of a kind that wait the kernel makes one
    began = time.monotonic()
    assert process.wait() == 1 and time.monotonic() - began < 2 * PATIENCE
    own_etcd.resume()


@pytest.mark.parametrize("signals", [1, 2])
def test_what_etcd_has_not_answered_when_a_signal_came_is_perhaps_registered(bind_registry, own_etcd, tmp_path, signals):
    registry = bind_registry(own_etcd)
    file = tmp_path / "f.json"
    file.write_text(json.dumps(entries(60000)))
    process = registry.start("--etcd-timeout", "2", "service", "register", "--from", str(file))
    wait_until(lambda: count_of(registry) > 500, 10, "it is under way")
    own_etcd.pause()
    for _ in range(signals):
        process.send(signal.SIGINT)
        time.sleep(0.3)
    try:
        assert process.wait(20) == 1
    finally:
        own_etcd.resume()
    told, perhaps = re.fullmatch(r"ERROR:root:interrupted: (\d+) services(?: and perhaps (\d+) more)? registered",
                                 process.err[-1]).groups()
    time.sleep(1)  # what was on its way is done
    assert int(told) <= count_of(registry) <= int(told) + int(perhaps or 0), process.err


def read_terminal(ours, shown=b""):
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # EIO: nobody has the other end any more
        pass
    os.close(ours)
    return shown.decode()


def test_only_a_person_sees_the_progress(registry):
    ours, theirs = pty.openpty()
    text = json.dumps(entries(500))
    reader, writer = os.pipe()
    child = subprocess.Popen([BINARY, "service", "register", "--from", "-"], env=registry.env, stdin=reader,
                             stdout=subprocess.DEVNULL, stderr=theirs, preexec_fn=die_with_parent)
    os.close(theirs)
    os.close(reader)
    os.write(writer, text[:-1].encode())
    shown = b""
    while not re.search(rb"\r\d+ written, \d+/s", shown):
        assert select.select([ours], [], [], 15 * PATIENCE)[0], shown
        shown += os.read(ours, 65536)
    os.write(writer, b"]")
    os.close(writer)
    assert child.wait(15 * PATIENCE) == 0
    assert read_terminal(ours, shown).endswith("INFO:root:500 services registered\r\n")


# memory


def peak_kib(pid):
    """Not ru_maxrss: that of a fork counts what its parent had. 0 when it has ended."""
    found = re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())
    return int(found.group(1)) if found else 0


def is_sanitized():
    return b"__asan_init" in pathlib.Path(BINARY).read_bytes() or b"__tsan_init" in pathlib.Path(BINARY).read_bytes()


def peak_of_from(registry, count):
    process = Fed(registry)
    process.write("[")
    wanted = entries(count, ttl=3000)
    for i in range(0, count, 500):
        process.write("".join(json.dumps(entry) + "," for entry in wanted[i:i + 500]))
    wait_until(lambda: count_of(registry) == count, 60, "all are there")
    peak = peak_kib(process.pid)
    process.send(signal.SIGINT)
    process.wait()
    return peak


def peak_of_list(registry, *args):
    child = subprocess.Popen([BINARY, "service", "list", *args], env=registry.env, stdout=subprocess.PIPE,
                             preexec_fn=die_with_parent)
    peak, text = 0, []
    while True:
        peak = max(peak, peak_kib(child.pid))
        piece = os.read(child.stdout.fileno(), 1 << 16)
        if not piece:
            break
        text.append(piece)
    child.stdout.close()
    assert child.wait() == 0
    return peak, b"".join(text).decode()


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer keeps memory for itself")
def test_memory_does_not_grow_with_the_entries(own_registry):
    few, many = 2000, 2 * PAGE + 10000
    assert peak_of_from(own_registry, few) + 4096 > peak_of_from(own_registry, many)
    peak, text = peak_of_list(own_registry, "--format", "json")
    assert len(json.loads(text)) == many
    table_peak, table = peak_of_list(own_registry)
    assert len(cells(table)) == many + 1
    own_registry.etcd.delete_prefix(own_registry.root + "/")
    assert feed(own_registry, json.dumps(entries(PAGE))).status == 0
    page_peak, _ = peak_of_list(own_registry, "--format", "json")
    page_table_peak, _ = peak_of_list(own_registry)
    assert peak < page_peak + 2048 and table_peak < page_table_peak + 2048


# long lists


@pytest.fixture(scope="module")
def long_registry(module_registry):
    wanted = [{"service": f"t/n{i:06}", "location": "h:1", "ttl": 3000 if i % 3 else None}
              for i in range(2 * PAGE + 1)]
    wanted[-1]["service"] = "t/n" + "x" * 100
    assert feed(module_registry, json.dumps(wanted)).status == 0
    return module_registry


def test_a_list_of_several_pages_is_whole_and_in_order(long_registry):
    found = listed(long_registry)
    names = [entry["service"] for entry in found]
    assert len(names) == 2 * PAGE + 1 and names == sorted(names)
    assert all((entry["ttl"] is None) == (i % 3 == 0) for i, entry in enumerate(found))
    assert all(2900 < entry["ttl"] <= 3000 for entry in found if entry["ttl"] is not None)


def test_the_first_page_settles_the_widths(long_registry):
    lines = long_registry.ok("service", "list").out.splitlines()
    assert len(lines) == 2 * PAGE + 1 + 4
    assert {len(line) for line in lines[:-2] + lines[-1:]} == {len("| t/n000000 | h:1        |  3000 |")}
    assert re.fullmatch(r"\| t/nx{100} \| h:1        \|  +(\d+)? \|", lines[-2]), lines[-2]


def test_a_list_is_of_one_revision_however_slowly_it_is_read(long_registry):
    reader, writer = os.pipe()
    child = subprocess.Popen([BINARY, "service", "list"], env=long_registry.env, stdout=writer,
                             preexec_fn=die_with_parent)
    os.close(writer)
    text = os.read(reader, 1000)  # the rest waits in the pipe
    long_registry.put("t", "n000001a", "h:1")
    long_registry.put("t", f"n{2 * PAGE - 10:06}a", "h:1")
    time.sleep(1)
    while piece := os.read(reader, 1 << 20):
        text += piece
    os.close(reader)
    long_registry.delete("service", "t", "n000001a")
    long_registry.delete("service", "t", f"n{2 * PAGE - 10:06}a")
    assert child.wait() == 0 and text.count(b"\n") == 2 * PAGE + 1 + 4
    assert b"a |" not in text


def test_a_list_whose_reader_leaves_ends_soon(long_registry):
    began = time.monotonic()
    done = subprocess.run(["sh", "-c", f"'{BINARY}' service list | head -n 5"], env=long_registry.env,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True, timeout=30 * PATIENCE)
    assert done.stdout.count(b"\n") == 5 and done.stderr == b""
    assert time.monotonic() - began < 10 * PATIENCE
