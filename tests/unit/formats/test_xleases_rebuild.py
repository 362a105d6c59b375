"""Mending the index of external leases: whatever was damaged, index and slots agree afterwards."""

from hypothesis import given
from hypothesis import strategies as st

from virgate.node.storage.formats import sanlock, xleases
from virgate.node.storage.formats.xleases_rebuild import Found, mend

SD = "5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e2001"
MIB = 1 << 20
ROOM = 6
NAMES = [f"d4c3b2a1-6f5e-4d8c-9b7a-0f1e2d3c4b{number:02}" for number in range(4)]

slot = st.sampled_from([Found(), Found(other=True), *map(Found, NAMES)])
slots = st.lists(slot, min_size=ROOM, max_size=ROOM).map(lambda found: dict(enumerate(found)))
numbers = st.integers(0, ROOM - 1)
named = st.dictionaries(numbers, st.sampled_from(NAMES), max_size=4)


def index(names: dict[int, str]) -> xleases.Index:
    made = xleases.fresh(SD, 1700000000)
    for number, name in names.items():
        made = made.having(number, name, MIB)
    return made


def broken(data: bytes, number: int, position: int, byte: int) -> bytes:
    at = xleases.HEAD + number * xleases.RECORD + position
    return data[:at] + bytes([byte]) + data[at + 1 :]


def sector(name: str, space: str = SD) -> bytes:
    return sanlock.resource(space, name, 512, MIB)[:512]


def agree(mended, found: dict[int, Found]) -> None:
    """After what is asked for was done, each record has its lease and nothing else lies there."""
    lying = {**found, **{n: Found(name) for n, name in mended.write.items()}, **dict.fromkeys(mended.clear, Found())}
    recorded = {lease.number: lease.name for lease in mended.index.leases()}
    assert {number: there.name for number, there in lying.items() if there.name} == recorded
    assert not any(there.other for there in lying.values())
    assert len(set(recorded.values())) == len(recorded)
    assert not any(lease.updating for lease in mended.index.leases())


@given(named, slots)
def test_a_whole_index_is_the_truth(names, found):
    mended = mend(index(names).data, found, SD, 1800000000, MIB)
    agree(mended, found)
    kept = {lease.name for lease in mended.index.leases()}
    assert kept == set(names.values())
    assert mended.index.modified == 1800000000


@given(named, slots, numbers, st.integers(0, 63), st.integers(0, 255))
def test_index_and_slots_agree_afterwards_whatever_byte_was_damaged(names, found, number, position, byte):
    agree(mend(broken(index(names).data, number, position, byte), found, SD, 1, MIB), found)


@given(st.binary(max_size=2000), slots)
def test_without_an_index_the_slots_tell(noise, found):
    mended = mend(noise, found, SD, 1, MIB)
    agree(mended, found)
    if noise[:4] != xleases.MAGIC:
        assert {lease.name for lease in mended.index.leases()} == {there.name for there in found.values()} - {""}
        assert not mended.write


def test_a_record_whose_change_did_not_end_is_told_by_its_slot():
    half = broken(index({0: NAMES[0], 1: NAMES[1]}).data, 0, 61, ord("u"))
    half = broken(half, 1, 61, ord("u"))
    mended = mend(half, {0: Found(NAMES[0]), 1: Found()}, SD, 1, MIB)
    assert [(lease.number, lease.name) for lease in mended.index.leases()] == [(0, NAMES[0])]
    assert (mended.write, mended.clear) == ({}, ())


def test_records_beyond_the_end_are_dropped():
    mended = mend(index({0: NAMES[0], 9: NAMES[1]}).data, {0: Found(NAMES[0])}, SD, 1, MIB)
    assert [lease.name for lease in mended.index.leases()] == [NAMES[0]]


def test_what_lies_in_a_slot_is_told_by_its_first_sector():
    assert Found.of(sector(NAMES[0]), SD) == Found(NAMES[0])
    assert Found.of(sector("", ""), SD) == Found.of(bytes(512), SD) == Found.of(b"", SD) == Found()
    assert Found.of(sector(NAMES[0], "another"), SD) == Found.of(b"\1" * 512, SD) == Found(other=True)


def test_it_is_unusable_until_its_second_write():
    mended = mend(b"", {0: Found(NAMES[0])}, SD, 1, MIB)
    first, second = mended.blocks
    assert first.data[70:71] == b"u"
    assert second.data + first.data[len(second.data) :] == mended.index.data
    assert (first.offset, second.offset, len(second.data) % 4096) == (0, 0, 0)
