#!/bin/sh
# Everything compiles without a warning under clang, too; gcc's build is the one that the tests run.
set -eu
CC=clang-14 cmake -S . -B build-gates/clang -DCMAKE_BUILD_TYPE=Release -DEMPUSA_TESTS=ON >/dev/null
cmake --build build-gates/clang -j "$(nproc)"
