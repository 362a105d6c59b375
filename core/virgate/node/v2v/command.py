"""The converter's command line (spec engine-logic 8.5). No password is ever in it."""

from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from virgate.node.v2v.wish import Wish

PROGRAM, PACKAGE = "virt-v2v", "virt-v2v"
GENTLY = ("nice", "-n", "19", "ionice", "-c", "3")
# ssh asks for the keys' passphrases of nobody: an agent holds the keys of the daemon's user.
WITH_KEYS = ("ssh-agent", "sh", "-c", 'ssh-add && exec "$@"', "sh")


SHORT = 70
"""Characters of a folder's path that leave room for the names of sockets below it; the kernel takes 107 in all."""


@frozen
class Places:
    """Folders of one job."""

    storage: Path
    """A domain's folder as the converter knows it: images/IMAGE/VOLUME are links to the prepared volumes."""
    result: Path
    """Where `JOB.ovf` appears."""
    work: Path
    """For overlays, which may become large."""
    password: Path | None = None


def from_hypervisor(job: str, wish: Wish, uri: str, kind: str, places: Places) -> list[str]:
    """`kind` is vmware or xen."""
    program = [*GENTLY, PROGRAM, "-v", "-x"]
    password = ["-ip", str(places.password)] if places.password else []
    argv = ["-ic", uri, *_target(wish, places), *_disks(wish), *password, *_result(job, places)]
    keys = WITH_KEYS if kind == "xen" else ()
    return [*keys, *program, *argv, "-os", str(places.storage), wish.name]


def from_archive(job: str, wish: Wish, path: str, places: Places) -> list[str]:
    argv = ["-i", "ova", path, *_target(wish, places), *_result(job, places)]
    return [*GENTLY, PROGRAM, "-v", "-x", *argv, "-os", str(places.storage), *_disks(wish)]


def environment(base: Mapping[str, str], wish: Wish, places: Places) -> dict[str, str]:
    """libguestfs starts its own QEMU: through libvirt it would meet the machines of this host."""
    work = str(places.work)
    found = {"LIBGUESTFS_BACKEND": "direct", **base, "LC_ALL": "C.UTF-8", "VIRT_V2V_TMPDIR": work}
    if len(work) <= SHORT:  # then only a folder of sockets is left in /tmp when it is killed
        found |= {"TMPDIR": work, "XDG_RUNTIME_DIR": work}
    return {**found, "VIRTIO_WIN": wish.drivers} if wish.drivers else found


def _target(wish: Wish, places: Places) -> list[str]:
    compat = ["-oo", f"vdsm-compat={wish.compat}"] if wish.compat and wish.format == "qcow2" else []
    return ["-o", "vdsm", *compat, "-of", wish.format, "-oa", wish.allocation]


def _disks(wish: Wish) -> list[str]:
    return [
        part
        for one in wish.volumes
        for part in ("-oo", f"vdsm-image-uuid={one.image}", "-oo", f"vdsm-vol-uuid={one.volume}")
    ]


def _result(job: str, places: Places) -> list[str]:
    return ["-oo", f"vdsm-vm-uuid={job}", "-oo", f"vdsm-ovf-output={places.result}", "--machine-readable"]
