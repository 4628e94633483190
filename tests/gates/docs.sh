#!/bin/sh
# The README's tables are those that the program prints; what it says of options and commands exists; the manual pages
# are clean. "python3 tests/gates/docs.py build/empusa README.md --write" brings the tables up to date.
set -eu
mkdir -p build-gates
cmake -S . -B build >/dev/null
cmake --build build -j "$(nproc)" >/dev/null
for page in empusa empusa-serve; do
    build/empusa man "$page" >build-gates/page
    warnings=$(LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 -Z build-gates/page 2>&1 >/dev/null)
    if [ -n "$warnings" ]; then
        echo "man $page: $warnings"
        exit 1
    fi
done
/usr/bin/python3 tests/gates/docs.py build/empusa README.md
