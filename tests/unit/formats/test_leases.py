"""Sanlock records, the lease index, value blocks, the lock record of old domains."""

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from virgate.errors import InvalidParameter, VirgateError
from virgate.node.storage.formats import layout, lvb, safelease, sanlock, xleases
from virgate.node.storage.formats.errors import (
    InvalidMetadata,
    MetadataKeyMissing,
    MetadataOverflow,
    NoSuchLease,
    UnreadableMetadata,
)
from virgate.node.storage.formats.lvb import JobLease, JobStatus
from virgate.node.storage.formats.safelease import Tag
from virgate.node.storage.formats.sanlock import Leader
from virgate.units import MiB

SD = "3e7a1c52-9d40-4b7e-8f21-6a5b0c1d2e3f"

u16, u32, u64 = (st.integers(0, (1 << bits) - 1) for bits in (16, 32, 64))
names = st.text("abcdef0123456789-", max_size=48)
leaders = st.builds(
    Leader,
    magic=st.sampled_from([sanlock.LOCKSPACE_MAGIC, sanlock.RESOURCE_MAGIC, sanlock.CLEARED_MAGIC]),
    version=u32,
    flags=u32,
    sector_size=u32,
    num_hosts=u64,
    max_hosts=u64,
    owner_id=u64,
    owner_generation=u64,
    lver=u64,
    space=names,
    resource=names,
    timestamp=u64,
    io_timeout=u16,
    write_id=u64,
    write_generation=u64,
    write_timestamp=u64,
)


@given(leaders)
def test_a_leader_is_read_as_it_was_written(leader):
    data = leader.encode()
    assert len(data) == 200
    assert Leader.decode(data.ljust(512, b"\0")) == leader


@given(leaders, st.integers(0, 167), st.integers(1, 255))
def test_a_damaged_leader_is_refused(leader, position, change):
    data = bytearray(leader.encode())
    data[position] ^= change
    with pytest.raises(UnreadableMetadata):
        Leader.decode(bytes(data))


@pytest.mark.parametrize("data", [b"", bytes(512), bytes(100)])
def test_a_sector_without_a_leader_is_refused(data):
    with pytest.raises(UnreadableMetadata):
        Leader.decode(data)


def test_removed_and_cleared_leases_are_absent_and_others_are_not():
    fresh = sanlock.fresh_leader(SD, "SDM", 512, MiB)
    assert not fresh.absent
    assert sanlock.cleared(fresh).absent
    assert Leader.decode(sanlock.removed_resource(512, MiB)).absent


@pytest.mark.parametrize(("block", "align"), [(512, 2 * MiB), (4096, 3 * MiB), (1024, MiB)])
def test_geometry_that_sanlock_does_not_know_is_refused(block, align):
    with pytest.raises(InvalidParameter):
        sanlock.resource(SD, "SDM", block, align)


@pytest.mark.parametrize(("block", "align"), [(512, MiB), (4096, MiB), (4096, 2 * MiB), (4096, 8 * MiB)])
def test_areas_fill_the_alignment(block, align):
    assert len(sanlock.lockspace(SD, block, align)) == align
    area = sanlock.resource(SD, "SDM", block, align)
    assert len(area) == align
    assert sanlock.decode_request(area[block:]) == (0, 0)


def test_names_longer_than_the_field_are_refused():
    with pytest.raises(InvalidParameter):
        sanlock.resource(SD, "x" * 49, 512, MiB)


@given(u64, u32)
def test_a_request_is_read_as_it_was_written(lver, mode):
    assert sanlock.decode_request(sanlock.encode_request(lver, mode)) == (lver, mode)


def test_a_sector_without_a_request_is_refused():
    with pytest.raises(UnreadableMetadata):
        sanlock.decode_request(bytes(512))


class IndexMachine(RuleBasedStateMachine):
    """The index against a dictionary, with only the answered blocks reaching the `disk`."""

    lease_names = st.sampled_from([f"lease-{number}" for number in range(6)])

    def __init__(self):
        super().__init__()
        self.index = xleases.fresh(SD, 1700000000)
        self.disk = bytearray(self.index.data)
        self.model = {}

    @rule(name=lease_names)
    def add(self, name):
        self.index, lease = self.index.add(name, MiB, usable=5) if self.room(name) else (self.index, None)
        if lease is not None:
            self.model.setdefault(name, lease.number)
            assert self.model[name] == lease.number
            self.write(lease.number)

    @rule(name=lease_names)
    def remove(self, name):
        if name not in self.model:
            with pytest.raises(NoSuchLease):
                self.index.remove(name)
            return
        self.index, lease = self.index.remove(name)
        assert lease.number == self.model.pop(name)
        self.write(lease.number)

    def room(self, name):
        if name in self.model or len(self.model) < 5:
            return True
        with pytest.raises(MetadataOverflow):
            self.index.add(name, MiB, usable=5)
        return False

    def write(self, number):
        block = self.index.block(number, 512)
        self.disk[block.offset : block.offset + len(block.data)] = block.data

    @invariant()
    def the_disk_says_the_same(self):
        read = xleases.Index.decode(bytes(self.disk))
        assert {lease.name: lease.number for lease in read.leases()} == self.model
        assert read.lockspace == SD
        assert read.modified == 1700000000


TestIndex = IndexMachine.TestCase
TestIndex.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)


