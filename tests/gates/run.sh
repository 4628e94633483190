#!/bin/sh
# run.sh [--no-packages] [GATE...] - the measured promises: each gate is a script in this folder; all must pass.
set -eu
cd "$(dirname "$0")/../.."

packages=yes
if [ "${1-}" = --no-packages ]; then
    packages=
    shift
fi
all='format words spelling shell includes complexity clang tidy imports calls tested docs allocations sanitizers threads fuzz coverage'
[ "$#" -gt 0 ] || {
    # shellcheck disable=SC2086 # one word each
    set -- $all
}

[ -z "$packages" ] || sh cli/packages.sh build run tests gates
logs=$PWD/build-gates/logs
mkdir -p "$logs"
passed=0
failed=
for gate in "$@"; do
    before=$(date +%s)
    if sh "tests/gates/$gate.sh" >"$logs/$gate.log" 2>&1 </dev/null; then
        verdict=ok
        passed=$((passed + 1))
    else
        verdict=FAILED
        failed="$failed $gate"
    fi
    printf '%-11s %-7s %4d s  %s\n' "$gate" "$verdict" "$(($(date +%s) - before))" "$(tail -n 1 "$logs/$gate.log")"
    [ "$verdict" = ok ] ||
        grep -v -E '^\[ *[0-9]+%\]|^(Consolidate|Scanning) ' "$logs/$gate.log" | sed "s/^/    $gate: /" | tail -n 100
done
count=$(echo "$failed" | wc -w)
echo "gates: $passed passed, $count failed$failed"
[ "$count" -eq 0 ]
