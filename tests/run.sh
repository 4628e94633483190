#!/bin/sh
# run.sh [--long] [--no-packages] [--etcd DIR] [PYTEST-ARGUMENT...] - install what is missing, build, run the unit and
# end-to-end tests.
#
# --long         adds what takes minutes, and etcd 3.3 and 3.5 from Debian's other releases
# --no-packages  installs nothing and runs with what is there; a test whose program is missing is skipped
# --etcd DIR     runs the etcd and the etcdctl of this directory, as $EMPUSA_ETCD does, instead of those in PATH
#
# Further arguments go to pytest (-k NAME, a file of tests/end or tests/faults). $PYTHON is the python3 with pytest, pytest-xdist and
# dnspython: Debian's, unless there is none.
set -eu
cd "$(dirname "$0")/.."

long=
packages=yes
skipping=
while [ "$#" -gt 0 ]; do
    case $1 in
    --long) long=--long ;;
    --no-packages)
        packages=
        skipping=--skip-missing
        ;;
    --etcd)
        [ -n "${2-}" ] || { echo "run.sh: --etcd DIR: which?" >&2; exit 2; }
        EMPUSA_ETCD=$2
        shift
        ;;
    --etcd=*) EMPUSA_ETCD=${1#*=} ;;
    *) break ;;
    esac
    shift
done
jobs=$(nproc)
waiting=$((2 * jobs))
# By its path: the python3 in PATH may be one without Debian's pytest and dnspython.
if [ -z "${PYTHON-}" ]; then
    PYTHON=/usr/bin/python3
    [ -x "$PYTHON" ] || PYTHON=python3
fi

[ -z "$packages" ] || sh cli/packages.sh build run tests
if [ -n "${EMPUSA_ETCD-}" ]; then
    case $EMPUSA_ETCD in /*) ;; *) EMPUSA_ETCD=$PWD/$EMPUSA_ETCD ;; esac
    export EMPUSA_ETCD
    etcd=$EMPUSA_ETCD
    [ ! -d "$etcd" ] || etcd=$etcd/etcd
else
    etcd=etcd
fi
"$etcd" --version | head -n 1
cmake -S . -B build
cmake --build build -j "$jobs"
cmake -S . -B build-test -DCMAKE_BUILD_TYPE=Debug -DEMPUSA_TESTS=ON
cmake --build build-test -j "$jobs"
if [ -n "$long" ] && [ -n "$packages" ] && [ -z "${EMPUSA_ETCD_VERSIONS-}" ]; then
    export EMPUSA_ETCD_VERSIONS="$PWD/build-test/etcd"
    sh tests/etcd-versions.sh "$EMPUSA_ETCD_VERSIONS"
fi

# Without pytest-xdist the tests run one after the other.
workers=
"$PYTHON" -c 'import pytest, dns' || { echo "run.sh: $PYTHON has no pytest or no dnspython: see PYTHON" >&2; exit 1; }
! "$PYTHON" -c 'import xdist' 2>/dev/null || workers="-n $waiting"
status=0
results=$PWD/build-test/results
rm -rf "$results"
mkdir "$results"
ctest --test-dir build-test -j "$waiting" --output-on-failure --no-tests=error \
    --output-junit "$results/unit.xml" || status=1
[ "$#" -gt 0 ] || set -- tests/end tests/faults
# Of the time of a test 15 % is work and the rest is waiting, so two to a core are done in half of the time;
# patience is for other load.
# shellcheck disable=SC2086 # $workers is two words or none
EMPUSA_BINARY="$PWD/build/empusa" EMPUSA_RESULTS="$results" EMPUSA_PATIENCE="${EMPUSA_PATIENCE:-4}" \
    "$PYTHON" -m pytest -q -p no:cacheprovider $workers --junit-xml "$results/end.xml" \
    $long $skipping "$@" </dev/null || status=1
"$PYTHON" tests/count.py "$results/unit.xml" "$results/end.xml" || status=1
exit "$status"
