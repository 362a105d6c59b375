"""Thin volumes on real block devices, and guests that write to them.

A volume is a qcow2 image on a loop device, its storage a file that becomes longer when somebody says so.
"""

import json
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import define, evolve, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from virgate.domxml.facts import DiskRequest, DiskSource
from virgate.node.storage.errors import CannotExtendVolume
from virgate.node.storage.thin.policy import Policy
from virgate.node.vm.thin import Watermarks
from virgate.units import MiB, Size

CAPACITY, FIRST, CHUNK = 64 * MiB, 8 * MiB, 8 * MiB
POOL, DOMAIN = (f"{number:08x}-5555-4555-8555-555555555555" for number in (1, 2))
VOLUMES = tuple(f"{number:08x}-6666-4666-8666-666666666666" for number in (1, 2))


def boot_sector(written: int, drives: int) -> bytes:
    """Writes the first `written` bytes of one or two disks by the BIOS, 32 KiB here and 32 KiB there, then halts."""
    code = bytes.fromhex("31c0 8ed8 be d07d")  # ds = 0, si = packet
    again = len(code)
    code += bytes.fromhex("8a16 f07d b443 b000 cd13")  # drive, write
    code += _jump(0x72, code, again)  # once more if that failed
    if drives == 2:
        code += bytes.fromhex("8036 f07d 03 803e f07d 81")  # the other drive: 0x81 ^ 3 is 0x82
        code += _jump(0x75, code, again)  # not back at the first one
    code += bytes.fromhex("8106 d87d 4000 813e d87d") + (written // 512).to_bytes(2, "little")  # 64 sectors further
    code += _jump(0x75, code, again) + bytes.fromhex("f4ebfd")
    packet = bytes.fromhex("1000 4000 0000 0010") + bytes(8)
    return code.ljust(0x1D0, b"\0") + packet.ljust(0x20, b"\0") + b"\x81".ljust(14, b"\0") + b"\x55\xaa"


def _jump(condition: int, code: bytes, target: int) -> bytes:
    return bytes([condition, (target - len(code) - 2) & 0xFF])


@define
class Volume:
    """A thin volume: its file, its device, what it may have."""

    file: Path
    device: str

    @property
    def size(self) -> int:
        return self.file.stat().st_size

    def grow(self, size: int) -> None:
        with self.file.open("r+b") as file:
            file.truncate(size)
        subprocess.run(["losetup", "--set-capacity", self.device], check=True)


@define
class Storage:
    """Grows volumes when they may. `hold` is waited for, `full` refuses."""

    volumes: dict[str, Volume]
    asked: list[tuple[str, int]] = field(factory=list)
    hold: Deferred[None] | None = None
    full: int = 0

    async def grow(self, pool: str, domain: str, image: str, volume: str, size: int, *, first: Any = None) -> int:
        self.asked.append((volume, size))
        if self.hold is not None:
            await self.hold
        if self.full:
            self.full -= 1
            raise CannotExtendVolume(volume, "no room")
        if first is not None:
            await first()
        self.volumes[volume].grow(size)
        return size


class Disks:
    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def prepare(self, disk: DiskRequest) -> DiskSource:
        if disk.is_image:
            return DiskSource(self._storage.volumes[disk.volume_id].device, "qcow2", "block")
        return DiskSource(disk.path, disk.format, "file")

    async def teardown(self, disk: DiskRequest) -> None: ...


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    volumes = {}
    try:
        for name in VOLUMES:
            file = tmp_path / name
            file.write_bytes(bytes(FIRST))
            attached = subprocess.run(["losetup", "--find", "--show", file], check=True, capture_output=True, text=True)
            volumes[name] = Volume(file, attached.stdout.strip())
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", volumes[name].device, str(CAPACITY)], check=True)
        yield Storage(volumes)
    finally:
        for volume in volumes.values():
            subprocess.run(["losetup", "--detach", volume.device], check=True)


@pytest_twisted.async_yield_fixture
async def marks(bench: Any, storage: Storage) -> AsyncIterator[Watermarks]:
    means = evolve(bench.machines.means, disks=Disks(storage))
    bench.machines.means = means
    made = Watermarks(bench.machines, storage, Policy(Size(CHUNK), 50), retry=0.2)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def boot(bench: Any, params: dict[str, Any], tmp_path: Path) -> Callable[..., Any]:
    async def boot(written: int, drives: int = 1) -> str:
        image = tmp_path / "boot.img"
        image.write_bytes(boot_sector(written, drives) + bytes(1 << 16))
        first = {
            "type": "disk",
            "device": "disk",
            "iface": "ide",
            "path": str(image),
            "format": "raw",
            "bootOrder": "1",
        }
        thin = [
            {
                "type": "disk",
                "device": "disk",
                "iface": "virtio",
                "format": "cow",
                "poolID": POOL,
                "domainID": DOMAIN,
                "imageID": name,
                "volumeID": name,
                "index": number,
                "bootOrder": str(number + 2),
            }
            for number, name in enumerate(VOLUMES[:drives])
        ]
        machine = await bench.machines.create({**params, "devices": [first, *thin]})
        await bench.until(machine.id, "Up", "Powering up", "Down")
        assert machine.vitals.alive, machine.vitals.exit
        return machine.id

    return boot


def allocated(volume: Volume) -> int:
    told = subprocess.run(
        ["qemu-img", "map", "--force-share", "--output=json", "-f", "qcow2", volume.device],
        check=True,
        capture_output=True,
        text=True,
    )
    return sum(piece["length"] for piece in json.loads(told.stdout) if piece["data"] or piece.get("offset"))


async def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    for _ in range(round(seconds / 0.1)):
        if condition():
            return
        await deferLater(reactor, 0.1)  # type: ignore[arg-type]
    raise AssertionError("it did not come to that")
