"""Vectors C-06, C-07 and C-14: volume metadata, offsets and sizes, task files."""

from hashlib import sha256

import pytest
from attrs import evolve

from virgate.errors import InvalidParameter
from virgate.node.storage.formats import layout, sizes, task_files, volume_metadata
from virgate.node.storage.formats.errors import MetadataCleared, MetadataKeyMissing
from virgate.node.storage.formats.task_files import JobRecord, Recovery, TaskRecord
from virgate.node.storage.formats.volume_metadata import Allocation, VolumeFormat, VolumeMetadata
from virgate.units import MiB, Size


@pytest.fixture
def base(names):
    return VolumeMetadata(
        domain=names.sd,
        image=names.img,
        capacity=Size.gib(1),
        format=VolumeFormat.RAW,
        allocation=Allocation.SPARSE,
        description='{"DiskAlias":"disk1","DiskDescription":""}',
        created=names.now,
        sequence=1,
    )


V5 = """CAP=1073741824
CTIME=1700000000
DESCRIPTION={"DiskAlias":"disk1","DiskDescription":""}
DISKTYPE=DATA
DOMAIN=3e7a1c52-9d40-4b7e-8f21-6a5b0c1d2e3f
FORMAT=RAW
GEN=0
IMAGE=5c9d8e7f-0a1b-4c2d-9e3f-4a5b6c7d8e9f
LEGALITY=LEGAL
PUUID=00000000-0000-0000-0000-000000000000
SEQ=1
TYPE=SPARSE
VOLTYPE=LEAF
EOF
"""


def test_c06_version_5(base):
    data = volume_metadata.encode(base)
    assert data.decode() == V5
    assert len(data) == 298
    assert sha256(data).hexdigest() == "0c15bf03f901a5050c423447d8ab2623bae73878c0e4c5286771f25516ef1a13"
    slot = volume_metadata.encode_slot(base)
    assert sha256(slot).hexdigest() == "a0f33e666bb6cc31c008193d955a85873e9e403d5983341d49520b1ffa0aef86"
    assert volume_metadata.decode(data) == volume_metadata.decode(slot) == base


@pytest.mark.parametrize("version", [3, 4])
def test_c06_older_versions(base, version):
    data = volume_metadata.encode(base, version)
    assert len(data) == 298
    assert sha256(data).hexdigest() == "9b407ceb0ef294f0f47ae502700a13e77922bb83d8343e791a61065c20687173"
    assert volume_metadata.decode(data) == evolve(base, sequence=0)


def test_c06_what_a_reader_bears(base):
    text = volume_metadata.encode(evolve(base, description="a=b", disk_type="2"), 4).decode()
    text = text.replace("SIZE=2097152", "SIZE=8").replace("GEN=0\n", "") + "GARBAGE=1\nCAP=5\n"
    read = volume_metadata.decode(text.encode())
    assert (read.capacity, read.description, read.disk_type) == (Size(4096), "a=b", "2")
    assert (read.generation, read.sequence) == (0, 0)


def test_c06_a_cleared_volume_and_an_empty_one():
    with pytest.raises(MetadataCleared):
        volume_metadata.decode(b"NONE=" + b"#" * 502)
    with pytest.raises(MetadataKeyMissing):
        volume_metadata.decode(b"")


@pytest.mark.parametrize(("before", "after"), [(0, 1), (998, 999), (999, 0)])
def test_c06_generations(base, before, after):
    assert evolve(base, generation=before).next_generation().generation == after


@pytest.mark.parametrize(
    ("slot", "old", "new", "lease"),
    [
        (1, 512, 1056768, 105906176),
        (4, 2048, 1081344, 109051904),
        (5, 2560, 1089536, 110100480),
        (1947, 996864, 16998400, 2146435072),
    ],
)
def test_c07_offsets(slot, old, new, lease):
    assert [layout.metadata_offset(slot, version) for version in (2, 3, 4, 5)] == [old, old, old, new]
    assert layout.lease_offset(slot, MiB) == lease


@pytest.mark.parametrize(
    ("block", "hosts", "mib"),
    [(512, 1, 1), (512, 2000, 1), (4096, 250, 1), (4096, 251, 2), (4096, 501, 4), (4096, 1001, 8)],
)
def test_c07_alignment(block, hosts, mib):
    assert layout.alignment(block, hosts) == mib * MiB


@pytest.mark.parametrize(("block", "hosts"), [(512, 0), (512, 2001), (1024, 1)])
def test_c07_geometry_that_is_none(block, hosts):
    with pytest.raises(InvalidParameter):
        layout.alignment(block, hosts)


def test_c07_special_volumes():
    found = [layout.special_volumes_mib(5, mib * MiB) for mib in (1, 2, 4, 8)]
    assert [special["leases"] for special in found] == [2048, 4096, 8192, 16384]
    assert [special["xleases"] for special in found] == [1024, 2048, 4096, 8192]
    assert sum(-(-mib // 128) for mib in found[0].values()) == 36
    assert list(found[0]) == ["metadata", "ids", "inbox", "outbox", "leases", "xleases", "master"]


def test_c07_volume_sizes():
    cow, raw = VolumeFormat.COW, VolumeFormat.RAW
    sparse, full = Allocation.SPARSE, Allocation.PREALLOCATED
    assert sizes.first_size(Size.gib(10), cow, sparse) == Size(2684354560)
    assert sizes.extents(Size(2684354560)) == 20
    assert sizes.first_size(Size.gib(1), cow, sparse) == Size.gib(1)
    initial = sizes.first_size(Size.gib(10), cow, sparse, Size.gib(1))
    assert (initial.bytes, sizes.in_mib(initial), sizes.extents(initial)) == (1181116006, 1127, 9)
    odd = sizes.first_size(Size(Size.gib(10).bytes + 512), raw, full)
    assert (sizes.in_mib(odd), sizes.extents(odd)) == (10241, 81)
    assert sizes.largest_cow(Size.gib(10)) == Size.mib(11264)
    assert sizes.optimal_cow(Size.gib(10), Size.gib(1), leaf=True) == Size.mib(3584)
    assert sizes.optimal_cow(Size.gib(10), Size.gib(1), leaf=False) == Size.mib(1024)


def test_vector_48_sizes_of_hosts_with_the_old_chunk():
    cow, sparse, chunk = VolumeFormat.COW, Allocation.SPARSE, Size.gib(1)

    def mib(initial=None):
        return sizes.in_mib(sizes.first_size(Size.gib(10), cow, sparse, initial, chunk))

    assert [mib(), mib(Size.gib(2)), mib(Size.mib(1)), mib(Size.gib(10))] == [1024, 2253, 2, 11264]


def test_c14_the_rollback_of_a_new_volume():
    step = Recovery(
        "Create volume rollback",
        "fileVolume",
        "FileVolume",
        "createVolumeRollback",
        ("/rhev/data-center/x", "sd", "img", "vol", "dir"),
    )
    assert task_files.encode_recovery(step) == (
        b"name = Create volume rollback\n"
        b"moduleName = fileVolume\n"
        b"object = FileVolume\n"
        b"function = createVolumeRollback\n"
        b"params = /rhev/data-center/x,sd,img,vol,dir\n"
    )


def test_c14_an_equals_sign_is_written_out():
    task = TaskRecord(id="t", verb="x", state="running", jobs=(JobRecord("x", "('a=b', 5)"),))
    files = task_files.encode(task)
    assert b"runcmd = ('a_eq_b', 5)\n" in files["t.job.0"]
    assert task_files.decode("t", files) == task
