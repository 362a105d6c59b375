"""Inbox and outbox of a pool's master domain, through a helper of their own: they must not wait for long work."""

from pathlib import Path
from uuid import uuid4

from attrs import frozen

from virgate.node.storage.domains.domains import FilesOf
from virgate.node.storage.formats import mailbox
from virgate.node.storage.formats.mailbox import MAILBOX
from virgate.node.storage.pools.pool import Pool
from virgate.node.storage.repository import MASTER
from virgate.node.storage.values import Files

LOCAL = "LOCALFS"
HASTE = 10.0
"""Seconds one read or write may take before its helper is replaced."""


def helper_key(domain: str) -> str:
    return f"mailbox:{domain}"


def has_mailbox(type: str) -> bool:
    """A master that only one host can see has nobody to write to."""
    return type != LOCAL


@frozen
class Place:
    """The mailboxes of one pool, wherever its master is now."""

    pool: Pool
    helpers: FilesOf

    @property
    def master(self) -> str:
        return self.pool.map.master

    async def read_replies(self, host: int) -> bytes:
        """What the SPM wrote to one host."""
        return await self._read("outbox", mailbox.place(host))

    async def write_requests(self, host: int, block: bytes) -> None:
        await self._write("inbox", mailbox.place(host), block)

    async def ring(self) -> None:
        """Tells the SPM that there is something to read."""
        await self._write("inbox", 0, mailbox.encode_event(uuid4()))

    async def read_ring(self) -> bytes:
        return await self._read("inbox", 0)

    async def read_requests(self, hosts: int) -> dict[int, bytes]:
        """The mailboxes of all hosts that are not all zero."""
        found = await self._files.call("read_used_blocks", self._path("inbox"), hosts, timeout=HASTE)
        return dict(found)

    async def write_replies(self, host: int, blocks: bytes) -> None:
        """From the mailbox of `host` on."""
        await self._write("outbox", mailbox.place(host), blocks)

    @property
    def _files(self) -> Files:
        return self.helpers[helper_key(self.master)]

    def _path(self, name: str) -> str:
        """By the domain itself: when the master moves, the pool's link follows a moment later."""
        known = self.pool.domains.known().get(self.master)
        folder: Path = known.path if known else self.pool.domains.repository.pool(self.pool.id) / MASTER
        return str(folder / "dom_md" / name)

    async def _read(self, name: str, offset: int) -> bytes:
        data: bytes = await self._files.call("read_blocks", self._path(name), offset, MAILBOX, timeout=HASTE)
        return data.ljust(MAILBOX, b"\0")

    async def _write(self, name: str, offset: int, data: bytes) -> None:
        await self._files.call("write_blocks", self._path(name), offset, data, timeout=HASTE)
