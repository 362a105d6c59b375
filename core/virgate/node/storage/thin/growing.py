"""The front: a thin volume that this host uses gets more room, whoever is the SPM."""

from collections.abc import Awaitable, Callable
from typing import Protocol, cast

from attrs import define, field
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.events import EventBus
from virgate.node.storage.errors import CannotExtendVolume
from virgate.node.storage.formats.mailbox import Extend
from virgate.node.storage.pools.pool import Pool
from virgate.node.storage.pools.pools import Pools
from virgate.node.storage.pools.role import Role
from virgate.node.storage.thin.book import AddressBook
from virgate.node.storage.thin.extending import Extending
from virgate.node.storage.thin.seeing import Seeing
from virgate.node.storage.thin.settings import ThinSettings
from virgate.node.storage.values import Clock
from virgate.units import MiB

Key = tuple[str, str]
First = Callable[[], Awaitable[None]]


class Post(Protocol):
    """The road through storage."""

    async def ask(self, pool: Pool, wish: Extend) -> bool: ...


@define(eq=False, kw_only=True)
class Growing:
    """Tells `storage.grown(domain, volume, size, road, seconds)` on the bus; road: "here", "call" or "mailbox"."""

    log = Logger()

    pools: Pools
    extending: Extending
    seeing: Seeing
    post: Post
    book: AddressBook
    settings: ThinSettings
    events: EventBus
    clock: Clock
    _under_way: dict[Key, list[Deferred[None]]] = field(init=False, factory=dict)

    async def grow(
        self, pool: str, domain: str, image: str, volume: str, size: int, *, first: First | None = None
    ) -> int:
        """Comes back with the volume's size when it has at least `size` bytes and this host sees them.

        One after the other for one volume: who waited finds perhaps that there is nothing left to do. `first` is
        awaited when the volume has grown and this host does not see it yet; what it raises keeps it from seeing it.
        `UnknownPool` (309), `CannotExtendVolume` (206).
        """
        key = domain, volume
        while key in self._under_way:
            waiting: Deferred[None] = Deferred()
            self._under_way[key].append(waiting)
            await waiting
        self._under_way[key] = []
        try:
            return await self._grow(self.pools.find(pool), domain, image, volume, size, first)
        finally:
            for other in self._under_way.pop(key):
                other.callback(None)

    async def extend(self, pool: str, domain: str, volume: str, size: int) -> None:
        """What `grow` asks of the SPM; `NotSpm` (654). The volume is not looked at here: another host uses it."""
        await self._extend(self.pools.find(pool), Extend(domain, volume, -(-size // MiB)))

    async def see(self, domain: str, image: str, volume: str) -> int:
        """The size of a volume that another host may have changed; from now on programs of this host find it."""
        return await self.seeing.again(await self.pools.domains.find(domain), image, volume)

    async def _grow(self, pool: Pool, domain: str, image: str, volume: str, size: int, first: First | None) -> int:
        found = await self.pools.domains.find(domain)
        started = self.clock.seconds()

        async def again() -> int:
            if first is not None:
                await first()
            return await self.seeing.again(found, image, volume)

        if (seen := await self.seeing.size(found, image, volume)) >= size:
            return seen
        wish = Extend(domain, volume, -(-size // MiB))
        if pool.spm.role is Role.SPM:
            await Deferred.fromCoroutine(self._extend(pool, wish, refresh=first is None))
            road, seen = "here", await self.seeing.size(found, image, volume)
            if seen < size:  # somebody else has extended it before, or is to see it before
                seen = await again()
        elif await self._called(pool, wish, image):
            road, seen = "call", await again()
        if seen < size and pool.spm.role is not Role.SPM:
            if not await self.post.ask(pool, wish):
                raise CannotExtendVolume(volume, "the SPM could not do it")
            road, seen = "mailbox", await again()
        if seen < size:
            raise CannotExtendVolume(volume, f"the SPM says it did, and it has {seen} bytes, not {size}")
        seconds = self.clock.seconds() - started
        self.events.tell("storage.grown", domain=domain, volume=volume, size=seen, road=road, seconds=seconds)
        return seen

    async def _extend(self, pool: Pool, wish: Extend, *, refresh: bool = False) -> None:
        """Its own coroutine, for it goes behind the SPM's fence."""
        pool.spm.require()
        await self.extending.extend(wish.domain, wish.volume, wish.mib, refresh=refresh)

    async def _called(self, pool: Pool, wish: Extend, image: str) -> bool:
        """Whether the SPM was called and says it is done. What keeps it from that keeps the mailbox from nothing."""
        if not self.settings.direct:
            return False
        try:
            found = await self.book.find(pool)
        except (VirgateError, OSError) as problem:
            self.log.info("pool {pool}: the SPM's address is not known: {problem}", pool=pool.id, problem=problem)
            return False
        if found is None:
            return False
        from virgate.node.peers.calling import call

        arguments = (wish.domain, pool.id, image, wish.volume, str(wish.mib * MiB))
        calling = Deferred.fromCoroutine(call(self.book.here, found.address, found.port, "extendVolume", *arguments))
        try:
            # nothing else of the answer is believed: the volume itself is looked at
            answer = await calling.addTimeout(self.settings.patience, cast(IReactorTime, self.clock))
        except Exception as problem:
            said = "no answer in time" if isinstance(problem, TimeoutError) else str(problem)
            self.log.info("pool {pool}: the SPM is asked through storage: {said}", pool=pool.id, said=said)
            self.book.forget()
            return False
        if answer.code == CannotExtendVolume.code:
            raise CannotExtendVolume(wish.volume, answer.message)
        if answer.code:
            self.log.info("pool {pool}: the SPM is asked through storage: {said}", pool=pool.id, said=answer.message)
            self.book.forget()
        return not answer.code
