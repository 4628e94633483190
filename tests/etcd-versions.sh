#!/bin/sh
# etcd-versions.sh DIR [SUITE...] - unpack etcd and etcdctl of other Debian releases into DIR/SUITE/usr/bin.
#
# bullseye has etcd 3.3, bookworm 3.4, trixie 3.5. The system's packages are not touched. The archive is
# the one that apt uses here.
set -eu
dir=$1
shift
[ "$#" -gt 0 ] || set -- bullseye trixie

archive=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    sed -n -E 's#^(deb|URIs:) *(\[[^]]*\] *)?(https?://[^ ]*/debian)/?( .*)?$#\3#p' | head -n 1)
if [ -z "$archive" ]; then
    echo "etcd-versions.sh: apt's sources name no Debian archive" >&2
    exit 1
fi

apt() {
    apt-get -qq -o Dir::Etc::sourcelist="$scratch/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$scratch/lists" -o Dir::State::status="$scratch/status" \
        -o Dir::Cache="$scratch/cache" -o APT::Sandbox::User=root -o Acquire::Retries=3 "$@"
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
for suite in "$@"; do
    if [ ! -x "$dir/$suite/usr/bin/etcd" ]; then
        mkdir -p "$scratch/lists/partial" "$scratch/cache/archives/partial" "$scratch/$suite"
        cp /var/lib/dpkg/status "$scratch/status"
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive $suite main" \
            >"$scratch/sources.list"
        apt update
        (cd "$scratch/$suite" && apt download "etcd-server/$suite" "etcd-client/$suite")
        mkdir -p "$dir/$suite"
        for deb in "$scratch/$suite"/*.deb; do
            dpkg -x "$deb" "$dir/$suite"
        done
    fi
    "$dir/$suite/usr/bin/etcd" --version | head -n 1
done
