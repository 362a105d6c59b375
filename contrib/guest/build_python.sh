#!/bin/sh
# Makes build/guest/initrd-python.img: the test guest with Python and the guest agent in it.
#
# A second archive is put behind the initrd of build.sh, which Linux unpacks over the first. It holds this system's
# python3, only those of its modules that the agent loads, the libraries they need, and ./agent-init, which the kernel
# starts with `rdinit=/agent-init`. Does nothing when the result is newer than its sources; `--force` builds anew.
# Needs: python3, cpio, gzip, ldd, and what build.sh needs.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$(dirname "$here")")
target=${VIRGATE_GUEST_DIR:-$root/build/guest}
python=/usr/bin/python3

current() {
    [ -s "$target/initrd-python.img" ] \
        && [ -z "$(find "$here" "$root/guest/virgate_guest" "$target/initrd.img" "$(readlink -f $python)" -type f \
                   ! -name '*.pyc' -newer "$target/initrd-python.img" | head -n 1)" ]
}

# Every module that the agent may load, the children's as well, and what the interpreter needs to start.
list_modules() {
    PYTHONPATH=$root/guest PYTHONDONTWRITEBYTECODE=1 $python -S - <<'END'
import importlib, os, pkgutil, sys
import _socket, encodings.idna, encodings.latin_1, socket, stringprep, termios
import virgate_guest
for module in pkgutil.walk_packages(virgate_guest.__path__, "virgate_guest."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
import runpy, site  # of `python3 -m`
for module in list(sys.modules.values()):
    path = getattr(module, "__file__", None) or ""
    if path.startswith("/usr/"):
        print(path)
        cached = getattr(module, "__cached__", None)
        if cached and os.path.exists(cached):
            print(cached)
print(os.path.dirname(os.__file__) + "/os.py")  # where Python looks for its library
END
}

# The file as it is, at the same place inside.
take() {
    mkdir -p "tree$(dirname "$1")"
    cp -pL "$1" "tree$1"
}

take_with_libraries() {
    take "$1"
    ldd "$1" 2>/dev/null | tr ' \t' '\n' | grep '^/' | while read -r library; do take "$library"; done
}

make_archive() {
    mkdir -p tree/etc tree/sbin tree/usr/lib/virgate-guest tree/var/lib/dpkg
    take_with_libraries "$python"
    list_modules | sort -u | while read -r file; do
        case $file in *.so) take_with_libraries "$file" ;; *) take "$file" ;; esac
    done
    cp -r "$root/guest/virgate_guest" tree/usr/lib/virgate-guest/
    find tree/usr/lib/virgate-guest -name __pycache__ -prune -exec rm -rf {} +
    $python -m compileall -q -s tree -p / tree/usr/lib/virgate-guest
    install -m 755 "$here/agent-init" tree/agent-init
    printf '#!/bin/sh\necho "VIRGATE-SHUTDOWN $*" >/dev/console\n/bin/busybox poweroff -f\n' >tree/sbin/shutdown
    chmod 755 tree/sbin/shutdown
    printf 'NAME="Virgate test guest"\nID=virgate\nVERSION_ID="1"\nVERSION_CODENAME=oxgang\n' >tree/etc/os-release
    printf '127.0.0.1 localhost\n127.0.1.1 guest.example.test guest\n' >tree/etc/hosts
    [ ! -e /usr/share/zoneinfo/Europe/Paris ] || take /usr/share/zoneinfo/Europe/Paris
    ln -s /usr/share/zoneinfo/Europe/Paris tree/etc/localtime
    printf 'Package: cloud-init\nStatus: install ok installed\nVersion: 22.4.2-1\n\n' >tree/var/lib/dpkg/status
    (cd tree && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) | gzip -1 >python.img
}

"$here/build.sh"
mkdir -p "$target"
exec 9>"$target/.lock-python"
flock 9
[ "${1:-}" = --force ] || ! current || exit 0
work=$(mktemp -d "$target/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
make_archive
# The kernel looks for the next archive at a multiple of four.
{ cat "$target/initrd.img"; head -c $(((4 - $(stat -c %s "$target/initrd.img") % 4) % 4)) /dev/zero; cat python.img; } \
    >initrd-python.img
mv -f initrd-python.img "$target/initrd-python.img"
echo "guest: built $target/initrd-python.img" >&2
