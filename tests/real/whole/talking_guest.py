"""A guest that talks: the test guest's initrd with a small oVirt agent of ours in shell, or with the real qemu-ga.

Another archive is put behind the initrd, which Linux unpacks over the first; `rdinit=/talk` starts what is in it beside
the guest's own init. The agent in shell speaks the protocol over the real virtio port; what it is asked to do it does
not do, but says that it did. It does go down.
"""

import subprocess
from pathlib import Path

INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox sh /talk.d/run &
exec /init
"""

COMMON = """
PATH=/bin:/sbin
port() {
    for dir in /sys/class/virtio-ports/*; do
        [ "$(cat "$dir/name" 2>/dev/null)" = "$1" ] && { echo "/dev/${dir##*/}"; return; }
    done
}
find_port() {
    while [ ! -x /bin/sleep ] || [ -z "$(port "$1")" ]; do /bin/busybox sleep 0.1; done
    port "$1"
}
"""

AGENT = """
exec 3<>"$(find_port com.redhat.rhevm.vdsm)"
said=0
user=alice
everything() {
    cat >&3 <<EOF
{"__name__": "session-startup"}
{"__name__": "active-user", "name": "$user"}
{"__name__": "applications", "applications": ["kernel-6.1", "ovirt-guest-agent-common-1.0.16"]}
{"__name__": "host-name", "name": "talking.example.test"}
{"__name__": "os-version", "version": "$(uname -r)"}
{"__name__": "network-interfaces", "interfaces": [{"name": "eth0", "hw": "52:54:00:00:00:01", "inet": ["192.0.2.7"], "inet6": ["fe80::1"]}]}
{"__name__": "disks-usage", "disks": [{"path": "/", "total": 10737418240, "used": 3221225472, "fs": "rootfs"}], "mapping": {}}
{"__name__": "fqdn", "fqdn": "talking.example.test"}
{"__name__": "timezone", "zone": "Europe/Paris", "offset": 60}
EOF
}
beat() {
    while :; do
        echo "{\\"__name__\\": \\"heartbeat\\", \\"free-ram\\": \\"96\\", \\"memory-stat\\": {\\"mem_total\\": 180000, \\"mem_unused\\": 98304}, \\"apiVersion\\": $said}" >&3
        said=3
        sleep 1
    done
}
beat &
member() { echo "$line" | sed 's/.*"'$1'": "\\([^"]*\\)".*/\\1/'; }
say() { echo "$1" >&3; }
while :; do
    # Without a host at the other end a read ends at once.
    read -r line <&3 || { sleep 1; continue; }
    case $line in
        *'"refresh"'*|*'"api-version"'*) everything ;;
        *lifecycle-event*reply_id*)
            say "{\\"__name__\\": \\"fqdn\\", \\"fqdn\\": \\"$(member type)\\"}"
            say "{\\"__name__\\": \\"completion\\", \\"reply_id\\": \\"$(member reply_id)\\", \\"done\\": true}" ;;
        *lock-screen*) say '{"__name__": "session-lock"}' ;;
        *log-off*) say '{"__name__": "session-logoff"}' ;;
        *'"login"'*)
            user=$(member username)
            say "{\\"__name__\\": \\"active-user\\", \\"name\\": \\"$user\\"}" ;;
        *'"mumble"'*) say 'this is no JSON'; say '{"__name__": "uninstalled"}'; say '' ;;
        *'"shutdown"'*) poweroff -f ;;
    esac
done
"""  # noqa: E501 (the guest's messages)

QEMU_AGENT = """
place=$(find_port org.qemu.guest_agent.0)
mkdir -p /run /var/run /etc
hostname asked.example.test
printf 'NAME="Example Linux"\\nID=example\\nVERSION_ID="9.1"\\n' >/etc/os-release
ip link set lo up
printf '#!/bin/sh\\necho TALK shutdown "$@" >/dev/console\\n/bin/busybox poweroff -f\\n' >/sbin/shutdown
chmod +x /sbin/shutdown
exec qemu-ga -m virtio-serial -p "$place" -t /run -f /run/qemu-ga.pid
"""


def agent_initrd(folder: Path, base: Path) -> Path:
    """The initrd whose guest has an oVirt agent."""
    return _initrd(folder, base, COMMON + AGENT, ())


def qemu_agent_initrd(folder: Path, base: Path) -> Path:
    """The initrd whose guest has Debian's qemu-ga."""
    return _initrd(folder, base, COMMON + QEMU_AGENT, [Path("/usr/sbin/qemu-ga")])


def _initrd(folder: Path, base: Path, script: str, programs: "list[Path] | tuple[()]") -> Path:
    tree = folder / "tree"
    (tree / "talk.d").mkdir(parents=True)
    (tree / "talk").write_text(INIT)
    (tree / "talk").chmod(0o755)
    (tree / "talk.d/run").write_text(script)
    for program in programs:
        _copy(tree, program, tree / "bin" / program.name)
        listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        for word in listed.split():
            if word.startswith("/"):
                _copy(tree, Path(word), tree / word[1:])
    names = "\n".join([".", *sorted(str(path.relative_to(tree)) for path in tree.rglob("*"))])
    packed = subprocess.run(
        ["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=tree, input=names.encode(), stdout=-1, check=True
    )
    made = folder / "initrd.img"
    first = base.read_bytes()
    made.write_bytes(first + bytes(-len(first) % 4) + packed.stdout)  # the kernel looks at multiples of four
    return made


def _copy(tree: Path, source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
    target.chmod(0o755)
