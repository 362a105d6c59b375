"""The SPM's side of the mailbox, without I/O (spec storage-format 6.2).

What storage says is not trusted: a mailbox whose checksum is wrong is left alone until it is right, a message that is
no request is passed over, and a reply is only written while its request stands where it stood.
"""

from collections.abc import Mapping
from typing import Any

from attrs import define, field, frozen

from virgate.node.storage.formats import mailbox
from virgate.node.storage.formats.errors import UnreadableMetadata
from virgate.node.storage.formats.mailbox import BLANK, CLEAN, EMPTY, SLOTS, Extend


@frozen
class Wish:
    """A request, and where it came from."""

    host: int
    slot: int
    message: bytes
    extend: Extend


@frozen
class Round:
    """What one look at all mailboxes brought."""

    wishes: tuple[Wish, ...] = ()
    whole: bool = False
    """Whether the whole outbox must be written."""
    hosts: tuple[int, ...] = ()
    """Otherwise: hosts whose mailbox in the outbox must be written."""
    bad: tuple[int, ...] = ()
    """Hosts whose mailbox could not be understood."""


@define
class Postbox:
    """The mailboxes of hosts 1 to `hosts` - 1. An empty outbox was written before the first look."""

    hosts: int
    _seen: dict[int, dict[int, bytes]] = field(init=False, factory=dict)
    _replies: dict[int, dict[int, bytes]] = field(init=False, factory=dict)

    @property
    def outbox(self) -> bytes:
        """All replies, as the outbox begins on storage."""
        return b"".join(self.mailbox(host) for host in range(self.hosts))

    def mailbox(self, host: int) -> bytes:
        """The replies to one host."""
        replies = self._replies.get(host)
        return mailbox.encode(replies, sealed=False) if replies else BLANK

    def read(self, blocks: Mapping[int, bytes]) -> Round:
        """Takes a read of the inbox: the mailboxes that are not all zero, by host."""
        made = _Making()
        for host in sorted({*blocks, *self._seen}):
            if 0 < host < self.hosts:
                self._read_one(host, blocks.get(host, BLANK), made)
        return Round(tuple(made.wishes), made.whole, tuple(made.hosts), tuple(made.bad))

    def reply(self, wish: Wish, granted: bool) -> bytes | None:
        """The mailbox to write for the wish's host; None when nobody waits for the reply any more."""
        if self._seen.get(wish.host, {}).get(wish.slot) != wish.message:
            return None
        answer = wish.message if granted else wish.extend.failed.encode()
        self._replies.setdefault(wish.host, {})[wish.slot] = answer
        return self.mailbox(wish.host)

    def _read_one(self, host: int, block: bytes, made: "_Making") -> None:
        now = mailbox.decode(block)
        if now and not mailbox.is_sealed(block):
            made.bad.append(host)
            return
        before, replies = self._seen.get(host, {}), self._replies.get(host, {})
        for slot in range(SLOTS):
            message = now.get(slot, EMPTY)
            if message == before.get(slot, EMPTY):
                continue
            if message == EMPTY:
                self._emptied(host, slot, replies, made)
            elif message == CLEAN:
                self._replies.setdefault(host, {})[slot] = CLEAN
                made.whole = True
            else:
                self._asked(host, slot, message, made)
        self._remember(host, now)

    def _emptied(self, host: int, slot: int, replies: dict[int, bytes], made: "_Making") -> None:
        """A reply that was never acknowledged goes: the next one may be the same and must show as new."""
        if replies.pop(slot, EMPTY) not in (EMPTY, CLEAN) and host not in made.hosts:
            made.hosts.append(host)

    def _asked(self, host: int, slot: int, message: bytes, made: "_Making") -> None:
        try:
            made.wishes.append(Wish(host, slot, message, Extend.decode(message)))
        except UnreadableMetadata:
            made.bad.append(host)

    def _remember(self, host: int, now: dict[int, bytes]) -> None:
        if now:
            self._seen[host] = now
        else:
            self._seen.pop(host, None)


@define
class _Making:
    wishes: list[Wish] = field(factory=list)
    whole: bool = False
    hosts: list[int] = field(factory=list)
    bad: list[Any] = field(factory=list)
