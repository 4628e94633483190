"""Checks that no module calls its way back to itself: what an object uses of another's, `nm` knows.

Counted are functions and data that one object file of the build defines and another leaves undefined.
"""

import pathlib
import re
import subprocess
import sys

build = pathlib.Path(sys.argv[1])
defined, undefined = {}, {}
for path in sorted(build.glob("*/CMakeFiles/*.dir/**/*.c.o")):
    top = path.relative_to(build).parts[0]
    if top == "tests":
        continue
    inner = path.relative_to(next(p for p in path.parents if p.suffix == ".dir"))
    module = f"{top}/{inner.as_posix()[:-4]}"
    if not pathlib.Path(module + ".c").exists():
        continue  # left over from an earlier build
    for line in subprocess.run(["nm", path], check=True, capture_output=True, text=True).stdout.splitlines():
        kind, symbol = line.split()[-2:]
        if kind == "U":
            undefined.setdefault(module, set()).add(symbol)
        elif kind.isupper():
            defined[symbol] = module
uses = {module: sorted({defined[symbol] for symbol in symbols if symbol in defined} - {module})
        for module, symbols in undefined.items()}

# Tarjan's strongly connected components.
index, low, stack, cycles = {}, {}, [], []


def visit(module):
    index[module] = low[module] = len(index)
    stack.append(module)
    for used in uses.get(module, ()):
        if used not in index:
            visit(used)
            low[module] = min(low[module], low[used])
        elif used in stack:
            low[module] = min(low[module], index[used])
    if low[module] == index[module]:
        at = stack.index(module)
        if len(stack) - at > 1:
            cycles.append(sorted(stack[at:]))
        del stack[at:]


for start in sorted(uses):
    if start not in index:
        visit(start)
for cycle in cycles:
    print("a cycle of calls: " + " <-> ".join(cycle))
    for module in cycle:
        for used in uses[module]:
            if used in cycle:
                names = sorted(s for s in undefined[module] if defined.get(s) == used)
                print(f"    {module} uses of {used}: {', '.join(names)}")
ORDER = re.search(r"set\(EMPUSA_ORDER\s+([^)]*)\)", pathlib.Path("CMakeLists.txt").read_text()).group(1).split()
wrong = 0
for module, others in uses.items():
    for used in others:
        room, other = module.rpartition("/")[0], used.rpartition("/")[0]
        if ORDER.index(other) > ORDER.index(room):
            print(f"{module} calls {used}, of a later room")
            wrong += 1
if not uses:
    sys.exit(f"{build} holds no objects: build first")
print(f"{len(uses)} objects, {sum(map(len, uses.values()))} uses, {len(cycles)} cycles of calls")
sys.exit(1 if cycles or wrong else 0)
