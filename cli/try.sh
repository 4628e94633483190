#!/bin/sh
# try.sh - install what is missing, build, and show a registry, its DNS names and a switch on this machine.
#
# Everything is private: an etcd of its own with temporary data, loopback only. On a terminal it stays up
# to be played with until Ctrl-C; else it ends by itself.
set -eu
cd "$(dirname "$0")/.."

sh cli/packages.sh build run
cmake -S . -B build >/dev/null
cmake --build build -j "$(nproc)"

# What the caller has set up for a registry of his own is not for this one.
for name in $(env | sed -n 's/^\(EMPUSA_[A-Z_]*\)=.*/\1/p'); do
    unset "$name"
done

said=$(mktemp)
dev=
finish() {
    if [ -n "$dev" ]; then
        kill "$dev" 2>/dev/null || true
        wait "$dev" 2>/dev/null || true
    fi
    rm -f "$said"
}
trap finish EXIT
trap 'exit 0' INT
trap 'exit 1' HUP TERM

is_up() {
    grep -q '^INFO:root:serving ' "$said" && grep -q 'export EMPUSA_TREE_ROOT=' "$said"
}

# Start `empusa dev` at a port and wait until it is up. Not up: why is in $said.
start() {
    build/empusa dev --listen "127.0.0.1:$1" >"$said" 2>&1 </dev/null &
    dev=$!
    tries=0
    until is_up; do
        tries=$((tries + 1))
        if [ "$tries" -gt 300 ] || ! kill -0 "$dev" 2>/dev/null; then
            return 1
        fi
        sleep 0.1
    done
}

port=5300
until start "$port"; do
    if ! grep -q -i 'in use' "$said" || [ "$port" = 5309 ]; then
        cat "$said" >&2
        echo "try.sh: empusa dev did not come up" >&2
        exit 1
    fi
    port=$((port + 1))
done
eval "$(grep -E -o 'export EMPUSA_(ETCD_ENDPOINT|TREE_ROOT)=[][A-Za-z0-9.:/_-]+' "$said")"

# Show a command, then run it; a change takes a moment from etcd to the DNS server.
show() {
    echo
    echo "\$ $*"
    case $1 in
    dig) sleep 0.2 ;;
    empusa)
        shift
        set -- build/empusa "$@"
        ;;
    esac
    "$@"
}
look_up() {
    show dig @127.0.0.1 -p "$port" +short "$@"
}

show empusa service register --service-type web --service-name shop --service-location 10.1.2.3:8080
show empusa service list
look_up _web._tcp.empusa.internal SRV
look_up web.service.empusa.internal A
show empusa switch set features/search enabled
look_up search.features.switch.empusa.internal TXT
show empusa switch toggle features/search
look_up search.features.switch.empusa.internal TXT

if [ -t 0 ] && [ -t 1 ]; then
    echo
    echo "It stays up until Ctrl-C, with DNS at port $port. In another terminal:"
    echo
    echo "  export PATH=\"$PWD/build:\$PATH\""
    echo "  export EMPUSA_ETCD_ENDPOINT=$EMPUSA_ETCD_ENDPOINT"
    echo "  export EMPUSA_TREE_ROOT=$EMPUSA_TREE_ROOT"
    wait "$dev"
fi
