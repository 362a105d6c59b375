"""The host's side of the mailbox, without I/O (spec storage-format 6.2).

A request takes a slot of our mailbox until the SPM answered in the same slot of its own, until we acknowledged that
with a clean message, and until the SPM repeated the clean message: only then neither side can mistake what comes next
for what was there before.
"""

from attrs import define, field, frozen

from virgate.node.storage.formats import mailbox
from virgate.node.storage.formats.mailbox import BLANK, CLEAN, EMPTY, SLOTS


@frozen
class Answer:
    """What the SPM said to the request in a slot."""

    slot: int
    request: bytes
    reply: bytes


@define
class Requests:
    """The requests of one host. `baseline` is what the SPM's mailbox for it holds from earlier days."""

    baseline: bytes = BLANK
    _slots: dict[int, bytes] = field(init=False, factory=dict)
    _last: dict[int, bytes] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._last = mailbox.decode(self.baseline)

    @property
    def active(self) -> bool:
        """Whether the SPM's mailbox must be looked at."""
        return bool(self._slots)

    @property
    def block(self) -> bytes:
        """Our mailbox as it should be on storage now."""
        return mailbox.encode(self._slots)

    def rebase(self, replies: bytes) -> None:
        """What was answered while nothing was asked is nobody's answer."""
        if not self.active:
            self._last = mailbox.decode(replies)

    def add(self, message: bytes) -> int | None:
        """The slot of the request; the one it has already if the same is under way. None while all are taken.

        A slot where an earlier reply to the same wish still stands is not used: the new one might look the same.
        """
        for slot, known in self._slots.items():
            if known == message:
                return slot
        for slot in range(SLOTS):
            if slot not in self._slots and not mailbox.answers(self._last.get(slot, EMPTY), message):
                self._slots[slot] = message
                return slot
        return None

    def hear(self, replies: bytes) -> list[Answer]:
        """The answers in a read of the SPM's mailbox for us; afterwards `block` may have to be written."""
        found, answers = mailbox.decode(replies), []
        for slot, request in tuple(self._slots.items()):
            reply = found.get(slot, EMPTY)
            if request == CLEAN:
                if reply == CLEAN:
                    del self._slots[slot]
            elif reply != self._last.get(slot, EMPTY) and mailbox.answers(reply, request):
                answers.append(Answer(slot, request, reply))
                self._slots[slot] = CLEAN
        self._last = found
        return answers
