"""Connections that are kept: connected again whenever they are lost, also after a restart (spec xmlrpc-storage 3.1).

Each is a file of the state folder, readable by the daemon alone, for it may hold a password.
"""

import json
import re
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.hookspecs.storage import StorageType
from virgate.node.storage.domains.domains import storage_type
from virgate.node.storage.errors import IllegalReference, ReferenceInUse, UnknownReference
from virgate.node.storage.servers.reference_parameters import connection_of, told_of, type_of
from virgate.node.storage.servers.servers import GENERAL, Servers
from virgate.node.storage.values import Clock

PERIOD = 10.0
"""Seconds in which each kept connection is looked at once."""
ENDING = ".con"
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@+=-]{0,199}", re.ASCII)


@define(eq=False)
class Reference:
    """One kept connection. `error` is the code and text of the last failure, (0, "") when it is fine."""

    id: str
    type: str
    parameters: Mapping[str, Any] = field(repr=False)
    connection: StorageType = field(repr=False)
    connected: bool = False
    error: tuple[int, str] = (0, "")
    busy: bool = False

    @property
    def user(self) -> str:
        return f"reference {self.id}"


@define(eq=False)
class References:
    log = Logger()

    servers: Servers
    folder: Path
    clock: Clock
    _kept: dict[str, Reference] = field(factory=dict)
    _turns: deque[str] = field(factory=deque)
    _timer: Any = None

    async def start(self) -> None:
        """Begins to connect everything that is kept and waits for none of it; a file nobody can read is passed over."""
        for name in await self._files.call("list_folder", str(self.folder)):
            if name.endswith(ENDING):
                try:
                    stored = json.loads(await self._files.call("read_file", str(self.folder / name)))
                    self._keep(await self._read(name.removesuffix(ENDING), stored))
                except (OSError, ValueError, VirgateError) as problem:
                    # its text may quote what is in the file
                    self.log.error("{name} is not kept: {kind}", name=name, kind=type(problem).__name__)

    def stop(self) -> None:
        """What is connected stays so."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def acquire(self, wanted: Mapping[str, Any]) -> dict[str, int]:
        """Code by id: 0 when it will be kept from now on, also if it cannot be connected yet."""
        return {str(id): await self._code(self._acquire(str(id), given)) for id, given in wanted.items()}

    async def release(self, ids: Sequence[Any]) -> dict[str, int]:
        """Code by id."""
        return {str(id): await self._code(self._release(str(id))) for id in ids}

    def statuses(self) -> dict[str, dict[str, Any]]:
        return {
            kept.id: {
                "connected": kept.connected,
                "lastError": list(kept.error),
                "connectionInfo": {"type": kept.type, "params": told_of(kept.type, kept.parameters)},
            }
            for kept in self._kept.values()
        }

    async def _code(self, work: Any) -> int:
        try:
            await work
        except VirgateError as problem:
            self.log.warn("{problem}", problem=problem)
            return problem.code
        except Exception as problem:  # its text may quote a password
            self.log.error("a reference failed with {kind}", kind=type(problem).__name__)
            return GENERAL
        return 0

    async def _acquire(self, id: str, given: Any) -> None:
        if id in self._kept:
            raise ReferenceInUse(id)
        reference = await self._read(id, given)
        stored = json.dumps({"type": reference.type, "params": reference.parameters}).encode()
        await self._files.call("make_path", str(self.folder))
        await self._files.call("write_file", str(self._path(id)), stored, 0o600)
        self._keep(reference)

    async def _release(self, id: str) -> None:
        if id not in self._kept:
            raise UnknownReference(id)
        await self._files.call("remove_files", [str(self._path(id))])
        gone = self._kept.pop(id, None)
        if gone is not None:
            self._turns.remove(id)
            await self.servers.leave(gone.connection, gone.user)

    async def _read(self, id: str, given: Any) -> Reference:
        """`IllegalReference` (453) for what no type can make a connection of; the reason quotes no value."""
        if not _ID.fullmatch(id):
            raise IllegalReference(id, "an id is letters, digits and _.:@+=-")
        try:
            word, parameters = str(given["type"]), dict(given["params"])
            found = await storage_type(self.servers.domains.hooks, type_of(word))
            connection = found.read({"id": id, **connection_of(word, parameters)})
        except KeyError as missing:
            raise IllegalReference(id, f"{missing} is missing") from None
        except (TypeError, ValueError, AttributeError, VirgateError) as problem:
            raise IllegalReference(id, f"type or parameters are wrong ({type(problem).__name__})") from None
        return Reference(id, word, parameters, connection)

    def _keep(self, reference: Reference) -> None:
        self._kept[reference.id] = reference
        self._turns.append(reference.id)
        Deferred.fromCoroutine(self._look(reference))
        self._wait()

    def _wait(self) -> None:
        if not self._turns:
            return
        delay = PERIOD / len(self._turns)
        if self._timer is None:
            self._timer = self.clock.callLater(delay, self._next)
        elif self._timer.getTime() > self.clock.seconds() + delay:
            self._timer.reset(delay)

    def _next(self) -> None:
        self._timer = None
        if self._turns:
            self._turns.rotate(-1)
            Deferred.fromCoroutine(self._look(self._kept[self._turns[-1]]))
        self._wait()

    async def _look(self, kept: Reference) -> None:
        """Connects it if it is not connected. Only one look at a time: a server may take its time."""
        if kept.busy:
            return
        kept.busy = True
        try:
            if not await self._is_connected(kept):
                await self.servers.use(kept.connection, kept.user)
            self._note(kept, 0, "")
        except VirgateError as problem:
            self._note(kept, problem.code, str(problem))
        except Exception as problem:  # its text may quote a password
            self.servers.log_kind(problem, "keep", kept.connection)
            self._note(kept, GENERAL, f"unexpected {type(problem).__name__}")
        finally:
            kept.busy = False
        if self._kept.get(kept.id) is not kept:  # released meanwhile
            await self._code(self.servers.leave(kept.connection, kept.user))

    async def _is_connected(self, kept: Reference) -> bool:
        look = getattr(kept.connection, "connected", None)
        return bool(kept.connected and look is not None and await look(self.servers))

    def _note(self, kept: Reference, code: int, text: str) -> None:
        """Only changes are logged: the server may be away for days."""
        connected = code == 0
        if (connected, text) != (kept.connected, kept.error[1]):
            self.log.info("reference {id}: {how}", id=kept.id, how="connected" if connected else text)
        kept.connected, kept.error = connected, (code, text)

    @property
    def _files(self) -> Any:
        return self.servers.domains.repository.files

    def _path(self, id: str) -> Path:
        return self.folder / f"{id}{ENDING}"
