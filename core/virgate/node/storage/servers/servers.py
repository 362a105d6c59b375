"""Connecting places of storage: folders, servers, targets. How is the type's choice."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from traceback import format_tb
from typing import Any

from attrs import define
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.hookspecs.storage import StorageType
from virgate.node.storage.domains.domains import Domains, storage_type
from virgate.node.storage.errors import CannotConnect, StorageUnusable, WrongDomainType

GENERAL = 100


@define(eq=False)
class Servers:
    """Also the `StorageHost` that types use. `reader` is the user of guests and his groups, None if not checked."""

    log = Logger()

    domains: Domains
    reader: tuple[int, Sequence[int]] | None = None

    async def connect(self, type_wanted: object, connections: Sequence[Any]) -> list[tuple[str, int]]:
        """(id, status) of each in the given order; one that fails does not keep the others from being tried."""
        return [(id, await self._status(made, "connect")) for id, made in await self._read(type_wanted, connections)]

    async def disconnect(self, type_wanted: object, connections: Sequence[Any]) -> list[tuple[str, int]]:
        return [(id, await self._status(made, "disconnect")) for id, made in await self._read(type_wanted, connections)]

    async def _read(self, type_wanted: object, connections: Sequence[Any]) -> list[tuple[str, StorageType]]:
        try:
            type = await storage_type(self.domains.hooks, type_wanted)
            return [(str(given["id"]), type.read(given)) for given in map(_struct, connections)]
        except WrongDomainType:
            raise CannotConnect(f"no plugin knows storage of type {type_wanted}") from None
        except KeyError as missing:
            raise CannotConnect(f"a connection has no {missing}") from None

    async def _status(self, connection: StorageType, what: str) -> int:
        try:
            await getattr(connection, what)(self)
        except VirgateError as problem:
            self.log.warn("{what} {connection}: {problem}", what=what, connection=connection.name, problem=problem)
            return problem.code if problem.code != VirgateError.code else GENERAL
        except Exception as problem:  # its text may quote what the client sent, a password even
            trace = "".join(format_tb(problem.__traceback__))
            self.log.error(
                "{what} {connection} failed with {kind}\n{trace}",
                what=what,
                connection=connection.name,
                kind=type(problem).__name__,
                trace=trace,
            )
            return GENERAL
        self.domains.forget()
        return 0

    # what types ask for

    def mount_point(self, remote: str) -> Path:
        return self.domains.repository.mount_point(remote)

    async def check_folder(self, path: Path) -> None:
        user, groups = self.reader or (None, ())
        try:
            problem = await self.domains.helpers[str(path)].call("check_folder", str(path), user, list(groups))
        finally:
            await self.domains.helpers.drop(str(path))  # the mount point gets one of its own
        if problem:
            raise StorageUnusable(str(path), problem)

    async def link(self, target: Path, remote: str) -> None:
        await self.domains.repository.link(target, self.mount_point(remote))

    async def unlink(self, remote: str) -> None:
        mount = self.mount_point(remote)
        if await self.domains.repository.files.call("read_link", str(mount)) is not None:
            await self.domains.repository.unlink(mount)
            await self.domains.helpers.drop(str(mount))


def _struct(given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise CannotConnect("a connection is not a struct")
    return given
