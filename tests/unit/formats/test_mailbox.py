"""Mailbox blocks and the messages in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.errors import InvalidParameter
from virgate.node.storage.formats import mailbox
from virgate.node.storage.formats.errors import UnreadableMetadata
from virgate.node.storage.formats.mailbox import Extend
from virgate.units import Size

uuids = st.uuids().map(str)
wishes = st.builds(Extend, uuids, uuids, st.integers(0, 0xFFFFFFFF))
boxes = st.dictionaries(st.integers(0, mailbox.SLOTS - 1), wishes.map(Extend.encode), max_size=6)


@given(wishes)
def test_a_message_is_read_as_it_was_written(wish):
    message = wish.encode()
    assert len(message) == 64
    assert Extend.decode(message) == wish
    assert not mailbox.is_empty(message)


@given(boxes)
def test_a_mailbox_is_read_as_it_was_written(messages):
    block = mailbox.encode(messages)
    assert len(block) == 4096
    assert mailbox.decode(block) == messages
    assert mailbox.is_sealed(block) == bool(messages)


@given(boxes.filter(bool), st.integers(0, 4091), st.integers(1, 255))
def test_a_damaged_mailbox_is_not_sealed(messages, position, change):
    block = bytearray(mailbox.encode(messages))
    block[position] ^= change
    assert not mailbox.is_sealed(bytes(block))


@given(boxes)
def test_the_spm_writes_no_checksum(messages):
    block = mailbox.encode(messages, sealed=False)
    assert block[4092:] == bytes(4)
    assert mailbox.decode(block) == messages


def test_all_63_slots_can_be_used_and_the_last_is_the_checksum():
    full = dict.fromkeys(range(63), mailbox.CLEAN)
    assert mailbox.decode(mailbox.encode(full)) == full
    with pytest.raises(InvalidParameter):
        mailbox.encode({63: mailbox.CLEAN})
    with pytest.raises(InvalidParameter):
        mailbox.encode({0: b"short"})


@given(wishes, wishes)
def test_a_reply_answers_its_request_whatever_the_size(one, other):
    assert mailbox.answers(one.failed.encode(), one.encode())
    same = (one.domain, one.volume) == (other.domain, other.volume)
    assert mailbox.answers(other.encode(), one.encode()) == same


@pytest.mark.parametrize(("bytes_", "mib"), [(0, 0), (1, 1), (1 << 20, 1), ((1 << 20) + 1, 2)])
def test_a_size_is_asked_for_in_whole_mib(bytes_, mib):
    uuid = "3e7a1c52-9d40-4b7e-8f21-6a5b0c1d2e3f"
    assert Extend.to(uuid, uuid, Size(bytes_)).mib == mib


def test_old_hosts_leave_ascii_zeros_in_empty_slots():
    assert mailbox.is_empty(b"0" * 64)
    assert mailbox.is_empty(mailbox.EMPTY)
    assert not mailbox.is_empty(mailbox.CLEAN)


@given(st.binary(max_size=64))
def test_other_messages_are_refused(message):
    with pytest.raises(UnreadableMetadata):
        Extend.decode(message)


@pytest.mark.parametrize("size", [b"g" * 16, b"ffffffffffffffff", b"-000000000000001"])
def test_a_size_that_is_none_is_refused(size):
    message = bytearray(Extend(*["3e7a1c52-9d40-4b7e-8f21-6a5b0c1d2e3f"] * 2, 1).encode())
    message[37:53] = size
    with pytest.raises(UnreadableMetadata):
        Extend.decode(bytes(message))


def test_a_name_that_is_no_uuid_is_refused():
    with pytest.raises(InvalidParameter):
        Extend("not a uuid", "nor this", 1).encode()


@given(st.uuids())
def test_an_event_is_read_as_it_was_written(event):
    block = mailbox.encode_event(event)
    assert mailbox.decode_event(block) == event
    assert mailbox.is_empty(block[:64])


def test_a_block_without_an_event_has_none():
    assert mailbox.decode_event(mailbox.BLANK) is None
    assert mailbox.decode_event(b"\0evt") is None


def test_mailboxes_follow_each_other_by_host():
    assert [mailbox.place(host) for host in (0, 1, 250)] == [0, 4096, 1024000]
