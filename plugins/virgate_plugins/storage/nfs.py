"""NFS: an export of a server, mounted softly, so that a dead server becomes an error and not a hang."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

from attrs import field, frozen

from virgate import hookimpl
from virgate.errors import InvalidParameter
from virgate.hookspecs.storage import Kind, StorageHost, StorageType, shared_lease
from virgate.node.storage.errors import IllegalRemotePath
from virgate.node.storage.servers.mount_arguments import checked_options, checked_remote, joined, names

TIMEOUT, RETRANS = 600, 6
VERSION_4 = re.compile(r"(?:^|,)(?:(?:nfs)?vers=|v)4")


@frozen
class NfsExport:
    """`options` is what the server is mounted with, as far as clients and the old API decide it."""

    name: ClassVar[str] = "NFS"
    number: ClassVar[int] = 1
    kind: ClassVar[Kind] = Kind.FILE

    remote: str
    options: str = field(eq=False)

    @classmethod
    def read(cls, parameters: Mapping[str, Any]) -> Self:
        """Keys of spec xmlrpc-storage 2.1; a number that is none fails the whole call (1000)."""
        version = str(parameters.get("protocol_version", "3"))
        timeout, retrans = _number(parameters, "timeout", TIMEOUT), _number(parameters, "retrans", RETRANS)
        own = str(parameters.get("mnt_options") or "")
        asked = f"soft,nosharecache,timeo={timeout},retrans={retrans}"
        return cls(str(parameters["connection"]), joined(asked, _version(version), own))

    @classmethod
    def check_remote(cls, remote: str) -> None:
        server, colon, path = remote.rpartition(":/")
        if not colon or not server or (path.endswith("/")):
            raise IllegalRemotePath(remote)

    @classmethod
    def lease(cls, version: int) -> str:
        return shared_lease(version)

    async def connect(self, host: StorageHost) -> None:
        checked_remote(self.remote)
        if ":" not in self.remote:
            raise IllegalRemotePath(self.remote)
        await host.mount(self.remote, "nfs", joined(checked_options(self.options), *_usual(self.options)))

    async def connected(self, host: StorageHost) -> bool:
        return host.mounted(self.remote)

    async def disconnect(self, host: StorageHost) -> None:
        await host.unmount(self.remote)


def _version(text: str) -> str:
    """Options that ask for a version: none for "auto"."""
    if text in ("auto", ""):
        return ""
    major, dot, minor = text.partition(".")
    if not major.isdecimal() or (dot and not minor.isdecimal()):
        raise InvalidParameter("protocol_version", text)
    return f"nfsvers={major}" + (f",minorversion={minor}" if dot else "")


def _usual(options: str) -> Iterator[str]:
    """What else is wanted unless the client decided it.

    Locks of version 3 need a daemon beside the server, and storage has leases instead. Without retry=0 mount.nfs
    tries for two minutes before it says what is wrong.
    """
    given = names(options)
    if not {"lock", "nolock"} & given and not VERSION_4.search(options):
        yield "nolock"
    if "retry" not in given:
        yield "retry=0"


def _number(parameters: Mapping[str, Any], key: str, default: int) -> int:
    text = str(parameters.get(key) or default)
    if not text.isdecimal():
        raise InvalidParameter(key, text)
    return int(text)


@hookimpl
def storage_domain_type(name: str) -> type[StorageType] | None:
    return NfsExport if name == "nfs" else None
