"""Checks the quoted includes of the four libraries: their direction, their form and their cycles.

A module is a .c file with the .h file of the same name. No module may reach itself.
"""

import pathlib
import re
import sys

ORDER = ["registry", "zones", "dns", "cli"]
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)

problems = []
uses = {}  # module -> the modules it includes
for rank, folder in enumerate(ORDER):
    for path in sorted(pathlib.Path(folder).rglob("*.[ch]")):
        module = f"{folder}/{path.stem}"
        for target in INCLUDE.findall(path.read_text()):
            head, slash, name = target.rpartition("/")
            if target.startswith(".") or "/" in head:
                problems.append(f'{path}: "{target}": a file of this folder is "x.h", of an earlier one "folder/x.h"')
                continue
            other = head or folder
            if slash and other == folder:
                problems.append(f'{path}: "{target}": inside a folder it is "{name}"')
            elif other not in ORDER or ORDER.index(other) > rank:
                problems.append(f'{path}: "{target}": includes point back along {" <- ".join(ORDER)}')
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
