"""What a scenario stands on: the kind of storage, and the hosts that use it.

    with Lab() as lab:
        ground = NfsGround(lab, ["master", "more"])
        pool = ground.pool("east", "west")

A scenario that asks a ground for its places runs on every kind of storage.
"""

import os
from collections.abc import Mapping, Sequence

from lab.cleanup import Lab
from lab.network import Network
from lab.nodes import Node, Nodes
from lab.pools import Place, Pool, local_place, nfs_place
from lab.servers import NfsServer
from lab.watcher import FileLeases

IO_TIMEOUT = 2


class NfsGround:
    """Each place is an export of one server."""

    def __init__(
        self,
        lab: Lab,
        exports: Sequence[str],
        *,
        io_timeout: int = IO_TIMEOUT,
        nfs_timeout: float = 5.0,
        sessions: bool = True,
    ) -> None:
        self.lab = lab
        self.network = Network(lab)
        self.nfs = NfsServer(lab, self.network, exports, sessions=sessions)
        self.nodes = Nodes(lab, self.network)
        self.io_timeout = io_timeout
        self.places = {export: nfs_place(self.nfs, export, timeout=nfs_timeout) for export in exports}
        self._settings = {"leases.io_timeout": io_timeout}

    def boot(self, *names: str, settings: Mapping[str, object] | None = None) -> list[Node]:
        return self.nodes.boot(*names, settings={**self._settings, **(settings or {})})

    def pool(self, *names: str, settings: Mapping[str, object] | None = None) -> Pool:
        """All places, all these hosts."""
        return Pool(self.boot(*names, settings=settings), list(self.places.values())).make()

    def leases(self, place: Place) -> FileLeases:
        export = next(name for name, each in self.places.items() if each is place)
        return FileLeases(lambda: self.nfs.path(export), place.domain)


class LocalGround:
    """One host with a file system in a file; there is no sanlock and nobody to share with."""

    def __init__(self, lab: Lab, folders: Sequence[str], *, size: int = 4 << 30) -> None:
        self.lab = lab
        self.nodes = Nodes(lab, Network(lab))
        self.image = lab.folder / "local.img"
        self.image.touch()
        os.truncate(self.image, size)
        self.places = {name: local_place(f"/mnt/local/{name}") for name in folders}

    def pool(self, name: str, settings: Mapping[str, object] | None = None) -> Pool:
        (node,) = self.nodes.boot(name, settings=settings, sanlock=False)
        node.host.shell(f"mke2fs -q -t ext4 -E lazy_itable_init=1,nodiscard {self.image}")
        self.mount(node)
        node.host.run("mkdir", *(place.remote for place in self.places.values()))
        return Pool([node], list(self.places.values())).make()

    def mount(self, node: Node) -> None:
        """Again after each boot."""
        node.host.shell(f"modprobe loop; mkdir -p /mnt/local; mount -o loop {self.image} /mnt/local")
