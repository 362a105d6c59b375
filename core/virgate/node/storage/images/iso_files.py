"""The files on domains of ISO images (spec xmlrpc-storage 3.2)."""

import fnmatch
from collections.abc import Sequence
from typing import Any

from attrs import frozen

from virgate.hookspecs.storage import Kind
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.errors import NoFileList, StorageUnusable
from virgate.node.storage.pools.pools import Pools
from virgate.node.storage.values import ISO_IMAGE


@frozen
class IsoFiles:
    """`reader` is the user of guests and his groups; without him a file must be readable by group or others."""

    domains: Domains
    pools: Pools
    reader: tuple[int, Sequence[int]] | None = None

    async def statistics(self, domain: str, pattern: str, case_sensitive: bool) -> dict[str, dict[str, Any]]:
        """By relative path: size, ctime and status, which is 469 for a file that guests cannot read."""
        found = await self.domains.find(domain)
        told = {}
        for path, size, changed, readable in await self._files(found):
            name, wanted = (path, pattern) if case_sensitive else (path.lower(), pattern.lower())
            if fnmatch.fnmatchcase(name, wanted):
                status = 0 if readable else StorageUnusable.code
                told[path] = {"size": str(size), "ctime": str(changed), "status": status}
        return told

    async def with_extension(self, pool: str, extension: str) -> list[str]:
        """The readable files of the pool's ISO domain that end so, in any case of letters."""
        found = await self.pools.find(pool).iso_domain()
        ending = f".{extension.lower()}"
        files = await self._files(found)
        return sorted(path for path, _, _, readable in files if readable and path.lower().endswith(ending))

    async def _files(self, domain: Domain) -> list[tuple[str, int, float, bool]]:
        if domain.kind is not Kind.FILE:
            raise NoFileList(domain.id)
        user, groups = self.reader or (None, ())
        folder = domain.path / "images" / ISO_IMAGE
        try:
            found: list[tuple[str, int, float, bool]] = await domain.files.call(
                "files_below", str(folder), user, list(groups)
            )
        except (FileNotFoundError, NotADirectoryError):
            raise NoFileList(domain.id) from None
        return found
