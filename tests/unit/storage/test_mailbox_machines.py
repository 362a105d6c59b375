"""Both sides of the mailbox without I/O: whatever happens in between, each request gets one reply."""

import hashlib
from collections import Counter
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virgate.node.storage.formats import mailbox
from virgate.node.storage.formats.mailbox import BLANK, CLEAN, MAILBOX, SLOTS, Extend
from virgate.node.storage.mailbox.postbox import Postbox
from virgate.node.storage.mailbox.requests import Requests

DOMAIN = "3e7a1c52-9d40-4b7e-8f21-6a5b0c1d2e3f"
VOLUME = "7f6e5d4c-3b2a-4190-8f7e-6d5c4b3a2910"


def wish(mib: int = 5120, volume: str = VOLUME) -> bytes:
    return Extend(DOMAIN, volume, mib).encode()


def numbered(number: int) -> str:
    return str(UUID(int=number + 1))


class Storage:
    """Inbox and outbox, and what was written to them."""

    def __init__(self, hosts: int = 10) -> None:
        self.inbox, self.outbox = bytearray(hosts * MAILBOX), bytearray(hosts * MAILBOX)
        self.written: list[tuple[str, int, bytes]] = []

    def write(self, name: str, host: int, data: bytes) -> None:
        self.written.append((name, host, data))
        getattr(self, name)[host * MAILBOX : host * MAILBOX + len(data)] = data

    def read(self, name: str, host: int) -> bytes:
        return bytes(getattr(self, name)[host * MAILBOX : (host + 1) * MAILBOX])

    def used(self) -> dict[int, bytes]:
        found = {host: self.read("inbox", host) for host in range(len(self.inbox) // MAILBOX)}
        return {host: block for host, block in found.items() if any(block)}


class Spm:
    """The SPM's side over storage; `granting` are wishes whose extension is under way."""

    def __init__(self, storage: Storage, hosts: int = 10) -> None:
        self.storage, self.box = storage, Postbox(hosts)
        self.granting = []
        self.bad: tuple[int, ...] = ()
        storage.write("outbox", 0, self.box.outbox)

    def poll(self) -> None:
        found = self.box.read(self.storage.used())
        self.bad = found.bad
        if found.whole:
            self.storage.write("outbox", 0, self.box.outbox)
        for host in found.hosts:
            self.storage.write("outbox", host, self.box.mailbox(host))
        self.granting += found.wishes

    def grant(self, number: int = 0, granted: bool = True) -> None:
        asked = self.granting.pop(number)
        if (block := self.box.reply(asked, granted)) is not None:
            self.storage.write("outbox", asked.host, block)


class Host:
    """One host's side over storage."""

    def __init__(self, storage: Storage, number: int) -> None:
        self.storage, self.number = storage, number
        self.requests, self.written = Requests(storage.read("outbox", number)), BLANK
        self.answers = []
        storage.write("inbox", number, BLANK)

    def ask(self, message: bytes) -> int | None:
        self.requests.rebase(self.storage.read("outbox", self.number))
        return self.requests.add(message)

    def write(self) -> None:
        if (block := self.requests.block) != self.written:
            self.storage.write("inbox", self.number, block)
            self.written = block

    def hear(self) -> None:
        self.answers += self.requests.hear(self.storage.read("outbox", self.number))


def test_one_request_makes_the_writes_of_the_reference():
    storage = Storage()
    spm, host = Spm(storage), Host(storage, 3)
    host.ask(wish())
    host.write()
    spm.poll()
    spm.grant()
    host.hear()
    host.write()
    spm.poll()
    host.hear()
    host.write()
    spm.poll()
    zeroed, emptied, asked, replied, thanked, repeated, done = storage.written
    assert zeroed == ("outbox", 0, bytes(40960))
    assert emptied == ("inbox", 3, BLANK)
    assert asked[2][-4:].hex() == "3b110000" and asked[2][:64] == wish()
    digest = "8f8327ce43596d65c8eb6e92d5aaa74e295566519ccd5851f56a850a3c39d20b"
    assert hashlib.sha256(asked[2]).hexdigest() == digest
    assert replied == ("outbox", 3, wish().ljust(MAILBOX, b"\0"))
    assert thanked[2][:64] == CLEAN and thanked[2][-4:].hex() == "40000000"
    assert repeated[1] == 0 and len(repeated[2]) == 40960
    assert repeated[2][3 * MAILBOX : 3 * MAILBOX + 64] == CLEAN and sum(repeated[2]) == 64
    assert done == ("inbox", 3, BLANK)
    assert [answer.reply for answer in host.answers] == [wish()]


def test_a_refused_request_is_answered_with_size_zero():
    storage = Storage()
    spm, host = Spm(storage), Host(storage, 3)
    host.ask(wish())
    host.write()
    spm.poll()
    spm.grant(granted=False)
    host.hear()
    assert storage.read("outbox", 3)[37:64] == b"0" * 27
    assert Extend.decode(host.answers[0].reply).mib == 0


def test_the_same_wish_under_way_twice_is_one_request():
    requests = Requests()
    assert requests.add(wish()) == requests.add(wish()) == 0
    assert requests.add(wish(6000)) == 1


def test_a_mailbox_holds_63_requests():
    requests = Requests()
    assert [requests.add(wish(mib)) for mib in range(SLOTS)] == list(range(SLOTS))
    assert requests.add(wish(SLOTS)) is None


def test_a_slot_is_free_again_only_after_the_spm_has_repeated_the_thanks():
    storage = Storage()
    spm, host = Spm(storage), Host(storage, 3)
    host.ask(wish())
    host.write()
    spm.poll()
    spm.grant()
    host.hear()
    host.write()
    assert host.requests.active and host.ask(wish(7000)) == 1
    spm.poll()
    host.hear()
    assert host.requests.add(wish(8000)) == 0


def test_a_stale_reply_to_the_same_wish_is_not_taken_for_an_answer():
    storage = Storage()
    storage.write("outbox", 3, mailbox.encode({0: wish()}, sealed=False))
    host = Host(storage, 3)
    assert host.ask(wish()) == 1
    host.write()
    host.hear()
    assert host.answers == []


def test_a_reply_to_something_else_is_passed_over():
    storage = Storage()
    host = Host(storage, 3)
    host.ask(wish())
    storage.write("outbox", 3, mailbox.encode({0: wish(volume=DOMAIN)}, sealed=False))
    host.hear()
    assert host.answers == [] and host.requests.active


def test_a_host_that_starts_anew_gets_an_answer_even_though_the_old_one_looks_the_same():
    storage = Storage()
    spm, host = Spm(storage), Host(storage, 3)
    host.ask(wish())
    host.write()
    spm.poll()
    spm.grant()
    again = Host(storage, 3)  # the first one died before it read the reply
    spm.poll()
    again.ask(wish())
    again.write()
    spm.poll()
    spm.grant()
    again.hear()
    assert len(again.answers) == 1


def test_nobody_waits_for_the_reply_to_a_request_that_was_withdrawn():
    storage = Storage()
    spm, host = Spm(storage), Host(storage, 3)
    host.ask(wish())
    host.write()
    spm.poll()
    Host(storage, 3)
    spm.poll()
    before = len(storage.written)
    spm.grant()
    assert storage.written[before:] == [] and storage.read("outbox", 3) == BLANK


def test_another_spm_answers_what_the_first_one_left():
    storage = Storage()
    spm, host = Spm(storage), Host(storage, 3)
    host.ask(wish())
    host.write()
    spm.poll()
    other = Spm(storage)
    host.hear()
    other.poll()
    other.grant()
    host.hear()
    assert len(host.answers) == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda block: block[:-4] + b"\0\0\0\0",
        lambda block: block[:40] + b"f" + block[41:],
        lambda block: b"\xff" * MAILBOX,
        lambda block: block[:64],
    ],
)
def test_a_mailbox_that_is_not_sealed_right_is_left_alone_until_it_is(spoil):
    storage = Storage()
    spm, host = Spm(storage), Host(storage, 3)
    host.ask(wish())
    host.write()
    right = storage.read("inbox", 3)
    assert spm.box.read({3: spoil(right)}).wishes == ()
    spm.poll()
    assert len(spm.granting) == 1


