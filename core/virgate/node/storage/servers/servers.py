"""Connecting places of storage: folders, servers, targets. How is the type's choice."""

from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from traceback import format_tb
from typing import Any

from attrs import define, field
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.hookspecs.storage import Kind, StorageType
from virgate.node.storage.domains.domains import Domains, storage_type
from virgate.node.storage.errors import CannotConnect, StorageUnusable, WrongDomainType
from virgate.node.storage.servers.mounts import Mounts

GENERAL = 100
CLIENTS = "clients"
"""The user of a connection that stands for all who call the verbs: they do not say who they are."""


@define(eq=False)
class Servers:
    """Also the `StorageHost` that types use. `reader` is the user of guests and his groups, None if not checked.

    A connection has users: the clients of the verbs are one, each kept reference is another. It ends with the last.
    """

    log = Logger()

    domains: Domains
    reader: tuple[int, Sequence[int]] | None = None
    mount_limit: float = 60.0
    """Seconds that mounting may take."""
    _users: dict[StorageType, set[str]] = field(factory=dict)
    _mounts: Mounts = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._mounts = Mounts(self.domains.repository, self.mount_limit, self._check_mount, self._drop_helpers)

    async def connect(self, type_wanted: object, connections: Sequence[Any]) -> list[tuple[str, int]]:
        """(id, status) of each in the given order; one that fails does not keep the others from being tried."""
        return [
            (id, await self._status(made, "connect", self.use(made, CLIENTS)))
            for id, made in await self._read(type_wanted, connections)
        ]

    async def disconnect(self, type_wanted: object, connections: Sequence[Any]) -> list[tuple[str, int]]:
        """As `connect`. A place that a reference keeps stays connected, and counts as done."""
        return [
            (id, await self._status(made, "disconnect", self.leave(made, CLIENTS)))
            for id, made in await self._read(type_wanted, connections)
        ]

    async def use(self, connection: StorageType, user: str) -> None:
        """Connects for this user. One who keeps it is noted also if it fails: he wants it until he leaves."""
        known = user in self._users.get(connection, ())
        self._users.setdefault(connection, set()).add(user)
        try:
            await connection.connect(self)
        except BaseException:
            if user == CLIENTS and not known:
                self._forget(connection, user)
            raise
        self.domains.forget()

    async def leave(self, connection: StorageType, user: str) -> None:
        """Ends the connection if nobody else uses it."""
        self._forget(connection, user)
        if connection not in self._users:
            if connection.kind is Kind.BLOCK:
                await self.domains.close_groups()
            await connection.disconnect(self)
            self.domains.forget()

    async def renew(self, mount: Path) -> None:
        """Connects anew what is shown at a mount point whose server forgot it."""
        for connection in tuple(self._users):
            remote = getattr(connection, "remote", None)
            if remote is not None and self.mount_point(remote).name == mount.name:
                await connection.disconnect(self)
                await connection.connect(self)
                self.domains.forget()

    def _forget(self, connection: StorageType, user: str) -> None:
        users = self._users.get(connection, set())
        users.discard(user)
        if not users:
            self._users.pop(connection, None)

    async def _read(self, type_wanted: object, connections: Sequence[Any]) -> list[tuple[str, StorageType]]:
        try:
            type = await storage_type(self.domains.hooks, type_wanted)
            return [(str(given["id"]), type.read(given)) for given in map(_struct, connections)]
        except WrongDomainType:
            raise CannotConnect(f"no plugin knows storage of type {type_wanted}") from None
        except KeyError as missing:
            raise CannotConnect(f"a connection has no {missing}") from None

    async def _status(self, connection: StorageType, what: str, work: Coroutine[Any, Any, None]) -> int:
        try:
            await work
        except VirgateError as problem:
            self.log.warn("{what} {connection}: {problem}", what=what, connection=connection.name, problem=problem)
            return problem.code if problem.code != VirgateError.code else GENERAL
        except Exception as problem:  # its text may quote what the client sent, a password even
            self.log_kind(problem, what, connection)
            return GENERAL
        return 0

    def log_kind(self, problem: Exception, what: str, connection: StorageType) -> None:
        """Logs a defect without its text."""
        self.log.error(
            "{what} {connection} failed with {kind}\n{trace}",
            what=what,
            connection=connection.name,
            kind=type(problem).__name__,
            trace="".join(format_tb(problem.__traceback__)),
        )

    # what types ask for

    def mount_point(self, remote: str, *, below: str = "") -> Path:
        return self.domains.repository.mount_point(remote, below=below)

    async def check_folder(self, path: Path, *, key: str = "") -> None:
        user, groups = self.reader or (None, ())
        key = key or str(path)
        try:
            problem = await self.domains.helpers[key].call("check_folder", str(path), user, list(groups))
        finally:
            await self.domains.helpers.drop(key)  # the mount point gets one of its own
        if problem:
            raise StorageUnusable(str(path), problem)

    async def link(self, target: Path, remote: str) -> None:
        await self.domains.repository.link(target, self.mount_point(remote))

    async def unlink(self, remote: str) -> None:
        mount = self.mount_point(remote)
        if await self.domains.repository.files.call("read_link", str(mount)) is not None:
            await self.domains.repository.unlink(mount)
            await self.domains.helpers.drop(str(mount))

    async def mount(self, remote: str, file_system: str, options: str, *, below: str = "") -> None:
        await self._mounts.mount(remote, file_system, options, below=below)

    async def unmount(self, remote: str, *, below: str = "") -> None:
        await self._mounts.unmount(remote, below=below)

    def mounted(self, remote: str, *, below: str = "") -> bool:
        return self._mounts.mounted(remote, below=below)

    async def rescan(self) -> None:
        await self.domains.devices.rescan()

    async def _check_mount(self, point: Path) -> None:
        """In a helper of its own: that of the mount may be busy with long work, and must not be lost with a check."""
        await self.check_folder(point, key=f"{point}#connect")

    async def _drop_helpers(self, point: Path) -> None:
        for key in (str(point), f"{point}#connect"):
            await self.domains.helpers.drop(key)


def _struct(given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise CannotConnect("a connection is not a struct")
    return given
