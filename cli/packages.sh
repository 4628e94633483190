#!/bin/sh
# packages.sh GROUP... - install the Debian packages that a step needs: build, run, tests, gates, bench.
#
# Nothing happens when all are there. What is missing is installed as root or through sudo. Packages that
# bring a daemon (etcd, name servers that read our zones in tests) would start it: a service that comes
# with a package installed here is neither started now nor at the next boot.
set -eu

packages() {
    case $1 in
    build) echo gcc libc6-dev make cmake pkgconf libcurl4-openssl-dev libcjson-dev libc-ares-dev \
        libuv1-dev liburcu-dev libssl-dev libldns-dev libmicrohttpd-dev libsqlite3-dev ;;
    run) echo etcd-server bind9-dnsutils ;;
    tests) echo g++ libcmocka-dev python3 python3-pytest python3-pytest-xdist python3-dnspython etcd-client nsd knot bind9 \
        bind9-utils knot-dnsutils ldnsutils unbound dnsmasq-base haproxy python3-pycares openssl curl jq procps \
         iproute2 valgrind zsh fish man-db systemd libseccomp2 util-linux faketime ;;
    bench) echo python3 etcd-client nsd knot valgrind curl ;;
    gates) echo clang-14 clang-tidy-14 clang-format-14 libclang-rt-14-dev llvm-14 pmccabe \
        codespell shellcheck gcovr util-linux binutils ninja-build patch ;;
    *) echo "packages.sh: no group '$1': build, run, tests, gates, bench" >&2; exit 2 ;;
    esac
}

service_of() {
    case $1 in
    etcd-server) echo etcd ;;
    nsd | knot | unbound | haproxy) echo "$1" ;;
    bind9) echo named ;;
    esac
}

is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "packages.sh: this is not a Debian machine (no dpkg-query and apt-get); Debian 12 is needed" >&2
    exit 1
fi
missing=
for group in "$@"; do
    list=$(packages "$group")
    for package in $list; do
        is_installed "$package" || missing="$missing $package"
    done
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
        echo "packages.sh: run as root, or install first:$missing" >&2
        exit 1
    }
    echo "packages.sh: installing with sudo:$missing" >&2
    exec sudo sh "$0" "$@"
fi
echo "packages.sh: installing$missing" >&2

# A service that is here already, from elsewhere, is none of ours.
ours=
for package in $missing; do
    service=$(service_of "$package")
    if [ -n "$service" ] && [ ! -e "/etc/init.d/$service" ] &&
        [ ! -e "/etc/systemd/system/$service.service" ] &&
        [ ! -e "/lib/systemd/system/$service.service" ]; then
        ours="$ours $service"
    fi
done

policy=/usr/sbin/policy-rc.d
mark='# made by empusa: no service starts while packages are installed'
finish() {
    for service in $ours; do
        service "$service" stop >/dev/null 2>&1 || true
        update-rc.d "$service" disable >/dev/null 2>&1 || true
    done
    if grep -qsF "$mark" "$policy"; then rm -f "$policy"; fi
}
trap finish EXIT
trap 'exit 1' HUP INT TERM
[ -e "$policy" ] || {
    printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy.$$"
    chmod 755 "$policy.$$"
    mv "$policy.$$" "$policy"
}

export DEBIAN_FRONTEND=noninteractive
apt() {
    apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" </dev/null >&2
}
apt update || echo "packages.sh: apt-get update failed, trying with the lists at hand" >&2
# shellcheck disable=SC2086 # names of packages, one word each
apt install -y --no-install-recommends $missing
