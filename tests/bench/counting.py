"""Instructions per query, which do not depend on what else the machine does: counted by callgrind."""
import glob
import os
import re
import subprocess

import dataset
import servers

FEW, QUERIES = 500, 20_000
LOAD_LIMIT_S = 240


def wrapper(work, tag, at_start):
    return ["valgrind", "--tool=callgrind", f"--instr-atstart={'yes' if at_start else 'no'}",
            f"--callgrind-out-file={os.path.join(work, tag)}.callgrind.%p"]


def totals(work, tag):
    """(what triggered the dump, instructions) of each profile."""
    for path in glob.glob(glob.escape(os.path.join(work, tag)) + ".callgrind.*"):
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        trigger = re.search(r"^desc: Trigger: (.*)$", text, re.M)
        for total in re.findall(r"^totals: (\d+)", text, re.M):
            yield trigger.group(1) if trigger else "", int(total)


def counted(kind, setting, load, queries):
    """All user instructions of a server's life with so many queries, all its processes together."""
    tag = f"-counted-{queries}"
    server = kind(setting, wrapper(setting.work, kind.name + tag, True), tag)
    try:
        server.load(LOAD_LIMIT_S)
        load.run(server, "udp-closed", "--count", queries, seconds=60)
    finally:
        server.stop(patience_s=30)
    return sum(count for _, count in totals(setting.work, kind.name + tag))


def of_server(kind, setting, load):
    """User instructions per query: the difference of a life with many and one with few. (Turning callgrind
    on and off does not reach the processes that NSD forks.)"""
    return (counted(kind, setting, load, FEW + QUERIES) - counted(kind, setting, load, FEW)) / QUERIES


def micro(work, data, cpus):
    """{kind of query or change: {"ns", "octets", "instructions"}} of micro.c."""
    files = []
    for kind in [*dataset.MIX, "mix"]:
        files.append(os.path.join(work, "micro." + kind))
        data.write_queries(files[-1], None if kind == "mix" else [kind])
    keys, changes = os.path.join(work, "keys"), os.path.join(work, "changes")
    data.write_keys(keys)
    data.write_changes(changes)
    command = [os.path.join(work, "micro"), dataset.DOMAIN, keys, changes, *files]
    rows = {}
    for line in run(command, cpus).splitlines():
        name, ns, octets, _ = line.split()
        figures = {"ns": float(ns), "octets": float(octets)}
        rows[name.removeprefix("micro.")] = {key: value for key, value in figures.items() if value}
    counts = {line.split()[0]: int(line.split()[3])
              for line in run(wrapper(work, "micro", False) + command, cpus).splitlines()}
    for trigger, total in totals(work, "micro"):
        name = trigger.rpartition(" ")[2]
        if name in counts and total:
            rows[name.removeprefix("micro.")]["instructions"] = total / counts[name]
    return rows


def run(command, cpus):
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=900,
                          preexec_fn=servers.prepare(cpus))
    if done.returncode:
        raise RuntimeError(f"micro: {done.stderr.strip()[-1000:]}")
    return done.stdout
