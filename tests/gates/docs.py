"""Compares the README with the rows of commands and options, as `empusa markdown` prints them."""

import pathlib
import re
import subprocess
import sys

binary, readme = sys.argv[1], pathlib.Path(sys.argv[2])
text = readme.read_text(encoding="utf-8")
TABLE = re.compile(r"^\|.*\n\|[-|]+\n(?:\|.*\n)*", re.MULTILINE)
MUST_HAVE = ("command", "global option", "option")  # the first cells of the header rows


def run(*args):
    return subprocess.run([binary, *args], check=True, capture_output=True, text=True).stdout


def by_header(markdown):
    return {found.group().splitlines()[0]: found.group() for found in TABLE.finditer(markdown)}


rows = by_header(run("markdown"))
shown = by_header(text)
heads = {header.split("|")[1].strip() for header in rows if header in shown}
problems = [f"no table of {head}s as the program prints it" for head in MUST_HAVE if head not in heads]
for header, table in rows.items():
    if header in shown and shown[header] != table:
        text = text.replace(shown[header], table)
        differ = set(shown[header].splitlines()) ^ set(table.splitlines())
        problems.append("not as the program prints it:\n  " + "\n  ".join(sorted(differ)))
if "--write" in sys.argv:
    readme.write_text(text, encoding="utf-8")
    sys.exit(0)

commands = {line.split("`")[1] for line in rows[next(h for h in rows if h.startswith("| command "))].splitlines()[2:]}
known = set(re.findall(r"--[a-z][a-z-]*", "".join(rows.values())))
# Of cmake, a test run, every command, the benchmark, etcd, pkg-config and the linker.
others = {"--build", "--install", "--prefix", "--target", "--long", "--no-packages", "--etcd", "--help", "--size",
          "--max-txn-ops", "--max-request-bytes", "--cflags", "--libs", "--static", "--variable", "--as-needed"}
for option in sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) - known - others):
    problems.append(f"{option}: no command has this option")
for used in sorted(set(re.findall(r"empusa ((?:service|switch) [a-z]+|serve|dev|completion)\b", text))):
    if used not in commands:
        problems.append(f"empusa {used}: no such command")
rooms = re.search(r"set\(EMPUSA_ORDER\s+([^)]*)\)", pathlib.Path("CMakeLists.txt").read_text()).group(1).split()
places = re.findall(r"^\| `((?:registry|zones|dns|cli)/[a-z/]*)`", text, re.MULTILINE)
if [place.rstrip("/") for place in places] != rooms:
    problems.append(f"the table of places is not that of the rooms: {' '.join(rooms)}")
for command in commands:
    run(*command.split(), "--help")
print("\n".join(problems) if problems else f"{len(commands)} commands, {len(known)} options")
sys.exit(1 if problems else 0)
