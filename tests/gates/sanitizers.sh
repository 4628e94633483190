#!/bin/sh
# The unit and the end-to-end tests, and a short soak of the faults, under AddressSanitizer, UndefinedBehaviorSanitizer and LeakSanitizer.
set -eu
waiting=$((2 * $(nproc)))
build=$PWD/build-gates/asan
# Warnings (-w) are left to the ordinary builds: beside instrumentation gcc's are not to be trusted.
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Debug -DEMPUSA_TESTS=ON -DEMPUSA_SANITIZE=address,undefined \
    -DCMAKE_C_FLAGS='-O1 -w -fno-sanitize-recover=all' >/dev/null
cmake --build "$build" -j "$(nproc)"
reports=$build/reports
rm -rf "$reports"
mkdir "$reports"
# In files: what a daemon says at its end is not lost, whoever reads its standard error.
ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:log_path=$reports/asan
UBSAN_OPTIONS=print_stacktrace=1:log_path=$reports/ubsan
export ASAN_OPTIONS UBSAN_OPTIONS
status=0
ctest --test-dir "$build" -j "$waiting" --output-on-failure --no-tests=error || status=1
EMPUSA_BINARY=$build/empusa EMPUSA_PATIENCE=4 /usr/bin/python3 -m pytest -q -p no:cacheprovider -n "$waiting" \
    -m 'not once' tests/end tests/faults/test_late.py tests/faults/test_proof.py || status=1
EMPUSA_BINARY=$build/empusa EMPUSA_PATIENCE=4 EMPUSA_SOAK_SECONDS=25 EMPUSA_SOAK_ENTRIES=4000 EMPUSA_SOAK_RATE=300 \
    /usr/bin/python3 -m pytest -q -p no:cacheprovider tests/faults/test_soak.py || status=1
for report in "$reports"/*; do
    [ -e "$report" ] || continue
    status=1
    cat "$report"
done
exit "$status"