def test_a_torn_read_does_not_ask_again_for_what_is_under_way():
    storage = Storage()
    spm, host = Spm(storage), Host(storage, 3)
    host.ask(wish())
    host.write()
    spm.poll()
    host.ask(wish(volume=DOMAIN))
    host.write()
    right = storage.read("inbox", 3)
    assert spm.box.read({3: right[:2048] + bytes(2048)}).wishes == ()
    spm.poll()
    assert [one.extend.volume for one in spm.granting] == [VOLUME, DOMAIN]


def test_a_message_that_is_no_request_is_passed_over():
    storage = Storage()
    spm = Spm(storage)
    block = mailbox.encode({0: b"1blah".ljust(64, b"0"), 1: b"9xtnd".ljust(64, b"0"), 2: wish()})
    found = spm.box.read({4: block})
    assert [one.slot for one in found.wishes] == [2] and set(found.bad) == {4}


def test_an_old_host_leaves_ascii_zeros_in_empty_slots():
    storage = Storage()
    spm = Spm(storage)
    zeros = b"0" * 64
    block = bytearray(zeros + wish() + zeros * 61 + bytes(64))
    block[-4:] = mailbox.checksum(block).to_bytes(4, "little")
    assert [(one.host, one.slot) for one in spm.box.read({5: bytes(block)}).wishes] == [(5, 1)]
    block[64:128] = zeros
    block[-4:] = mailbox.checksum(block).to_bytes(4, "little")
    assert spm.box.read({5: bytes(block)}).wishes == ()


