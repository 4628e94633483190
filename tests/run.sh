#!/bin/sh
# run.sh [--long] [PYTEST-ARGUMENT...] - install what is missing, build, run the unit and end-to-end tests.
#
# --long adds what takes minutes, and etcd 3.3 and 3.5 from Debian's other releases. Further arguments go
# to pytest (-k NAME, a file of tests/end).
set -eu
cd "$(dirname "$0")/.."

long=
if [ "${1-}" = --long ]; then
    long=--long
    shift
fi
jobs=$(nproc)

sh cli/packages.sh build run tests
cmake -S . -B build
cmake --build build -j "$jobs"
cmake -S . -B build-test -DCMAKE_BUILD_TYPE=Debug -DEMPUSA_TESTS=ON
cmake --build build-test -j "$jobs"
if [ -n "$long" ] && [ -z "${EMPUSA_ETCD_VERSIONS-}" ]; then
    export EMPUSA_ETCD_VERSIONS="$PWD/build-test/etcd"
    sh tests/etcd-versions.sh "$EMPUSA_ETCD_VERSIONS"
fi

status=0
results=$PWD/build-test/results
rm -rf "$results"
mkdir "$results"
ctest --test-dir build-test -j "$jobs" --output-on-failure --no-tests=error \
    --output-junit "$results/unit.xml" || status=1
# By its path: the python3 in PATH may be one without Debian's pytest and dnspython.
# The tests mostly wait, so one to a core does not make them slow; patience is for other load.
EMPUSA_BINARY="$PWD/build/empusa" EMPUSA_PATIENCE="${EMPUSA_PATIENCE:-2}" \
    /usr/bin/python3 -m pytest -q -p no:cacheprovider -n "$jobs" --junit-xml "$results/end.xml" \
    ${long:+"$long"} "${@:-tests/end}" </dev/null || status=1
/usr/bin/python3 tests/count.py "$results/unit.xml" "$results/end.xml" || status=1
exit "$status"
