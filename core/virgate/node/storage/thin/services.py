"""What comes and goes with a pool and with the role of SPM: mailboxes and the address of the SPM."""

from attrs import define, field
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.node.peers.endpoint import Endpoint
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.domains.domains import FilesOf
from virgate.node.storage.errors import CannotExtendVolume
from virgate.node.storage.formats.mailbox import Extend
from virgate.node.storage.mailbox.places import Place, has_mailbox
from virgate.node.storage.mailbox.settings import MailboxSettings
from virgate.node.storage.pools.pool import Pool
from virgate.node.storage.pools.pools import Pools
from virgate.node.storage.thin.book import AddressBook
from virgate.node.storage.thin.extending import Extending
from virgate.node.storage.thin.growing import Growing
from virgate.node.storage.thin.seeing import Seeing
from virgate.node.storage.thin.settings import ThinSettings
from virgate.node.storage.values import Clock


def attend(
    pools: Pools, helpers: FilesOf, mailbox: MailboxSettings, thin: ThinSettings, here: Endpoint
) -> "tuple[Mailboxes, Growing]":
    """Makes all of it, and lets it come and go with the pool and the role."""
    clock, extending, book = pools.monitors.clock, Extending(pools.domains), AddressBook(helpers, here)
    mailboxes = Mailboxes(helpers, mailbox, clock)
    pools.attendants.append(mailboxes)
    pools.services += [SpmSign(pools, book), SpmOffice(pools, helpers, extending, mailbox, clock)]
    growing = Growing(
        pools=pools,
        extending=extending,
        seeing=Seeing(pools.domains),
        post=mailboxes,
        book=book,
        settings=thin,
        events=pools.monitors.events,
        clock=clock,
    )
    return mailboxes, growing


@define(eq=False)
class Mailboxes:
    """The mailbox of this host in the pool it is connected to. The code for it is only loaded on shared storage."""

    log = Logger()

    helpers: FilesOf
    settings: MailboxSettings
    clock: Clock
    _sender: object | None = field(init=False, default=None)

    async def joined(self, pool: Pool) -> None:
        """The pool is connected, perhaps once more."""
        if self._sender is not None or not has_mailbox((await pool.master()).type.name):
            return
        from virgate.node.storage.mailbox.sender import Sender

        sender = Sender(Place(pool, self.helpers), pool.host, self.settings, self.clock)
        try:
            await sender.start()
        except (VirgateError, OSError) as problem:
            self.log.warn("pool {pool}: mailbox: {problem}", pool=pool.id, problem=problem)
        self._sender = sender

    async def left(self) -> None:
        """The pool is about to be disconnected."""
        from virgate.node.storage.mailbox.sender import Sender

        sender, self._sender = self._sender, None
        if isinstance(sender, Sender):
            await sender.stop()

    async def ask(self, pool: Pool, wish: Extend) -> bool:
        from virgate.node.storage.mailbox.sender import Sender

        if not isinstance(self._sender, Sender) or self._sender.place.pool is not pool:
            raise CannotExtendVolume(wish.volume, f"pool {pool.id} has no mailbox")
        return await self._sender.ask(wish)


@define(eq=False)
class SpmOffice:
    """Opens the SPM's post office with the role; a `SpmService`."""

    pools: Pools
    helpers: FilesOf
    extending: Extending
    settings: MailboxSettings
    clock: Clock
    _office: object | None = field(init=False, default=None)

    async def start(self, pool: str, master: Domain) -> None:
        if not has_mailbox(master.type.name):
            return
        from virgate.node.storage.mailbox.office import Office

        found = self.pools.find(pool)
        place, hosts = Place(found, self.helpers), found.spm.hosts or self.settings.hosts
        office = Office(place, self.extending.extend, self.settings, self.clock, hosts)
        await office.start()
        self._office = office

    async def stop(self) -> None:
        from virgate.node.storage.mailbox.office import Office

        office, self._office = self._office, None
        if isinstance(office, Office):
            office.stop()


@define(eq=False)
class SpmSign:
    """Writes down where the SPM can be called; a `SpmService`."""

    pools: Pools
    book: AddressBook
    _master: Domain | None = field(init=False, default=None)

    async def start(self, pool: str, master: Domain) -> None:
        self._master = master
        await self.book.write(self.pools.find(pool), master)

    async def stop(self) -> None:
        master, self._master = self._master, None
        if master is not None:
            await self.book.clear(master)