def test_an_old_spm_leaves_ascii_zeros_in_empty_slots():
    host = Host(Storage(), 3)
    host.ask(wish())
    assert host.requests.hear(b"0" * MAILBOX) == []
    assert len(host.requests.hear((wish() + b"0" * (MAILBOX - 64))[:MAILBOX])) == 1


def test_the_event_block_and_hosts_beyond_the_last_are_nobodys_mailbox():
    box = Postbox(10)
    block = mailbox.encode({0: wish()})
    assert box.read({0: block, 10: block}).wishes == ()


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "write", "hear", "poll", "grant", "refuse", "spoil", "spm"]),
        st.integers(0, 3),
        st.integers(0, 8),
    ),
    max_size=60,
)


@given(ACTIONS)
@settings(max_examples=300, deadline=None)
def test_in_any_order_of_steps_each_request_gets_exactly_one_reply(actions):
    storage = Storage()
    spm, hosts = Spm(storage), [Host(storage, number) for number in (1, 2, 5, 9)]
    asked: list[Counter] = [Counter() for _ in hosts]
    serial = 0
    for what, which, choice in actions:
        host = hosts[which]
        if what == "ask":
            serial += 1
            asked[which][wish(serial, numbered(choice))] += 1
            assert host.ask(wish(serial, numbered(choice))) is not None
        elif what in ("write", "hear"):
            getattr(host, what)()
        elif what == "poll":
            spm.poll()
        elif what == "spoil":
            spm.box.read({host.number: b"\x07" * MAILBOX})
        elif what == "spm":
            spm = Spm(storage)
        elif spm.granting:
            spm.grant(choice % len(spm.granting), granted=what == "grant")
    for _ in range(4):
        for host in hosts:
            host.write()
        spm.poll()
        while spm.granting:
            spm.grant()
        for host in hosts:
            host.hear()
    for host, wanted in zip(hosts, asked, strict=True):
        assert Counter(answer.request for answer in host.answers) == wanted
        assert all(mailbox.answers(answer.reply, answer.request) for answer in host.answers)
        assert not host.requests.active and host.requests.block == BLANK


@given(st.dictionaries(st.integers(0, 12), st.binary(max_size=64).map(lambda piece: (piece * 4096)[:MAILBOX])))
def test_nothing_in_the_inbox_breaks_the_spm(blocks):
    box = Postbox(10)
    for _ in range(2):
        for found in box.read(blocks).wishes:
            assert box.reply(found, True)


@given(st.binary(max_size=MAILBOX))
def test_nothing_in_the_outbox_breaks_a_host(block):
    requests = Requests(block)
    requests.add(wish())
    requests.hear(block[::-1])
    assert len(requests.block) == MAILBOX
