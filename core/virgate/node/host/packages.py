"""Versions of the programs that managers ask for, under the names they ask for (`packages2`)."""

import os
from typing import Any

from virgate import __version__
from virgate.errors import VirgateError
from virgate.run import process

DEBIAN = {
    "qemu-system-x86": "qemu-kvm",
    "qemu-system-ppc": "qemu-kvm",
    "qemu-system-arm": "qemu-kvm",
    "qemu-utils": "qemu-img",
    "libvirt-daemon": "libvirt",
    "libspice-server1": "spice-server",
    "librbd1": "librbd1",
    "glusterfs-client": "glusterfs-cli",
}
_QUERY = ("dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Status}\n")

Packages = dict[str, dict[str, Any]]


async def read_packages() -> Packages:
    """`{name: {version, release, buildtime}}` of what is installed; on systems without dpkg only kernel and daemon."""
    found = own_packages(os.uname().release)
    try:
        asked = await process.run([*_QUERY, *DEBIAN], timeout=20.0)
    except VirgateError:
        return found
    return found | parse_packages(asked.stdout.decode(errors="replace"))


def own_packages(kernel: str) -> Packages:
    """The running kernel, and this daemon under the name old managers know."""
    version, _, release = kernel.partition("-")
    return {"kernel": _package(version, release), "vdsm": _package(__version__, "")}


def parse_packages(listing: str) -> Packages:
    found: Packages = {}
    for line in listing.splitlines():
        words = line.split()
        if len(words) == 3 and words[0] in DEBIAN and words[2] == "installed":
            upstream = words[1].partition(":")[2] or words[1]  # without the epoch
            version, _, release = upstream.rpartition("-") if "-" in upstream else (upstream, "", "")
            found[DEBIAN[words[0]]] = _package(version, release)
    return found


def _package(version: str, release: str) -> dict[str, Any]:
    return {"version": version, "release": release, "buildtime": 0}
