"""Partition tables: real ones made by sfdisk, and whatever bytes a guest may leave there."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st

from virgate.domxml.facts import DiskRequest, DiskSource
from virgate.errors import InvalidParameter
from virgate.node.host.alignment import CannotScan, Table, logical, scan, scan_disk, table

SFDISK = shutil.which("sfdisk", path="/usr/sbin:/sbin:/usr/bin") or "sfdisk"
Make = Callable[[str], str]


@pytest.fixture
def disk(tmp_path: Path) -> Make:
    def make(script: str) -> str:
        path = tmp_path / "disk"
        with path.open("wb") as file:
            file.truncate(64 << 20)
        if script:
            subprocess.run([SFDISK, "-q", path], input=script, text=True, check=True, capture_output=True)
        return str(path)

    return make


MBR = "label: dos\nstart=2048, size=2048\nstart=4159, size=2048\nstart=8192, size=40960, type=5\n"
LOGICAL = "start=10240, size=2048\nstart=14337, size=2048\n"
CASES = [
    ("", {}),
    ("label: dos\nstart=63, size=2048\n", {"/dev/sda1": False}),
    (MBR + LOGICAL, {f"/dev/sda{number}": number not in (2, 6) for number in (1, 2, 3, 5, 6)}),
    ("label: gpt\nstart=2048, size=2048\nstart=4100, size=2048\n", {"/dev/sda1": True, "/dev/sda2": False}),
]


@pytest.mark.parametrize(("script", "expected"), CASES)
@pytest_twisted.ensureDeferred
async def test_partitions_are_told_by_their_starts(disk: Make, script: str, expected: dict[str, bool]) -> None:
    assert await scan(disk(script), "raw") == expected


@pytest_twisted.ensureDeferred
async def test_an_image_of_qcow2_is_read_through_its_format(disk: Make, tmp_path: Path) -> None:
    image = str(tmp_path / "image")
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", disk(MBR + LOGICAL), image], check=True)
    assert len(await scan(image, "qcow2")) == 5


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(CannotScan) as caught:
        await scan(str(tmp_path / "none"), "raw")
    assert caught.value.code == 16 and "No such file" in str(caught.value)


def test_gpt_of_large_sectors_is_known_by_its_place() -> None:
    head = bytearray(64 << 10)
    head[446 + 4], head[446 + 8], head[510:512] = 0xEE, 1, b"\x55\xaa"
    head[4096:4104] = b"EFI PART"
    head[4096 + 72 : 4096 + 88] = (2).to_bytes(8, "little") + (1).to_bytes(4, "little") + (128).to_bytes(4, "little")
    head[8192:8208], head[8224:8232] = b"t" * 16, (256).to_bytes(8, "little")
    assert table(bytes(head)) == Table({1: 1 << 20})


@given(st.binary(max_size=2048), st.integers(0, 1 << 40))
def test_no_bytes_break_the_reader(head: bytes, place: int) -> None:
    marked = bytearray(head.ljust(1200, b"\0"))
    marked[510:512], marked[512:520], marked[450] = b"\x55\xaa", b"EFI PART", 0xEE
    for found in (table(head), table(bytes(marked))):
        assert all(number > 0 and start >= 0 for number, start in found.starts.items())
    logical(head, place, 0)


class Disks:
    """Remembers what was prepared and torn down."""

    def __init__(self, path: str) -> None:
        self.path, self.calls = path, list[str]()

    async def prepare(self, disk: DiskRequest) -> DiskSource:
        self.calls.append(f"prepare {disk.volume_id}")
        return DiskSource(self.path, "raw")

    async def teardown(self, disk: DiskRequest) -> None:
        self.calls.append(f"teardown {disk.volume_id}")


VOLUME = {"poolID": "p", "domainID": "d", "imageID": "i", "volumeID": "v"}


@pytest_twisted.ensureDeferred
async def test_a_volume_is_torn_down_whatever_happens(disk: Make, tmp_path: Path) -> None:
    disks = Disks(disk(CASES[1][0]))
    assert await scan_disk(disks, VOLUME) == {"/dev/sda1": False}
    disks.path = str(tmp_path / "none")
    with pytest.raises(CannotScan):
        await scan_disk(disks, VOLUME)
    assert disks.calls == ["prepare v", "teardown v"] * 2


@pytest.mark.parametrize("drive", [{}, {"path": "nbd:unix:/x"}, {"path": "json:{}"}])
@pytest_twisted.ensureDeferred
async def test_what_is_no_disk_is_refused(drive: dict[str, str]) -> None:
    with pytest.raises(InvalidParameter):
        await scan_disk(Disks(""), drive)
