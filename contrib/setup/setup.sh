#!/bin/sh
# Prepares a Debian 12 machine for this checkout; `make setup`, `make demo` and `make check` call it.
#
#   contrib/setup/setup.sh run     what Virgate and its demo need
#   contrib/setup/setup.sh test    that, and what all tests and the lab need
#
# Installs missing Debian packages (as root or through sudo), makes .venv and installs Virgate into it. A second run
# finds everything in place and changes nothing. A bare Debian lacks git and make: `apt-get install git make` comes first.
set -eu

RUN_PACKAGES="libvirt-daemon-system libvirt-clients qemu-system-x86 qemu-utils seabios ipxe-qemu dmidecode
    python3-libvirt python3-sanlock python3-venv iproute2 kmod e2fsprogs genisoimage dosfstools mtools
    busybox-static cpio procps"
TEST_PACKAGES="sanlock lvm2 open-iscsi tgt nfs-ganesha nfs-ganesha-vfs nfs-common user-mode-linux udev gcc libc6-dev
    multipath-tools qemu-guest-agent ovmf swtpm swtpm-tools virt-v2v nbdkit libnbd-bin fdisk"
# The lab starts these programs itself, in namespaces of its own; the machine shall not serve them.
NOT_SERVICES="nfs-ganesha nfs-ganesha-lock tgt sanlock wdmd open-iscsi iscsid rpcbind nfs-common multipathd qemu-guest-agent mdadm mdmonitor ldmtool"

root=$(cd "$(dirname "$0")/../.." && pwd)
venv=$root/.venv
here=$root/contrib/setup

say() { echo "setup: $*" >&2; }
die() { say "$*"; exit 1; }

# Without our lock (descriptor 9): a daemon that a package starts would keep it.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@" 9<&-; else sudo "$@" 9<&-; fi
}

missing_packages() {
    for package in "$@"; do
        # shellcheck disable=SC2016  # dpkg expands the field, not the shell
        status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) || status=absent
        [ "$status" = installed ] || echo "$package"
    done
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=5 -o DPkg::Lock::Timeout=600 "$@"
}

install_once() {
    apt update && apt install -y --no-install-recommends "$@"
}

# Debian starts a service at once when its package is installed; policy-rc.d is its way to say no.
forbid_services() {
    [ ! -e /usr/sbin/policy-rc.d ] || return 0
    trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
    trap 'exit 130' INT TERM
    # shellcheck disable=SC2086  # a list of words
    names=$(printf '%s|' $NOT_SERVICES)
    printf '#!/bin/sh\ncase ${1%%.service} in %s) exit 101 ;; esac\nexit 0\n' "${names%|}" \
        | as_root tee /usr/sbin/policy-rc.d >/dev/null
    as_root chmod 755 /usr/sbin/policy-rc.d
}

# $@ are the test packages that were missing. What was installed before is the administrator's and is left alone.
keep_services_off_at_boot() {
    [ -d /run/systemd/system ] || return 0
    for package in "$@"; do
        dpkg -L "$package" | sed -n 's|.*/systemd/system/\([^/]*\)$|\1|p' | while read -r unit; do
            as_root systemctl disable --quiet --now "$unit" 2>/dev/null || true
        done
    done
}

install_packages() {
    # shellcheck disable=SC2086
    missing=$(missing_packages $1 | tr '\n' ' ')
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || die "needs these packages, and this is no Debian: $missing"
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null \
        || die "run this as root, or as root: apt-get install --no-install-recommends $missing"
    say "installing $missing"
    # shellcheck disable=SC2086  # rpcbind comes with nfs-common
    new=$(missing_packages $TEST_PACKAGES rpcbind)
    forbid_services
    attempt=1
    # shellcheck disable=SC2086
    until install_once $missing; do
        [ $attempt -lt 3 ] || die "apt-get failed three times; packages wanted: $missing"
        attempt=$((attempt + 1))
        sleep 5
    done
    # shellcheck disable=SC2046,SC2086  # those that are installed by now
    keep_services_off_at_boot $(for package in $new; do [ -n "$(missing_packages $package)" ] || echo $package; done)
}

# A copied or moved checkout brings a .venv whose programs point to the old place.
make_venv() {
    if [ -x "$venv/bin/python" ] && [ -x "$venv/bin/pip" ] && grep -q "^command = .* $venv\$" "$venv/pyvenv.cfg"; then
        return 0
    fi
    say "making $venv"
    /usr/bin/python3 -m venv --clear --system-site-packages "$venv"
}

# $1 is `run` or `test`. The stamp says what was installed and from which sources.
install_virgate() {
    sum=$(cat "$root/setup.py" "$here/constraints.txt" | sha256sum | cut -d' ' -f1)
    stamp=$venv/.virgate-setup
    installed=$(cat "$stamp" 2>/dev/null || true)
    [ "$installed" != "test $sum" ] && [ "$installed" != "$1 $sum" ] || return 0
    say "installing Virgate and its Python packages into $venv"
    what=$root
    [ "$1" = run ] || what="${root}[dev]"
    (cd "$root" && "$venv/bin/pip" install -q --disable-pip-version-check --retries 10 \
        -c "$here/constraints.txt" -e "$what")
    echo "$1 $sum" >"$stamp"
}

case "${1:-}" in
    run) packages=$RUN_PACKAGES ;;
    test) packages="$RUN_PACKAGES $TEST_PACKAGES" ;;
    *) die "usage: $0 run|test" ;;
esac
# Two commands started together prepare once.
exec 9<"$here"
flock 9
install_packages "$packages"
make_venv
install_virgate "$1"
