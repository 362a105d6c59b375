"""Keeps the SPM's address beside its lease: written by the SPM, read by everybody else."""

from attrs import define, field
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.node.peers.endpoint import Endpoint
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.domains.domains import FilesOf
from virgate.node.storage.mailbox.places import HASTE, has_mailbox, helper_key
from virgate.node.storage.pools.pool import Pool
from virgate.node.storage.thin.address import BLOCK, SpmAddress, place


@define(eq=False)
class AddressBook:
    """What was read is believed until a call fails; a record that misled us is not read again until it changes."""

    log = Logger()

    helpers: FilesOf
    here: Endpoint
    _known: SpmAddress | None = field(init=False, default=None)
    _misled: SpmAddress | None = field(init=False, default=None)

    async def write(self, pool: Pool, master: Domain) -> None:
        """This host is the SPM. Without the record the mailbox is slower, no more: a failure is only logged."""
        if not has_mailbox(master.type.name):
            return
        block = bytes(BLOCK)
        try:
            if address := self.here.address:
                owner = await master.lease.inquire()
                version = owner.version if owner else -1
                block = SpmAddress(pool.host, address, self.here.port, self.here.tls, version).encode()
            await self._write(master, block)
        except (VirgateError, OSError) as problem:
            self.log.warn("pool {pool}: the SPM's address is not written: {problem}", pool=pool.id, problem=problem)

    async def clear(self, master: Domain) -> None:
        """The role is about to be given up. Only while the lease is held: the place is the next SPM's."""
        if has_mailbox(master.type.name) and master.lease.held:
            try:
                await self._write(master, bytes(BLOCK))
            except (VirgateError, OSError) as problem:
                self.log.warn("domain {domain}: {problem}", domain=master.id, problem=problem)

    async def find(self, pool: Pool) -> SpmAddress | None:
        """Where to call; None if that is not known, or not with the encryption that this host has."""
        if self._known is None:
            self._known = await self._read(pool)
        return self._known

    def forget(self) -> None:
        """A call there failed: the next wish looks at storage again."""
        self._misled, self._known = self._known, None

    async def _read(self, pool: Pool) -> SpmAddress | None:
        master = await pool.master()
        if not has_mailbox(master.type.name):
            return None
        path, offset = str(master.path / "dom_md" / "leases"), place(master.record.alignment)
        files = self.helpers[helper_key(master.id)]
        found = SpmAddress.decode(await files.call("read_blocks", path, offset, BLOCK, timeout=HASTE))
        if found is None or found == self._misled or found.tls is not self.here.tls or found.host == pool.host:
            return None
        owner = await master.lease.inquire()
        if owner is None or owner.host != found.host or (owner.version, found.version) != (found.version,) * 2:
            return None
        return found

    async def _write(self, master: Domain, block: bytes) -> None:
        files, path = self.helpers[helper_key(master.id)], str(master.path / "dom_md" / "leases")
        await files.call("write_blocks", path, place(master.record.alignment), block, timeout=HASTE)
