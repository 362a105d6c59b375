"""The repository tree of a host: where connected places, domains, pools and prepared images appear.

    <root>/mnt/<escaped remote>/<domain>      connected places (spec storage-format 1.1)
    <root>/mnt/glusterSD/<escaped remote>     those of Gluster volumes
    <root>/mnt/blockSD/<domain>               what block domains have besides logical volumes
    <root>/<pool>/<domain>, /mastersd         links of the connected pool
    <run>/storage/<domain>/<image>            prepared images

The tree is on a local disk; it still goes through a helper, as every file of storage does.
"""

from contextlib import suppress
from pathlib import Path

from attrs import frozen

from virgate.errors import InvalidParameter
from virgate.ids import is_uuid
from virgate.node.storage.errors import IllegalRemotePath
from virgate.node.storage.formats.mount_name import directory_name
from virgate.node.storage.servers.mount_table import Mount, parse, seen_at
from virgate.node.storage.values import Files

BLOCK_DOMAINS = "blockSD"
GLUSTER = "glusterSD"
MASTER = "mastersd"


def part(name: str) -> str:
    """The id as one path component; anything but a UUID is refused, so no path leaves the tree."""
    if not is_uuid(name):
        raise InvalidParameter("uuid", name)
    return name


@frozen
class Repository:
    """Paths of the tree, and its links. `files` is the helper of the repository itself."""

    root: Path
    run: Path
    files: Files

    @property
    def mounts(self) -> Path:
        return self.root / "mnt"

    def mount_point(self, remote: str, *, below: str = "") -> Path:
        """`below` is a folder of `mnt`, or empty. `IllegalRemotePath` (390) for what would be no place of its own."""
        name = directory_name(remote)
        if name in ("", ".", "..", BLOCK_DOMAINS, GLUSTER) or "\0" in name:
            raise IllegalRemotePath(remote)
        return self.mounts / below / name if below else self.mounts / name

    def mount_table(self) -> list[Mount]:
        """The kernel answers it without asking any storage."""
        return parse(Path("/proc/self/mountinfo").read_bytes())

    def mounted(self, point: Path) -> Mount | None:
        """What is mounted at a place of the repository. Only the folders above it are looked at: it may hang."""
        return seen_at(self.mount_table(), str(point.parent.resolve() / point.name))

    def pool(self, pool: str) -> Path:
        return self.root / part(pool)

    def prepared(self, domain: str, image: str) -> Path:
        return self.run / "storage" / part(domain) / part(image)

    async def make(self) -> None:
        """The tree, without the mount points that a host left when it died; a folder with something in it stays."""
        await self.files.call("make_path", str(self.mounts))
        for place in await self.connected():
            if self.mounted(place) is None and await self.files.call("read_link", str(place)) is None:
                with suppress(OSError):
                    await self.files.call("remove_empty_folder", str(place))

    async def link(self, target: Path, link: Path) -> None:
        await self.files.call("make_link", str(target), str(link))

    async def unlink(self, *links: Path) -> None:
        await self.files.call("remove_files", [str(link) for link in links])

    async def connected(self) -> list[Path]:
        """Every place under `mnt`, in name order, those of Gluster last."""
        found = [self.mounts / name for name in await self.files.call("list_folder", str(self.mounts))]
        below = self.mounts / GLUSTER
        if below in found:
            found += [below / name for name in await self.files.call("list_folder", str(below))]
        return [place for place in found if place.parent != self.mounts or place.name not in (BLOCK_DOMAINS, GLUSTER)]

    async def show_pool(self, pool: str, domains: dict[str, Path], master: str) -> None:
        """Links the pool's domains and its master; links of others are removed."""
        folder = self.pool(pool)
        for domain, path in domains.items():
            await self.link(path, folder / part(domain))
        if master in domains:
            await self.link(domains[master], folder / MASTER)
        found = await self.files.call("links_in", str(folder))
        wanted = {*domains, MASTER} if master in domains else set(domains)
        await self.unlink(*(folder / name for name in found if name not in wanted))

    async def hide_pool(self, pool: str) -> None:
        folder = self.pool(pool)
        await self.unlink(*(folder / name for name in await self.files.call("links_in", str(folder))))
        await self.files.call("remove_empty_folder", str(folder))
