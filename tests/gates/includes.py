"""Checks the quoted includes of the rooms: their direction, their form and their cycles.

A room is a folder of the four top folders that holds code. A module is a .c file with the .h file of the same name. No
module may reach itself. The rooms and their order stand in CMakeLists.txt.
"""

import pathlib
import re
import sys

ORDER = re.search(r"set\(EMPUSA_ORDER\s+([^)]*)\)", pathlib.Path("CMakeLists.txt").read_text()).group(1).split()
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)

problems = []
uses = {}  # module -> the modules it includes
for top in dict.fromkeys(room.partition("/")[0] for room in ORDER):
    for path in sorted(pathlib.Path(top).rglob("*.[ch]")):
        room = path.parent.as_posix()
        if room not in ORDER:
            problems.append(f"{path}: {room}/ is no room of CMakeLists.txt")
            continue
        module = f"{room}/{path.stem}"
        for target in INCLUDE.findall(path.read_text()):
            head, slash, name = target.rpartition("/")
            other = head or room
            if target.startswith(".") or (slash and head not in ORDER):
                problems.append(f'{path}: "{target}": a file of this room is "x.h", of an earlier one "folder/room/x.h"')
                continue
            if slash and other == room:
                problems.append(f'{path}: "{target}": inside a room it is "{name}"')
            elif ORDER.index(other) > ORDER.index(room):
                problems.append(f'{path}: "{target}": {other} comes after {room}')
            elif not pathlib.Path(other, name).exists():
                problems.append(f'{path}: "{target}": no such file')
            used = f"{other}/{pathlib.Path(name).stem}"
            if used != module:
                uses.setdefault(module, set()).add(used)

done, trail = set(), []


def visit(module):
    if module in trail:
        problems.append("a cycle: " + " -> ".join(trail[trail.index(module):] + [module]))
    elif module not in done:
        trail.append(module)
        for used in sorted(uses.get(module, ())):
            visit(used)
        trail.pop()
        done.add(module)


for start in sorted(uses):
    visit(start)
print("\n".join(problems) if problems else f"{len(uses)} modules, {sum(map(len, uses.values()))} includes, no cycle")
sys.exit(1 if problems else 0)
