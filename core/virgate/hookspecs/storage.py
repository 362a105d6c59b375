"""Storage types: how the place of a domain is reached. What is written there is the core's and the same for all.

A type is a class; its value holds the parameters of one connection. A complete file type:

    @frozen
    class Folder:
        name: ClassVar = "LOCALFS"
        number: ClassVar = 4
        kind: ClassVar = Kind.FILE
        remote: str

        @classmethod
        def read(cls, parameters): return cls(parameters["connection"])
        @classmethod
        def check_remote(cls, remote): ...
        @classmethod
        def lease(cls, version): return "local"
        async def connect(self, host): await host.link(self.remote, self.remote)
        async def disconnect(self, host): await host.unlink(self.remote)

    @hookimpl
    def storage_domain_type(name): return Folder if name in ("localfs", "4") else None
"""

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from virgate.hookspecs.point import Answers, Failure, point


class Kind(Enum):
    """What a place holds: files in a folder, or logical volumes on shared disks."""

    FILE = "file"
    BLOCK = "block"


class StorageHost(Protocol):
    """What a type may ask of the node while it connects. Programs are run with `virgate.run.process`."""

    def mount_point(self, remote: str) -> Path:
        """Where the repository shows a remote place: `mnt/<escaped>` (spec storage-format 1.2)."""

    async def check_folder(self, path: Path) -> None:
        """Raises `StorageUnusable` (469) unless it is a folder that the daemon and the hypervisor's user can use."""

    async def link(self, target: Path, remote: str) -> None:
        """Shows a folder of this host as the mount point of `remote`."""

    async def unlink(self, remote: str) -> None:
        """Ends what `link` did; nothing happens if there is no such link."""

    async def mount(self, remote: str, file_system: str, options: str, *, below: str = "") -> None:
        """Mounts `remote` at its place in the repository (`below`: a folder of `mnt`), and checks that it is usable.

        Mounting what is mounted already is fine. Raises `CannotMount` (477) or, by what kept it from being mounted, a
        more telling error; `StorageUnusable` (469). Nothing stays mounted after a failure.
        """

    async def unmount(self, remote: str, *, below: str = "") -> None:
        """Ends what `mount` did, by force if need be; nothing happens if it is not mounted."""

    def mounted(self, remote: str, *, below: str = "") -> bool:
        """Whether something is mounted at the place of `remote`. The kernel's table says it, no server is asked."""

    async def rescan(self) -> None:
        """Disks came or went: whoever knows devices looks again."""


class StorageType(Protocol):
    """One connection of a type. The class itself is what the hook point answers.

    Values that are equal reach the same place, which stays connected until the last one who uses it disconnects;
    attributes that do not tell places apart (mount options) are left out of the comparison: `field(eq=False)`.

    A file type may also have `below`, the folder of `mnt` in which its mount points are, and `block_sizes`, the sizes
    in bytes that domains of it may have (without it only 512). A type may have `async def connected(self, host) ->
    bool`, a quick look that asks no server; without it a kept connection is checked by connecting it again.

    A VirgateError raised by `connect` or `disconnect` becomes the status of that connection, anything else 100.
    """

    name: ClassVar[str]
    """Upper-case word kept in the domain's metadata as TYPE and told to clients."""
    number: ClassVar[int]
    """What clients of the old API send: 1 NFS, 2 FCP, 3 ISCSI, 4 LOCALFS, 6 POSIXFS, 7 GLUSTERFS;
    own types begin at 100."""
    kind: ClassVar[Kind]

    @classmethod
    def read(cls, parameters: Mapping[str, Any]) -> Self:
        """A value from the client's dictionary; keys that do not apply may be there. KeyError fails the whole call."""

    @classmethod
    def check_remote(cls, remote: str) -> None:
        """Raises `IllegalRemotePath` (390) if no domain can be made at a place named so."""

    @classmethod
    def lease(cls, version: int) -> str:
        """The name of the lease manager that guards a domain of this version."""

    async def connect(self, host: StorageHost) -> None:
        """Makes the place usable. Connecting twice is as connecting once."""

    async def disconnect(self, host: StorageHost) -> None:
        """Ends it. Nothing happens if it is not connected."""


def shared_lease(version: int) -> str:
    """What `lease` answers for a domain that several hosts see (spec storage-format 8)."""
    return "sanlock" if version >= 3 else "safelease"


@point(Failure.LOG, answers=Answers.FIRST)
def storage_domain_type(name: str) -> type[StorageType] | None:
    """Which class reaches storage of this type?

    Fired when a client names a type and when a domain is found, with the lower-case name ("localfs", "nfs"); for a
    number that the old API does not define, with its decimal digits. Answer the class, or None if it is not yours.
    The first answer is used; without any the client gets "unknown type". Raising counts as no answer and is logged.
    """
