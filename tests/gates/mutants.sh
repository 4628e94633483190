#!/bin/sh
# mutants.sh [--seed N] [--count N] [--only GLOB] [--workers N] [--no-end] [--patch FILE...] - small mistakes that the
# tests should notice: see mutants.py. Takes hours, so it is run by name alone.
#
# A mutant may do what empusa never would: kill(-1, SIGKILL) needs one wrong constant. So everything here runs in
# namespaces of its own, where no other process is to be seen and nothing can be written but build-mutants and an
# empty /tmp; and all of it dies with this script.
set -eu
cd "$(dirname "$0")/../.."

command -v ninja >/dev/null || { echo "mutants.sh: needs ninja (ninja-build)" >&2; exit 1; }
mkdir -p build-mutants
map=
[ "$(id -u)" = 0 ] || map=--map-root-user
# shellcheck disable=SC2016,SC2086 # the inner shell expands; $map is one word or none
exec unshare $map --mount --pid --fork --kill-child --mount-proc sh -c '
    set -eu
    mount --bind build-mutants build-mutants
    mount -t tmpfs tmpfs /tmp
    mount -o remount,bind,ro /
    cd "$PWD"
    PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/gates/mutants.py "$@"
    exit $?' mutants "$@"
