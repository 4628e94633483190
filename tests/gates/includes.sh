#!/bin/sh
# Includes point back only, along the order of the rooms in CMakeLists.txt; no cycles; every public header stands alone.
set -eu
/usr/bin/python3 tests/gates/includes.py
CC=clang-14 cmake -S . -B build-gates/clang -DCMAKE_BUILD_TYPE=Release -DEMPUSA_TESTS=ON >/dev/null
cmake --build build-gates/clang --target all_verify_interface_header_sets -j "$(nproc)" >build-gates/headers.log ||
    { cat build-gates/headers.log; exit 1; }
/usr/bin/python3 tests/gates/includes.py
