"""Vectors C-08 to C-11 and C-13: lease index, value block, sanlock areas, mailbox, safelease."""

from hashlib import sha256
from uuid import UUID

import pytest

from virgate.node.storage.formats import layout, lvb, mailbox, safelease, sanlock, xleases
from virgate.node.storage.formats.lvb import JobLease, JobStatus
from virgate.node.storage.formats.mailbox import Extend
from virgate.node.storage.formats.safelease import Tag
from virgate.units import MiB, Size

LEASE1 = "d4c3b2a1-6f5e-4d8c-9b7a-0f1e2d3c4b5a"
LEASE2 = "e5d4c3b2-706f-4e9d-8c8b-1a2f3e4d5c6b"


def digest(data):
    return sha256(data).hexdigest()


@pytest.fixture
def index(names):
    return xleases.fresh(names.sd, names.now)


def test_c08_a_fresh_index(index, names):
    head = index.data[:512]
    assert head[:80] == bytes.fromhex("12152016003030303100") + names.sd.encode() + bytes(13) + bytes.fromhex(
        "31373030303030303030002d"
    ) + bytes(9)  # fmt: skip
    assert head[-1:] == b"\n"
    assert digest(head) == "fee2622fa5af9733c050392d8ddbbfeac88048c58adb379cc9b54ca4d196b6eb"
    assert len(index.data) == 253952
    assert digest(index.data) == "36c447c15c67198adc23d03cb99c7a9142dc2fd5be3c22436fe311602cbce894"
    assert index.data[512:576] == bytes(49) + bytes.fromhex("3030303030303030303030002d2d0a")


def test_c08_adding_and_removing(index):
    one, first = index.add(LEASE1, MiB)
    assert (first.number, first.offset(MiB)) == (0, 3145728)
    assert one.data[512:576].hex() == (
        "64346333623261312d366635652d346438632d396237612d306631653264336334623561"
        "000000000000000000000000003030303033313435373238002d2d0a"
    )
    two, second = one.add(LEASE2, MiB)
    assert (second.number, second.offset(MiB)) == (1, 4194304)
    assert digest(two.data) == "94d6de3ee36c2926357c515ee713aa109790ef436a609ddc7c352a4737e1ded5"
    less, _ = two.remove(LEASE1)
    assert less.add("another", MiB)[1].number == 0


def test_c08_offsets_and_file_size():
    assert layout.vm_lease_offset(1020, MiB) == 1072693248
    assert layout.vm_lease_offset(5, 8 * MiB) == 67108864
    assert layout.xleases_file(MiB) == 1302528


def test_c09_the_value_block_of_a_job():
    lease = JobLease(
        job="0a1b2c3d-4e5f-4607-9182-93a4b5c6d7e8",
        status=JobStatus.PENDING,
        host="11112222-3333-4444-5555-666677778888",
        created=1700000000,
        modified=1700000000,
    )
    data = lvb.encode(lease)
    assert len(data) == 512
    assert len(data.rstrip(b"\0")) == 214
    assert digest(data) == "9ed145461792c72df34e845fc4b967ee88e65a91edfa071682f45472285355de"
    assert lvb.decode(data) == lease


def test_c10_ids(names):
    area = sanlock.lockspace(names.sd, 512, MiB)
    assert area[:56].hex() == (
        "1020211204000300100000000002000000000000000000000100000000000000000000000000000000000000000000000000000000000000"
    )
    assert area[56:176] == names.sd.encode() + bytes(60) + bytes(16) + bytes.fromhex("69bb6c9c00000a00")
    assert area[512 * 1999 : 512 * 2000] == area[:512]
    assert len(area) == 1048576
    assert digest(area) == "0276754fa14d0c828c1a398d5304e61f5a8bdb57a52edb20a5f3acfa8b8a5403"


