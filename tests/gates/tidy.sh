#!/bin/sh
# clang-tidy with the checks that .clang-tidy lists, over the libraries.
set -eu
CC=clang-14 cmake -S . -B build-gates/clang -DCMAKE_BUILD_TYPE=Release -DEMPUSA_TESTS=ON >/dev/null
find registry zones dns cli -name '*.c' | sort |
    xargs -n 4 -P "$(nproc)" clang-tidy-14 -p build-gates/clang --quiet 2>build-gates/tidy.log || {
    grep -E 'error:|fatal' build-gates/tidy.log || true
    exit 1
}
echo "$(find registry zones dns cli -name '*.c' | wc -l) files"
