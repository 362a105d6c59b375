"""A program of its own: copies the disks of a machine that KVM runs elsewhere. Such a machine needs no conversion.

    python -m virgate.libvirt.fetching < ORDER

The order is JSON (uri, user, password, and disks: kind, name, pool, target). It says what it does as virt-v2v does, so
one parser follows both; what fails stands on standard error, and the exit code is 1.
"""

import json
import os
import stat
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import libvirt

from virgate.libvirt.errors import HypervisorFailed
from virgate.libvirt.external import connected

PEEK = 1 << 20
"""Bytes that libvirt reads of a disk at a time."""
SPARE = 64 << 20
"""Bytes that a disk's file may have beyond the size it was announced with: headers and tables of qcow2."""

Report = Callable[[int, int], None]


class Target:
    """A prepared volume, written from the beginning on. What is empty stays a hole where a file can have one."""

    def __init__(self, path: str, longest: int) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        seen = os.fstat(self._file)
        self._plain = stat.S_ISREG(seen.st_mode)
        self._longest = max(longest, seen.st_size)
        self._size = seen.st_size
        self.place = 0
        if self._plain:
            os.ftruncate(self._file, 0)

    def write(self, data: bytes) -> None:
        """Everything counts to `place`; OSError when the source sends more than it announced."""
        if self.place + len(data) > self._longest:
            raise OSError("the other side sends more than the disk's size")
        if not self._plain or data.count(0) != len(data):
            view, place = memoryview(data), self.place
            while view:
                written = os.pwrite(self._file, view, place)
                view, place = view[written:], place + written
        self.place += len(data)

    def close(self) -> None:
        """Lasting, and at least as long as it was."""
        if self._plain:
            os.ftruncate(self._file, max(self.place, self._size))
        os.fsync(self._file)
        os.close(self._file)


def fetch(connection: libvirt.virConnect, domain: libvirt.virDomain, disk: Mapping[str, str], report: Report) -> None:
    """One disk, byte for byte."""
    volume = _volume(connection, disk)
    if volume is None:
        capacity, _, size = domain.blockInfo(disk["name"])
    else:
        _, capacity, size = volume.info()
    target = Target(disk["target"], max(capacity, size) + SPARE)
    try:
        if volume is None:
            _peek(domain, disk["name"], int(size), target, report)
        else:
            _download(connection, volume, max(int(size), 1), target, report)
    finally:
        target.close()


def _volume(connection: libvirt.virConnect, disk: Mapping[str, str]) -> libvirt.virStorageVol | None:
    if disk["kind"] == "volume":
        return connection.storagePoolLookupByName(disk["pool"]).storageVolLookupByName(disk["name"])
    with suppress(libvirt.libvirtError):
        return connection.storageVolLookupByPath(disk["name"])
    return None


def _peek(domain: libvirt.virDomain, name: str, size: int, target: Target, report: Report) -> None:
    while target.place < size:
        target.write(domain.blockPeek(name, target.place, min(PEEK, size - target.place), 0))
        report(target.place, size)


def _download(
    connection: libvirt.virConnect, volume: libvirt.virStorageVol, size: int, target: Target, report: Report
) -> None:
    stream = connection.newStream(0)
    volume.download(stream, 0, 0, 0)
    try:
        while data := stream.recv(PEEK):
            target.write(data)
            report(target.place, max(size, target.place))
    except BaseException:
        with suppress(libvirt.libvirtError):
            stream.abort()
        raise
    stream.finish()


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _reporter() -> Report:
    last = -1

    def report(done: int, all: int) -> None:
        nonlocal last
        percent = 100 * done // all
        if percent != last:
            last = percent
            _say(f"    ({percent}.00/100%)\r")

    return report


def main() -> int:
    order: dict[str, Any] = json.load(sys.stdin)
    disks = order["disks"]
    try:
        with connected(order["uri"], order["user"], order["password"]) as connection:
            domain = connection.lookupByName(order["name"])
            if domain.isActive():
                raise OSError(f"machine {order['name']} runs: its disks change")
            for number, disk in enumerate(disks, 1):
                _say(f"Copying disk {number}/{len(disks)} to {disk['target']}\n")
                fetch(connection, domain, disk, _reporter())
                _say("    (100.00/100%)\n")
    except (HypervisorFailed, OSError) as problem:
        print(f"fetching: error: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
