#!/bin/sh
# Makes the test and demo guest: build/guest/vmlinuz and build/guest/initrd.img.
#
# The kernel is Debian's cloud kernel, downloaded and unpacked, never installed on this host. The initrd holds a static
# busybox, a few virtio modules and ./init. Does nothing when the result is newer than its sources; `--force` builds anew.
# Needs: apt, dpkg, cpio, gzip, kmod, busybox-static.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
target=${VIRGATE_GUEST_DIR:-$(dirname "$(dirname "$here")")/build/guest}
modules="virtio_pci virtio_blk virtio_scsi virtio_net virtio_console virtio_balloon virtio_rng
         sd_mod sr_mod ata_piix isofs button evdev"
PATH=$PATH:/usr/sbin:/sbin

say() { echo "guest: $*" >&2; }

current() {
    [ -s "$target/vmlinuz" ] && [ -s "$target/initrd.img" ] \
        && [ "$target/initrd.img" -nt "$here/init" ] && [ "$target/initrd.img" -nt "$here/build.sh" ]
}

# The meta package linux-image-cloud-ARCH names the package that holds the kernel.
kernel_package() {
    apt-cache depends --no-recommends --no-suggests "linux-image-cloud-$(dpkg --print-architecture)" 2>/dev/null \
        | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1
}

refresh_package_lists() {
    if [ "$(id -u)" = 0 ]; then apt-get -qq update; else sudo apt-get -qq update; fi
}

# `apt-get download` writes into the working directory and wants it readable by the user _apt, hence the option.
download() {
    package=$(kernel_package)
    [ -n "$package" ] || return 1
    say "downloading $package"
    apt-get -qq -o APT::Sandbox::User=root -o Acquire::Retries=3 download "$package"
}

unpack_kernel() {
    ls ./linux-image-*.deb >/dev/null 2>&1 || download || { refresh_package_lists && download; }
    dpkg-deb -x ./linux-image-*.deb kernel
    version=$(ls kernel/lib/modules)
    depmod -b kernel "$version"
}

make_initrd() {
    mkdir -p tree/bin tree/dev tree/proc tree/sys
    cp "$(command -v busybox)" tree/bin/busybox
    install -m 755 "$here/init" tree/init
    for module in $modules; do
        # A module that is built in has no file and prints "builtin NAME".
        modprobe -d "$PWD/kernel" -S "$version" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
    done | sort -u | while read -r file; do
        inside=tree/${file#"$PWD"/kernel/}
        mkdir -p "$(dirname "$inside")"
        cp "$file" "$inside"
    done
    for list in order builtin builtin.modinfo; do
        cp "kernel/lib/modules/$version/modules.$list" "tree/lib/modules/$version/"
    done
    depmod -b tree "$version"
    (cd tree && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) | gzip -1 >initrd.img
}

mkdir -p "$target"
exec 9>"$target/.lock"
flock 9                                   # two test runs may want the guest at the same moment
[ "${1:-}" = --force ] || ! current || exit 0
work=$(mktemp -d "$target/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
for kept in "$target"/linux-image-*.deb; do [ ! -e "$kept" ] || ln "$kept" .; done
unpack_kernel
make_initrd
for deb in linux-image-*.deb; do ln -f "$deb" "$target/$deb"; done
mv -f kernel/boot/vmlinuz-"$version" "$target/vmlinuz"
mv -f initrd.img "$target/initrd.img"
touch "$target/vmlinuz" "$target/initrd.img"
say "built $target/vmlinuz and initrd.img ($version)"