@pytest.fixture
def index():
    return xleases.fresh(SD, 1700000000)


def test_adding_what_is_there_changes_nothing(index):
    one, lease = index.add("a", MiB)
    two, same = one.add("a", MiB)
    assert two is one
    assert same == lease


def test_a_half_written_record_is_missing_and_its_place_is_used_again(index):
    one, lease = index.add("b", MiB)[0].add("a", MiB)
    position = 512 + 64 * lease.number + 61
    half = xleases.Index(one.data[:position] + b"u" + one.data[position + 1 :])
    with pytest.raises(NoSuchLease) as refused:
        half.find("a")
    assert refused.value.code == 936
    assert half.add("a", MiB)[0].data == one.data


def test_a_name_that_is_part_of_another_one_is_not_found(index):
    one, _ = index.add("lease-10", MiB)
    for name in ("lease-1", "ease-10", "0"):
        with pytest.raises(NoSuchLease):
            one.find(name)


@pytest.mark.parametrize("name", ["\n", "-\n", "--\n"])
def test_the_end_of_a_record_is_not_taken_for_the_name_of_the_next(index, name):
    with pytest.raises(NoSuchLease):
        index.find(name)
    added, lease = index.add(name, MiB)
    assert added.find(name) == lease


def test_a_format_is_unusable_until_its_second_write(index):
    first, second = xleases.formatting(SD, 1700000000, 4096)
    with pytest.raises(UnreadableMetadata):
        xleases.Index.decode(first.data)
    done = second.data + first.data[4096:]
    assert len(second.data) == 4096
    assert xleases.Index.decode(done).data == index.data


@pytest.mark.parametrize("data", [b"", bytes(layout.XLEASES_INDEX), bytes(100)])
def test_what_is_no_index_is_refused(data):
    with pytest.raises(UnreadableMetadata):
        xleases.Index.decode(data)


@pytest.mark.parametrize("name", ["", "x" * 49, "a\0b"])
def test_names_that_a_record_cannot_hold_are_refused(index, name):
    with pytest.raises(InvalidParameter):
        index.add(name, MiB)


words = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=36)
jobs = st.builds(
    JobLease,
    job=words,
    status=st.sampled_from(JobStatus),
    host=words,
    created=st.integers(0, 1 << 33),
    modified=st.integers(0, 1 << 33),
    generation=st.integers(0, 999),
)


@given(jobs)
def test_a_value_block_is_read_as_it_was_written(job):
    assert lvb.decode(lvb.encode(job)) == job


@given(jobs)
def test_a_fenced_job_is_one_generation_later(job):
    fenced = job.fenced("another host", 5)
    assert (fenced.status, fenced.modified, fenced.host) == (JobStatus.FENCED, 5, "another host")
    assert fenced.generation == (job.generation + 1) % 1000
    assert (fenced.job, fenced.created) == (job.job, job.created)


def test_a_value_block_that_was_never_written_is_none():
    assert lvb.decode(bytes(512)) is None
    assert lvb.decode(b"{}".ljust(512, b"\0")) is None


JOB = JobLease(job="j", status=JobStatus.PENDING, host="h", created=1, modified=2)


def test_a_value_block_that_is_too_long_is_refused():
    with pytest.raises(MetadataOverflow):
        lvb.encode(evolve(JOB, job="x" * 512))


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ('"PENDING"', '"DREAMING"', InvalidMetadata),
        ('"created": 1', '"created": "1"', InvalidMetadata),
        ('"job_id"', '"job"', MetadataKeyMissing),
        ('"JOB"', '"VM"', UnreadableMetadata),
        ("{", "[", UnreadableMetadata),
    ],
)
def test_a_wrong_value_block_is_refused(before, after, problem):
    data = lvb.encode(JOB).replace(before.encode(), after.encode(), 1)
    with pytest.raises(problem):
        lvb.decode(data)


@given(st.binary(max_size=512))
def test_noise_in_a_value_block_is_refused_or_nothing(data):
    try:
        lvb.decode(data)
    except VirgateError:
        pass


@given(st.integers(1, 2000), u64)
def test_a_lock_record_is_read_as_it_was_written(host, stamp):
    tag = Tag(str(host), stamp)
    assert Tag.decode(tag.encode() + b"whatever follows") == tag
    assert not tag.free
    assert len(tag.encode()) == safelease.TAG


def test_the_free_record_is_free_and_the_rest_of_it_is_kept():
    record = safelease.replace_tag(b"x" * 512, safelease.FREE)
    assert Tag.decode(record).free
    assert record[32:] == b"x" * 480


def test_a_lock_expires_after_its_lease_time():
    tag = Tag("7", 1_000_000)
    assert not tag.expired(61_000_000)
    assert tag.expired(61_000_001)
    assert safelease.patience_ms() == 120_000


@pytest.mark.parametrize("record", [b"", bytes(512), b"7".ljust(16) + b"x" * 16, b"\xff" * 32])
def test_what_is_no_lock_record_is_refused(record):
    with pytest.raises(UnreadableMetadata):
        Tag.decode(record)


@pytest.mark.parametrize(("owner", "stamp"), [("", 0), ("x" * 17, 0), ("7", -1), ("7", 1 << 64)])
def test_tags_that_do_not_fit_are_refused(owner, stamp):
    with pytest.raises(InvalidParameter):
        Tag(owner, stamp).encode()
