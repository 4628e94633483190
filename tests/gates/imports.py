"""Compares the undefined symbols of hot objects with tests/gates/imports.txt."""

import pathlib
import subprocess
import sys

build = pathlib.Path(sys.argv[1])
table = {}  # object -> the symbols that it may import
for line in pathlib.Path(__file__).with_name("imports.txt").read_text().splitlines():
    names, colon, symbols = line.partition("#")[0].partition(":")
    if not colon:
        continue
    for name in names.split():
        room, _, stem = name.rpartition("/")
        top, _, inner = room.partition("/")
        found = sorted((build / top / "CMakeFiles" / f"{room.replace('/', '_')}.dir" / inner).glob(f"{stem}.c.o"))
        if not found:
            sys.exit(f"imports.txt names {name}, which no object matches")
        for path in found:
            table.setdefault(path, set()).update(symbols.split())


def symbols_of(path, kind):
    out = subprocess.run(["nm", kind, path], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1] for line in out.splitlines()}


hot = set().union(*(symbols_of(path, "--defined-only") for path in table))
wrong = used = 0
for path, allowed in sorted(table.items()):
    imported = symbols_of(path, "--undefined-only") - hot
    used += len(imported)
    for symbol in sorted(imported - allowed):
        print(f"{path.parent.name}/{path.name[:-2]} imports {symbol}")
        wrong += 1
print(f"{len(table)} objects, {used} imports, {wrong} not allowed")
sys.exit(1 if wrong else 0)
