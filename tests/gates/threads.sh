#!/bin/sh
# ThreadSanitizer over what has threads: the tests of zones/ and dns/, libempusa's, and the server asked while its tree
# changes, and while all sorts of things break.
set -eu
waiting=$((2 * $(nproc)))
build=$PWD/build-gates/tsan
# Warnings (-w) are left to the ordinary builds: beside instrumentation gcc's are not to be trusted.
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Debug -DEMPUSA_TESTS=ON -DEMPUSA_SANITIZE=thread \
    -DCMAKE_C_FLAGS='-O1 -w' >/dev/null
cmake --build "$build" -j "$(nproc)"

# gcc 12's ThreadSanitizer knows too few bits of address randomisation for some kernels.
echo 'int main(void) { return 0; }' >"$build/probe.c"
gcc -fsanitize=thread -o "$build/probe" "$build/probe.c"
fixed=
if ! "$build/probe" 2>/dev/null; then
    fixed='setarch -R'
    $fixed "$build/probe" || {
        echo "ThreadSanitizer does not run here, not even without address randomisation"
        exit 1
    }
fi

reports=$build/reports
rm -rf "$reports"
mkdir "$reports"
export TSAN_OPTIONS="halt_on_error=0:second_deadlock_stack=1:log_path=$reports/tsan"
status=0
# test_text has one thread, and lets ldns reallocate more often than ThreadSanitizer's allocator bears; the
# allocation that fails in test_empusa_open_memory is counted by the test, in two threads.
$fixed ctest --test-dir "$build" -E 'test_text|test_empusa_open_memory' -j "$waiting" --output-on-failure --no-tests=error \
    -R '^(zones|dns)/|^cli/serve/test_status_(http|pages)$|^registry/test_empusa' || status=1
EMPUSA_BINARY=$build/empusa EMPUSA_PATIENCE=4 $fixed /usr/bin/python3 -m pytest -q -p no:cacheprovider \
    -n "$waiting" tests/end/test_live.py tests/end/test_dns.py || status=1
EMPUSA_BINARY=$build/empusa EMPUSA_PATIENCE=4 EMPUSA_SOAK_SECONDS=25 EMPUSA_SOAK_ENTRIES=4000 EMPUSA_SOAK_RATE=300 \
    $fixed /usr/bin/python3 -m pytest -q -p no:cacheprovider tests/faults/test_soak.py || status=1
for report in "$reports"/*; do
    [ -e "$report" ] || continue
    status=1
    cat "$report"
done
exit "$status"
