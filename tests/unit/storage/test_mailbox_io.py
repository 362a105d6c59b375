"""Hosts and the SPM over the same two files: who asks is answered, whatever storage does meanwhile."""

import errno
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from contract.storage.light import Direct, now
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock

from virgate.node.storage.errors import CannotExtendVolume
from virgate.node.storage.formats import mailbox
from virgate.node.storage.formats.mailbox import BLANK, MAILBOX, Extend
from virgate.node.storage.mailbox.office import Office
from virgate.node.storage.mailbox.places import Place
from virgate.node.storage.mailbox.sender import Sender
from virgate.node.storage.mailbox.settings import MailboxSettings

DOMAIN, OTHER = "3e7a1c52-9d40-4b7e-8f21-6a5b0c1d2e3f", "3e7a1c52-9d40-4b7e-8f21-6a5b0c1d2e40"
VOLUME = "7f6e5d4c-3b2a-4190-8f7e-6d5c4b3a2910"
HOSTS = 10
SETTINGS = MailboxSettings(hosts=HOSTS)


class Counted(Direct):
    """Counts calls; `broken` operations fail."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, str]] = []
        self.broken: set[tuple[str, str]] = set()

    def call(self, operation: str, *args: Any, timeout: float | None = None) -> "Deferred[Any]":
        call = (operation, Path(args[0]).name)
        self.calls.append(call)
        if call in self.broken:
            return fail(OSError(errno.EIO, "I/O error"))
        return super().call(operation, *args, timeout=timeout)


class Shared:
    """Inbox and outbox that several hosts see, and a clock for all of them."""

    def __init__(self, base: Path) -> None:
        self.base, self.clock = base, Clock()
        self.granted: list[tuple[str, str, int]] = []
        self.refuse: set[int] = set()
        folder = base / "pool" / "mastersd" / "dom_md"
        folder.mkdir(parents=True)
        for name in ("inbox", "outbox"):
            (folder / name).write_bytes(bytes(HOSTS * MAILBOX))
        self.inbox, self.outbox = folder / "inbox", folder / "outbox"

    def place(self) -> tuple[Place, Counted]:
        repository = SimpleNamespace(pool=lambda pool: self.base / pool)
        pool: Any = SimpleNamespace(
            id="pool", map=SimpleNamespace(master=DOMAIN), domains=SimpleNamespace(repository=repository, known=dict)
        )
        files = Counted()
        return Place(pool, files), files

    def sender(self, host: int, settings: MailboxSettings = SETTINGS) -> Sender:
        sender = Sender(self.place()[0], host, settings, self.clock)
        now(sender.start())
        return sender

    def office(self, settings: MailboxSettings = SETTINGS) -> Office:
        async def extend(domain: str, volume: str, mib: int) -> None:
            self.granted.append((domain, volume, mib))
            if mib in self.refuse:
                raise CannotExtendVolume(volume, "no room")

        office = Office(self.place()[0], extend, settings, self.clock)
        now(office.start())
        return office

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.125)):
            self.clock.advance(0.125)


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    return Shared(tmp_path)


def ask(sender: Sender, mib: int, volume: str = VOLUME) -> "Deferred[bool]":
    return Deferred.fromCoroutine(sender.ask(Extend(DOMAIN, volume, mib)))


def test_a_wish_is_granted_within_two_rings(shared: Shared) -> None:
    shared.office()
    asked = ask(shared.sender(3), 5120)
    shared.pass_time(1)
    assert asked.result is True
    assert shared.granted == [(DOMAIN, VOLUME, 5120)]


def test_a_wish_that_is_refused_is_heard_of(shared: Shared) -> None:
    shared.office()
    shared.refuse.add(5120)
    asked = ask(shared.sender(3), 5120)
    shared.pass_time(1)
    assert asked.result is False


def test_a_defect_on_the_spm_is_answered_too(shared: Shared) -> None:
    async def extend(domain: str, volume: str, mib: int) -> None:
        raise ValueError(mib)

    now(Office(shared.place()[0], extend, SETTINGS, shared.clock).start())
    asked = ask(shared.sender(3), 5120)
    shared.pass_time(1)
    assert asked.result is False


def test_after_the_answer_both_mailboxes_are_clean_again(shared: Shared) -> None:
    shared.office()
    sender = shared.sender(3)
    ask(sender, 5120)
    shared.pass_time(6)
    assert shared.inbox.read_bytes()[MAILBOX:] == bytes((HOSTS - 1) * MAILBOX)
    assert mailbox.decode(shared.outbox.read_bytes()[3 * MAILBOX :]) == {0: mailbox.CLEAN}


def test_many_wishes_of_many_hosts_are_each_answered_once(shared: Shared) -> None:
    shared.office()
    senders = [shared.sender(host) for host in range(1, HOSTS)]
    asked = [ask(sender, 1000 + 100 * number + wish) for number, sender in enumerate(senders) for wish in range(40)]
    shared.pass_time(4)
    assert [one.result for one in asked] == [True] * len(asked)
    assert len(shared.granted) == len(set(shared.granted)) == len(asked)


def test_more_wishes_than_slots_wait_for_their_turn(shared: Shared) -> None:
    shared.office()
    sender = shared.sender(3)
    asked = [ask(sender, mib) for mib in range(1, 201)]
    shared.pass_time(20)
    assert all(one.result for one in asked)
    assert len(shared.granted) == 200


def test_who_asks_for_the_same_shares_the_answer(shared: Shared) -> None:
    shared.office()
    sender = shared.sender(3)
    asked = [ask(sender, 5120), ask(sender, 5120)]
    shared.pass_time(1)
    assert [one.result for one in asked] == [True, True] and len(shared.granted) == 1


def test_hosts_without_a_wish_do_not_touch_storage(shared: Shared) -> None:
    place, files = shared.place()
    sender = Sender(place, 3, SETTINGS, shared.clock)
    now(sender.start())
    files.calls.clear()
    shared.pass_time(600)
    assert files.calls == []


def test_an_idle_spm_looks_for_a_ring_twice_a_second_and_at_all_every_other_second(shared: Shared) -> None:
    place, files = shared.place()
    office = Office(place, lambda *_: Deferred(), SETTINGS, shared.clock)
    now(office.start())
    files.calls.clear()
    shared.pass_time(60)
    assert files.calls.count(("read_blocks", "inbox")) == 120
    assert files.calls.count(("read_used_blocks", "inbox")) == 30
    assert len(files.calls) == 150


def test_without_events_the_rounds_of_two_seconds_are_enough(shared: Shared) -> None:
    silent = MailboxSettings(hosts=HOSTS, events=False)
    shared.office(silent)
    asked = ask(shared.sender(3, silent), 5120)
    shared.pass_time(1)
    assert not asked.called
    shared.pass_time(4)
    assert asked.result is True
    assert shared.inbox.read_bytes()[:MAILBOX] == BLANK


def test_a_host_that_does_not_ring_is_seen_in_the_next_round(shared: Shared) -> None:
    shared.office()
    asked = ask(shared.sender(3, MailboxSettings(hosts=HOSTS, events=False)), 5120)
    shared.pass_time(4.5)
    assert asked.result is True


def test_an_old_reply_of_another_spm_is_gone_before_anybody_can_take_it_for_new(shared: Shared) -> None:
    reply = mailbox.encode({0: Extend(DOMAIN, VOLUME, 5120).encode()}, sealed=False)
    shared.outbox.write_bytes(bytes(3 * MAILBOX) + reply + bytes((HOSTS - 4) * MAILBOX))
    shared.office()
    assert shared.outbox.read_bytes() == bytes(HOSTS * MAILBOX)


def test_without_a_reply_who_asks_is_told_so(shared: Shared) -> None:
    asked = ask(shared.sender(3), 5120)
    shared.pass_time(61)
    assert asked.result.check(CannotExtendVolume)
    asked.addErrback(lambda _: None)


def test_a_wish_that_was_given_up_is_answered_when_it_comes_again(shared: Shared) -> None:
    sender = shared.sender(3)
    ask(sender, 5120).addErrback(lambda _: None)
    shared.pass_time(61)
    again = ask(sender, 5120)
    shared.office()
    shared.pass_time(2)
    assert again.result is True and len(shared.granted) == 1


def test_a_host_that_leaves_empties_its_mailbox_and_tells_who_waits(shared: Shared) -> None:
    sender = shared.sender(3)
    asked = ask(sender, 5120)
    now(sender.stop())
    assert asked.result.check(CannotExtendVolume)
    asked.addErrback(lambda _: None)
    assert shared.inbox.read_bytes()[3 * MAILBOX : 4 * MAILBOX] == BLANK
    refused = ask(sender, 6000)
    assert refused.result.check(CannotExtendVolume)
    refused.addErrback(lambda _: None)


def test_an_spm_that_gave_up_its_role_writes_nothing_more(shared: Shared) -> None:
    granting: Deferred[None] = Deferred()

    async def extend(domain: str, volume: str, mib: int) -> None:
        await granting

    office = Office(shared.place()[0], extend, SETTINGS, shared.clock)
    now(office.start())
    ask(shared.sender(3), 5120).addErrback(lambda _: None)
    shared.pass_time(1)
    office.stop()
    before = shared.outbox.read_bytes()
    granting.callback(None)
    shared.pass_time(4)
    assert shared.outbox.read_bytes() == before


@pytest.mark.parametrize(
    "operation", [("read_blocks", "inbox"), ("read_used_blocks", "inbox"), ("write_blocks", "outbox")]
)
def test_an_spm_whose_storage_fails_for_a_while_answers_afterwards(shared: Shared, operation: tuple[str, str]) -> None:
    place, files = shared.place()

    async def extend(domain: str, volume: str, mib: int) -> None:
        shared.granted.append((domain, volume, mib))

    office = Office(place, extend, SETTINGS, shared.clock)
    now(office.start())
    sender = shared.sender(3)
    files.broken.add(operation)
    asked = ask(sender, 5120)
    shared.pass_time(5)
    assert not asked.called
    files.broken.clear()
    shared.pass_time(5)
    assert asked.result is True and len(shared.granted) == 1


def test_a_host_leaves_storage_that_keeps_failing_alone_for_a_minute(shared: Shared) -> None:
    place, files = shared.place()
    sender = Sender(place, 3, SETTINGS, shared.clock)
    now(sender.start())
    files.calls.clear()
    files.broken.add(("read_blocks", "outbox"))
    ask(sender, 5120).addErrback(lambda _: None)
    shared.pass_time(18)
    assert len(files.calls) == 10
    shared.pass_time(59)
    assert len(files.calls) == 10
    shared.pass_time(2)
    assert len(files.calls) == 11


def test_wishes_and_replies_follow_the_master_to_another_domain(shared: Shared, tmp_path: Path) -> None:
    """At once, though the pool's link still leads to the old one."""
    other = tmp_path / "other"
    (other / "dom_md").mkdir(parents=True)
    for name in ("inbox", "outbox"):
        (other / "dom_md" / name).write_bytes(b"\x07" * (HOSTS * MAILBOX))
    office, sender = shared.office(), shared.sender(3)
    asked = ask(sender, 5120)
    for pool in (office.place.pool, sender.place.pool):
        pool.map = SimpleNamespace(master=OTHER)
        pool.domains.known = lambda: {OTHER: SimpleNamespace(path=other)}
    shared.pass_time(1.5)
    assert asked.result is True and len(shared.granted) == 1
    assert mailbox.decode((other / "dom_md" / "outbox").read_bytes()[5 * MAILBOX :]) == {}
