#!/bin/sh
# Wherever registry/, zones/, dns/ and cli/serve/ ask for memory, a test has refused it there. allocations.txt lists
# where none can, and why.
set -eu
build=$PWD/build-test # as tests/run.sh makes it
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Debug -DEMPUSA_TESTS=ON >/dev/null
cmake --build "$build" -j "$(nproc)" >/dev/null
EMPUSA_ALLOCATION_SITES=$build/allocations
export EMPUSA_ALLOCATION_SITES
rm -rf "$EMPUSA_ALLOCATION_SITES"
mkdir "$EMPUSA_ALLOCATION_SITES"
ctest --test-dir "$build" -R '_memory$' -j "$((2 * $(nproc)))" --output-on-failure --no-tests=error
/usr/bin/python3 tests/gates/allocations.py "$build"
