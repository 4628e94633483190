#!/bin/sh
# Lines of the libraries that the unit and end-to-end tests run; at least EMPUSA_COVERAGE per cent, default 90.
set -eu
waiting=$((2 * $(nproc)))
build=$PWD/build-gates/coverage
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Debug -DEMPUSA_TESTS=ON \
    -DCMAKE_C_FLAGS='-O0 --coverage -fprofile-update=atomic' >/dev/null
cmake --build "$build" -j "$(nproc)"
find "$build" -name '*.gcda' -delete
ctest --test-dir "$build" -j "$waiting" --output-on-failure --no-tests=error
EMPUSA_BINARY=$build/empusa EMPUSA_PATIENCE=4 /usr/bin/python3 -m pytest -q -p no:cacheprovider -n "$waiting" \
    -m 'not once' tests/end tests/faults/test_late.py tests/faults/test_proof.py
status=0
/usr/bin/python3 -m gcovr --root . --object-directory "$build" --filter '(registry|zones|dns|cli)/' \
    --exclude-unreachable-branches --exclude-directories '.*CompilerId.*' --sort-percentage \
    --fail-under-line "${EMPUSA_COVERAGE:-90}" "$build" >"$build/coverage.txt" || status=$?
cat "$build/coverage.txt"
grep '^TOTAL' "$build/coverage.txt"
exit "$status"
