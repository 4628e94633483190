"""Compares the calls of allocators in the objects of a debug build with those that tests have seen fail.

Both are addresses, and debug information makes both a line of source: a function that was inlined in several places
is one place, and each line that asks for memory is a place of its own. What a test has seen stands in
BUILD/allocations/<program> as tests/support/allocation.c writes it.
"""

import pathlib
import re
import subprocess
import sys

build = pathlib.Path(sys.argv[1])
root = pathlib.Path.cwd()
ROOMS = re.compile(r"(registry|zones|dns|cli/serve)/")
header = pathlib.Path("tests/support/allocators.h").read_text()
allocators = set(re.findall(r"^ +X\((\w+)", header, re.MULTILINE))


def run(*args, given=""):
    return subprocess.run(args, check=True, capture_output=True, text=True, input=given).stdout


def lines_of(binary, addresses, *options):
    """The functions and places of addresses, as 'tree_put' and 'cli/serve/tree.c:12'."""
    said = run("addr2line", "-f", *options, "-e", str(binary), given="\n".join(addresses)).splitlines()
    for function, place in zip(said[::2], said[1::2]):
        path, _, line = place.partition(" ")[0].rpartition(":")
        path = pathlib.Path(path)
        yield function, path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path), line


asked = {}  # (file, line, allocator) -> function
objects = 0
for path in sorted(build.glob("*/CMakeFiles/*.dir/**/*.c.o")):
    source = f"{path.relative_to(build).parts[0]}/{path.as_posix().partition('.dir/')[2][:-2]}"
    if not ROOMS.match(source) or not pathlib.Path(source).exists():
        continue
    objects += 1
    section, found = None, {}
    for line in run("objdump", "-r", path).splitlines():
        if line.startswith("RELOCATION RECORDS FOR"):
            section = line.partition("[")[2].partition("]")[0]
        called = re.match(r"(\w+) R_\w+ +(\w+)", line)
        if called and called[2] in allocators and section.startswith(".text"):
            found.setdefault(section, []).append((called[1], called[2]))
    for section, calls in found.items():
        places = lines_of(path, [address for address, _ in calls], "-j", section)
        for (function, file, line), (_, allocator) in zip(places, calls):
            asked[(file, line, allocator)] = function

refused = set()
for path in sorted((build / "allocations").iterdir()):
    sites = [line.split() for line in path.read_text().splitlines()]
    places = lines_of(build / "tests" / path.name, [address for address, _ in sites])
    refused |= {(file, line, allocator) for (_, file, line), (_, allocator) in zip(places, sites)}

excused = {}  # (file, function, allocator) -> reason
for line in pathlib.Path(__file__).with_suffix(".txt").read_text().splitlines():
    row = re.match(r"(\S+\.[ch]) (\w+) (\w+): (.+)", line)
    if row:
        excused[row[1], row[2], row[3]] = row[4]
problems, used = [], set()
for (file, line, allocator), function in sorted(asked.items(), key=lambda site: (site[0][0], int(site[0][1]))):
    key = file, function, allocator
    if (file, line, allocator) in refused:
        continue
    if key in excused:
        used.add(key)
    else:
        problems.append(f"{file}:{line}: {function}() calls {allocator}(), which no test has seen fail")
problems += [f"allocations.txt: {' '.join(key)}: nothing to excuse" for key in sorted(set(excused) - used)]
print("\n".join(problems))
if not objects or not refused:
    sys.exit(f"{build} holds no objects, or no test ran")
print(f"{objects} objects, {len(asked)} places that allocate, {len(used)} excused, {len(problems)} problems")
sys.exit(1 if problems else 0)
