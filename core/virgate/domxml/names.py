"""Target names of disks: a prefix by bus and a number written in letters.

The letters are ordinary base 26 with a as zero, so z is followed by ba. The kernel would say aa; clients and
stored machines say ba (spec xmlrpc-host-vm 3.4).
"""

from collections.abc import Iterable

PREFIXES = {"ide": "hd", "scsi": "sd", "virtio": "vd", "fdc": "fd"}


def prefix(bus: str) -> str:
    return PREFIXES.get(bus, "hd")


def disk_name(bus: str, index: int) -> str:
    """`disk_name("virtio", 26) == "vdba"`"""
    if index < 0:
        raise ValueError(f"no disk has the index {index}")
    letters = ""
    while True:
        index, digit = divmod(index, 26)
        letters = chr(ord("a") + digit) + letters
        if index == 0:
            return prefix(bus) + letters


def disk_index(name: str) -> int:
    """The index behind a name that `disk_name` made."""
    index = 0
    for letter in name[2:]:
        index = index * 26 + ord(letter) - ord("a")
    return index


def first_free(taken: Iterable[int]) -> int:
    """The smallest index nobody has."""
    used = set(taken)
    index = 0
    while index in used:
        index += 1
    return index
