#!/bin/sh
# A while of libFuzzer for every parser, from its corpus: 30 s for the two that read clients' octets, else 10 s; one on
# each core. EMPUSA_FUZZ_FACTOR multiplies the times.
set -eu
build=$PWD/build-gates/fuzz
CC=clang-14 cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Debug -DEMPUSA_FUZZ=ON \
    -DEMPUSA_SANITIZE=address,undefined -DCMAKE_C_FLAGS='-O1 -fno-sanitize-recover=all' >/dev/null
cmake --build "$build" -j "$(nproc)"
export ASAN_SYMBOLIZER_PATH=/usr/bin/llvm-symbolizer-14
targets=$(find tests/fuzz -name 'fuzz_*.c' | sed 's,.*/fuzz_,,; s,\.c$,,' | sort)
[ -n "$targets" ] || {
    echo "no fuzz target"
    exit 1
}
# Those that take longer first.
export build
status=0
# shellcheck disable=SC2016 # for the shell that xargs runs
{
    echo "$targets" | grep -x -e query -e answer | sed 's/$/ 30/'
    echo "$targets" | grep -v -x -e query -e answer | sed 's/$/ 10/'
} | xargs -P "$(nproc)" -L 1 sh -c '
    name=$0
    found=$build/found/$name
    mkdir -p "$found"
    set -- "$(($1 * ${EMPUSA_FUZZ_FACTOR:-1}))" "$found"
    [ ! -d "tests/fuzz/corpus/$name" ] || set -- "$@" "tests/fuzz/corpus/$name"
    seconds=$1
    shift
    "$build/tests/fuzz_$name" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -print_final_stats=1 \
        -verbosity=0 -artifact_prefix="$build/$name-" "$@" >"$build/$name.log" 2>&1' || status=1
for name in $targets; do
    echo "== $name"
    cat "$build/$name.log"
done
echo "$(echo "$targets" | wc -l) targets"
exit "$status"