def test_c10_leases(names):
    area = bytes(MiB) + sanlock.resource(names.sd, sanlock.SDM, 512, MiB)
    assert area[MiB : MiB + 56].hex() == (
        "10201506040006001000000000020000d007000000000000d007000000000000000000000000000000000000000000000000000000000000"
    )
    assert area[MiB + 168 : MiB + 172].hex() == "0fc612ac"
    assert area[MiB + 512 : MiB + 520].hex() == "1120290801000100"
    assert len(area) == 2097152
    assert digest(area) == "fa6e27d351ac6c587f2ff3b725b6f30946c22df9e6bb8781e6fd14cc3d431c26"


def test_c10_a_volume_lease(names):
    area = sanlock.resource(names.sd, names.vol, 512, MiB)
    assert area[168:172].hex() == "cc8f9c85"
    assert len(area) == 1048576
    assert digest(area) == "1b35cabaa664083abf2443ff039b18d90485fb0b444e80ca16559c00c67b3338"


def test_c10_a_removed_lease_and_blocks_of_4096(names):
    assert sanlock.checksum(sanlock.removed_resource(512, MiB)) == 0x3DFDE571
    area = sanlock.lockspace(names.sd, 4096, MiB)
    assert sanlock.checksum(area) == 0xFC454BB6
    assert area.count(bytes.fromhex("10202112")) == 250
    leader = sanlock.fresh_leader(names.sd, "SDM", 4096, MiB)
    assert leader.num_hosts == 250
    assert sanlock.checksum(leader.encode()) == 0x166942C8


@pytest.fixture
def wish(names):
    return Extend.to(names.sd, names.vol, Size.mib(5120))


MESSAGE = (
    "3178746e643f2e1d0c5b6a218f7e4b409d521c7a3e10293a4b5c6d7e8f90412a3b4c5d6e7f"
    "303030303030303030303030313430303030303030303030303030"
)


def test_c11_a_message_and_its_failure(wish):
    message = wish.encode()
    assert message.hex() == MESSAGE
    assert sum(message) == 4411
    assert wish.failed.encode() == message[:37] + b"0" * 27
    assert mailbox.answers(wish.failed.encode(), message)


def test_c11_mailboxes(wish):
    first = mailbox.encode({0: wish.encode()})
    assert first[4092:].hex() == "3b110000"
    assert digest(first) == "8f8327ce43596d65c8eb6e92d5aaa74e295566519ccd5851f56a850a3c39d20b"
    second = mailbox.encode({1: wish.encode()})
    assert digest(second) == "fc0c8433b89baa07d332c1d280836add4ca9c56009d292771f3c6a88c6a331c4"
    assert mailbox.encode({5: mailbox.CLEAN})[4092:].hex() == "40000000"
    assert mailbox.checksum(b"\xff" * 4096).to_bytes(4, "little").hex() == "04ec0f00"
    assert not mailbox.is_sealed(mailbox.BLANK)
    assert mailbox.encode({0: wish.encode()}, sealed=False)[4092:] == bytes(4)


def test_c11_the_event_block():
    event = UUID("0a1b2c3d-4e5f-4607-9182-93a4b5c6d7e8")
    block = mailbox.encode_event(event)
    assert block.hex()[:40] == "006576740a1b2c3d4e5f4607918293a4b5c6d7e8"
    assert block[20:] == bytes(4076)


def test_vector_50_an_extend_message():
    wish = Extend.to("8adbc85e-e554-4ae0-b318-8a5465fe5fe1", "d772f1c6-3ebb-43c3-a42e-73fcd8255a5f", Size.mib(3072))
    assert wish.encode() == (
        b"1xtnd"
        + bytes.fromhex("e15ffe65548a18b3e04a54e55ec8db8a5f5a25d8fc732ea4c343bb3ec6f172d7")
        + b"0000000000000c00"
        + b"0" * 11
    )


def test_c13_safelease_records():
    assert safelease.FREE.hex() == "2d2d2d2d2d2d465245452d2d2d2d2d2d30303030303030303030303030303030"
    assert safelease.replace_tag(bytes(512), safelease.FREE) == safelease.FREE + bytes(480)
    assert Tag("7", 0x000660E19A96DA2F).encode() == b"7" + b" " * 15 + b"000660e19a96da2f"
    assert Tag.decode(safelease.FREE).free
