#!/bin/sh
# A while of libFuzzer for every parser, from its corpus: 30 s for the two that read clients' octets, else 10 s.
# EMPUSA_FUZZ_FACTOR multiplies the times.
set -eu
build=$PWD/build-gates/fuzz
CC=clang-14 cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Debug -DEMPUSA_FUZZ=ON \
    -DEMPUSA_SANITIZE=address,undefined -DCMAKE_C_FLAGS='-O1 -fno-sanitize-recover=all' >/dev/null
cmake --build "$build" -j "$(nproc)"
export ASAN_SYMBOLIZER_PATH=/usr/bin/llvm-symbolizer-14
count=0
for source in tests/fuzz/fuzz_*.c; do
    target=$(basename "$source" .c)
    name=${target#fuzz_}
    case $name in
    query | answer) seconds=30 ;;
    *) seconds=10 ;;
    esac
    seconds=$((seconds * ${EMPUSA_FUZZ_FACTOR:-1}))
    found=$build/found/$name
    mkdir -p "$found"
    set -- "$found"
    [ ! -d "tests/fuzz/corpus/$name" ] || set -- "$@" "tests/fuzz/corpus/$name"
    echo "$name: $seconds s"
    "$build/tests/$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -print_final_stats=1 \
        -verbosity=0 -artifact_prefix="$build/$name-" "$@"
    count=$((count + 1))
done
[ "$count" -gt 0 ] || {
    echo "no fuzz target"
    exit 1
}
echo "$count targets"
