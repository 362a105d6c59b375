"""All servers of this host, by the ids that clients gave them."""

import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import ClassVar

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from virgate.errors import InvalidParameter, VirgateError
from virgate.hookspecs.storage import Kind
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.errors import IllegalChain, VolumeNotWritable
from virgate.node.storage.errors.nbd import CannotServe, VolumeNotPrepared
from virgate.node.storage.formats.volume_metadata import Legality, VolumeRole
from virgate.node.storage.images.chain import Image, Volume
from virgate.node.storage.images.prepared import is_prepared
from virgate.node.storage.images.qemu_img import NAMES
from virgate.node.storage.images.trust import check_headers
from virgate.node.storage.nbd.server import START, serving
from virgate.node.storage.nbd.wish import Wish
from virgate.node.storage.repository import part
from virgate.node.storage.sdm.volumes import leased
from virgate.node.tasks.locks import Locks, storage
from virgate.node.tasks.locks import image as image_lock
from virgate.run.fence import unfenced
from virgate.run.loop import reactor
from virgate.run.outcome import Outcome
from virgate.run.process import Child

PATIENCE = 10.0
"""Seconds in which a server that is asked to end writes what it still has; then it is killed."""


@define(eq=False)
class Server:
    """`ready` tells the failure if there is one; `ended` comes when nothing of it is left."""

    wish: Wish
    ready: Outcome[VirgateError | None] = field(factory=Outcome)
    ended: Outcome[None] = field(factory=Outcome)
    child: Child | None = None
    work: Deferred[None] | None = None
    unwanted: bool = False

    def stop(self) -> None:
        """In good order once it runs, by force while it starts and when it takes too long."""
        if self.unwanted or self.ended.known:
            return
        self.unwanted = True
        if self.child is None:
            self.kill()
            return
        self.child.terminate()
        late = reactor.callLater(PATIENCE, self.kill)
        self.ended.wait().addCallback(lambda _: late.active() and late.cancel())

    def kill(self) -> None:
        if self.work is not None:
            self.work.cancel()


@define(eq=False)
class NbdServers:
    """`folder` is where the sockets are, for the group of the storage's owner."""

    log: ClassVar = Logger()

    domains: Domains
    locks: Locks
    folder: Path
    _servers: dict[str, Server] = field(factory=dict)

    async def start(self, id: str, wish: Wish) -> str:
        """The server's url. Asking again for the same is fine, for another volume under the same id is not (1000)."""
        server = self._servers.get(part(id))
        if server is not None and server.unwanted:
            await server.ended.wait()
            server = self._servers.get(id)
        if server is not None and server.wish != wish:
            raise InvalidParameter("server_id", id)
        if server is None:
            server = self._servers[id] = Server(wish)
            server.work = unfenced(self._run(id, server))
        if problem := await server.ready.wait():
            await server.ended.wait()
            raise problem
        return f"nbd:unix:{self._socket(id)}"

    async def stop(self, id: str) -> None:
        """Comes back when the volume is not open any more; nothing happens if there is no such server."""
        server = self._servers.get(part(id))
        if server is not None:
            server.stop()
            await server.ended.wait()

    async def close(self) -> None:
        """Ends all of them."""
        servers = tuple(self._servers.values())
        for server in servers:
            server.stop()
        for server in servers:
            await server.ended.wait()

    async def _run(self, id: str, server: Server) -> None:
        volume = server.wish.address.volume
        try:
            async with AsyncExitStack() as held:
                child = await self._begin(id, server.wish, held)
                server.child = child
                server.ready.tell(None)
                self.log.info("volume {volume} is served as {id}", volume=volume, id=id)
                code = await child.exit_code()
                if not server.unwanted:
                    reason = child.last_error or f"exit code {code}"
                    self.log.warn("server {id} of {volume} ended: {reason}", id=id, volume=volume, reason=reason)
        except CancelledError:
            server.ready.tell(CannotServe(volume, "it was stopped"))
        except VirgateError as problem:
            if server.ready.known:
                self.log.warn("server {id} of {volume}: {problem}", id=id, volume=volume, problem=str(problem))
            server.ready.tell(problem)
        except Exception as problem:
            self.log.failure("server {id} of {volume} broke", id=id, volume=volume)
            server.ready.tell(CannotServe(volume, f"{type(problem).__name__}: {problem}"))
        finally:
            self._servers.pop(id, None)
            server.ended.tell(None)

    async def _begin(self, id: str, wish: Wish, held: AsyncExitStack) -> Child:
        """The image stays locked as long as the server lives, its domain only until it runs."""
        address = wish.address
        domain = await self.domains.find(address.domain)
        alone = image_lock(address.domain, address.image, exclusive=not wish.readonly)
        async with self.locks.hold(storage(address.domain), within=START):
            await held.enter_async_context(self.locks.hold(alone, within=START))
            volume = await self._checked(domain, wish)
            if not wish.readonly:
                await held.enter_async_context(leased(domain, address))
            await held.enter_async_context(domain.images.used(address.image, address.volume))
            path = domain.images.path(address.image, address.volume)
            form = NAMES[volume.metadata.format]
            argv = wish.argv(path, form, self._socket(id), direct=domain.kind is Kind.BLOCK)
            self._make_folder()
            return await held.enter_async_context(serving(address.volume, argv, self._socket(id), self.domains.owner))

    async def _checked(self, domain: Domain, wish: Wish) -> Volume:
        """What is served is prepared and leads nowhere else; what is written to has nothing above it.

        A volume that is being filled may be illegal, what lies below it may not.
        """
        address = wish.address
        if not await is_prepared(self.domains.repository, domain, address):
            raise VolumeNotPrepared(address.volume)
        survey = await domain.images.survey(address.image)
        volume = survey.volume(address.volume)
        if not wish.readonly and (volume.metadata.role is VolumeRole.SHARED or survey.children(volume.id)):
            raise VolumeNotWritable(volume.id)
        chain = survey.chain(volume.id)
        _must_be_legal(survey, chain if wish.readonly else chain[:-1])
        await check_headers(domain, survey, chain)
        return volume

    def _make_folder(self) -> None:
        if not self.folder.is_dir():
            self.folder.mkdir(mode=0o750, parents=True)
            if self.domains.owner:
                os.chown(self.folder, -1, self.domains.owner[1])

    def _socket(self, id: str) -> Path:
        return self.folder / f"{id}.sock"


def _must_be_legal(survey: Image, chain: tuple[Volume, ...]) -> None:
    for member in chain:
        if member.metadata.legality is not Legality.LEGAL:
            raise IllegalChain(survey.id, f"{member.id} is {member.metadata.legality.value}")
