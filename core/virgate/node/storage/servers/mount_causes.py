"""Why a mount failed, read from what mount(8) and its helpers say, and what to do about it. Pure.

The words are those of util-linux, nfs-utils and libc in the C locale.
"""

import re
from enum import Enum

NO_SUCH_PROGRAM = 127


class Cause(Enum):
    """Each with what an administrator can do."""

    REFUSED = "nobody listens there: check that the server runs, its port and its firewall"
    NO_ANSWER = "no answer in time: check the address, the network, and that the server is not hung"
    NO_ROUTE = "this host has no way to the server: check the address and the network"
    UNKNOWN_HOST = "the server's name is not known here: check the name and DNS"
    DENIED = "the server does not let this host in: check the export's list of clients and its security flavour"
    NO_EXPORT = "there is no such export, volume or device: check the path"
    BAD_OPTIONS = "an option is wrong or not supported: check the mount options"
    WRONG_VERSION = "the server does not speak this protocol version: choose another one"
    WRONG_TYPE = "the file system is unknown here or another one is there: check the type"
    NO_HELPER = (
        "the program that mounts this type is not installed: install it (NFS: nfs-common, Gluster: glusterfs-client)"
    )
    BUSY = "it is in use elsewhere on this host, or something else is mounted there"
    OTHER = "see the message of mount"


_SIGNS: tuple[tuple[str, Cause], ...] = (
    (r"connection refused|connection reset", Cause.REFUSED),
    (r"no route to host|network is unreachable|host is unreachable|network is down", Cause.NO_ROUTE),
    (r"failed to resolve|name or service not known|temporary failure in name|resource temporarily unavailable",
     Cause.UNKNOWN_HOST),
    (r"timed out|timeout", Cause.NO_ANSWER),
    (r"need a /sbin/mount\.|no such file or directory: '?/sbin/mount", Cause.NO_HELPER),
    (r"access denied|permission denied|operation not permitted|not permitted", Cause.DENIED),
    (r"protocol not supported|requested nfs version|program not registered", Cause.WRONG_VERSION),
    (r"unknown filesystem type|wrong fs type|bad superblock|no such device", Cause.WRONG_TYPE),
    (r"incorrect mount option|bad option|unknown parameter|unrecognized mount option|invalid argument"
     r"|parse error|bad mount option|unsupported (nfs|mount) option", Cause.BAD_OPTIONS),
    (r"no such file or directory|does not exist|special device|not a directory|stale file handle", Cause.NO_EXPORT),
    (r"already mounted|busy", Cause.BUSY),
)  # fmt: skip


def cause_of(said: str, *, timed_out: bool = False) -> Cause:
    """The most telling sign in the output. Wrong options of a local file system look like a wrong type to mount(8)."""
    text = said.lower()
    for sign, cause in _SIGNS:
        if re.search(sign, text):
            return cause
    return Cause.NO_ANSWER if timed_out else Cause.OTHER


def last_line(said: str) -> str:
    """What to show of it: one printable line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    line = next((line for line in lines if line.startswith("mount")), lines[-1] if lines else "")
    return "".join(letter if letter.isprintable() else "?" for letter in line)[:300]
