"""GLUSTERFS: a Gluster volume through its FUSE client, with the servers of its bricks to fall back on."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from attrs import field, frozen

from virgate import hookimpl
from virgate.hookspecs.storage import Kind, StorageHost, StorageType, shared_lease
from virgate.node.storage.errors import IllegalRemotePath
from virgate.node.storage.servers.mount_arguments import checked_options, checked_remote, checked_type, joined, names
from virgate.run import process
from virgate.run.errors import CannotStart, TimedOut

BACKUP = "backup-volfile-servers"
REMOTE = re.compile(r"(?P<server>\[[^\]]+\]|[^:]+):/?(?P<volume>[^/:]+)(?:/.*)?", re.DOTALL)
CLI_LIMIT = 20.0


@frozen
class GlusterVolume:
    name: ClassVar[str] = "GLUSTERFS"
    number: ClassVar[int] = 7
    kind: ClassVar[Kind] = Kind.FILE
    below: ClassVar[str] = "glusterSD"
    block_sizes: ClassVar[tuple[int, ...]] = (512, 4096)

    remote: str
    file_system: str = field(eq=False)
    options: str = field(eq=False)

    @classmethod
    def read(cls, parameters: Mapping[str, Any]) -> Self:
        file_system = str(parameters.get("vfs_type") or "glusterfs")
        return cls(str(parameters["connection"]), file_system, str(parameters.get("mnt_options") or ""))

    @classmethod
    def check_remote(cls, remote: str) -> None:
        if not REMOTE.fullmatch(remote) or remote.endswith("/"):
            raise IllegalRemotePath(remote)

    @classmethod
    def lease(cls, version: int) -> str:
        return shared_lease(version)

    async def connect(self, host: StorageHost) -> None:
        remote, found = checked_remote(self.remote), REMOTE.fullmatch(self.remote)
        if found is None:
            raise IllegalRemotePath(remote)
        options, file_system = checked_options(self.options), checked_type(self.file_system)
        if BACKUP not in names(options) and not host.mounted(remote, below=self.below):
            others = await brick_servers(found["server"], found["volume"])
            options = joined(options, backup_option(found["server"], others))
        await host.mount(remote, file_system, options, below=self.below)

    async def connected(self, host: StorageHost) -> bool:
        return host.mounted(self.remote, below=self.below)

    async def disconnect(self, host: StorageHost) -> None:
        await host.unmount(self.remote, below=self.below)


def backup_option(server: str, bricks: list[str]) -> str:
    """The servers of the bricks but the one that is asked first; empty if there is no other."""
    others = [other for other in dict.fromkeys(bricks) if other != server and re.fullmatch(r"[\w.:\[\]-]+", other)]
    return f"{BACKUP}={':'.join(others)}" if others else ""


async def brick_servers(server: str, volume: str) -> list[str]:
    """As the gluster CLI tells them; without it, or without an answer, none."""
    argv = ["gluster", "--mode=script", "--xml", f"--remote-host={server}", "volume", "info", volume]
    try:
        finished = await process.run(argv, timeout=CLI_LIMIT)
    except (CannotStart, TimedOut):
        return []
    return servers_in(finished.stdout) if finished.code == 0 else []


def servers_in(report: bytes) -> list[str]:
    """The host of each brick in `volume info --xml`."""
    from lxml import etree

    try:
        bricks = etree.fromstring(report, etree.XMLParser(resolve_entities=False, no_network=True)).iter("brick")
    except etree.XMLSyntaxError:
        return []
    found = [(brick.findtext("name") or brick.text or "").rpartition(":/")[0].strip() for brick in bricks]
    return [server for server in found if server]


@hookimpl
def storage_domain_type(name: str) -> type[StorageType] | None:
    return GlusterVolume if name == "glusterfs" else None
