"""A domain whose images are those of a block domain, on a volume group in memory; all else of it are local files."""

from pathlib import Path
from typing import Any, ClassVar

from attrs import define, field, frozen
from contract.storage.light import Direct, PlayedQemu, Steps, load, seen
from contract.storage.played_lvm import Disks

from virgate.hookspecs.storage import Kind
from virgate.node.storage.block.images import BlockImages
from virgate.node.storage.block.wiping import Wiper
from virgate.node.storage.file.domain import FileDomain
from virgate.node.storage.formats.volume_metadata import VolumeFormat

CHANGES = frozenset({"write_slot", "enroll_volume", "write_blocks", "show_volumes", "hide_volumes", "dress_devices"})
ROOM = 1 << 20
ONE_DISK = {"PV0": "pv:disk,uuid:u,pestart:0,pecount:4000,mapoffset:0"}
"""The map of devices, which only version 0 goes by."""


class BlockDirect(Direct):
    """Changes of devices are steps, too."""

    def call(self, operation: str, *args: Any, timeout: float | None = None) -> Any:
        if operation in CHANGES:
            taken = self.steps.take(operation, OSError(5, "I/O error"))
            if taken is not None:
                return taken
        return super().call(operation, *args, timeout=timeout)


@frozen
class MeasuringQemu(PlayedQemu):
    """Says how much room data need, a block as a MiB."""

    async def measure(self, path: Path, form: VolumeFormat, level: str, *, alone: bool = False) -> int:
        if form is VolumeFormat.RAW or not alone:
            return len(seen(path, form)) * ROOM
        return len(load(path)["blocks"]) * ROOM

    async def measured(self, path: Path, form: VolumeFormat, level: str, *, alone: bool = False) -> dict[str, int]:
        return {"required": await self.measure(path, form, level, alone=alone), "fully-allocated": load(path)["size"]}

    async def end(self, path: Path) -> int:
        return len(load(path)["blocks"]) * ROOM


@frozen
class PlayedWiper(Wiper):
    steps: Steps = field(factory=Steps)
    wiped: list[str] = field(factory=list)

    async def _run(self, *arguments: str) -> None:
        taken = self.steps.take("blkdiscard", OSError(5, "I/O error"))
        if taken is not None:
            await taken
        device = Path(arguments[-1])
        self.wiped.append(device.name)
        size = device.stat().st_size
        start = int(arguments[arguments.index("--offset") + 1]) if "--offset" in arguments else 0
        if start < size:
            with device.open("r+b") as file:
                file.truncate(start)
                file.truncate(size)


@define(eq=False)
class Storage:
    """What a test changes and looks at."""

    disks: Disks
    steps: Steps
    wiper: PlayedWiper

    @classmethod
    def made(cls, base: Path, group: str, steps: Steps) -> "Storage":
        return cls(Disks(base, group, steps=steps), steps, PlayedWiper(steps=steps))


def half_block(storage: Storage, *, lease: int | None = 1 << 20) -> type[FileDomain]:
    """The class that stands in for file domains: the one named as the group gets the images of a block domain."""

    class HalfBlock(FileDomain):
        kind: ClassVar[Kind] = Kind.BLOCK

        def __init__(self, record: Any, path: Any, files: Any, type: Any, given: Any, **others: Any) -> None:
            super().__init__(record, path, files, type, given, **others)
            self.lvm = storage.disks.lvm()
            self.images: Any = BlockImages(
                record.id,
                self.lvm,
                files,
                others["repository"],
                others["qemu"],
                version=record.version,
                lease=lease,
                fresh=lambda name: b"lease of " + name.encode(),
                wiper=storage.wiper,
                values=lambda: ONE_DISK,
            )

    class Either(FileDomain):
        def __new__(cls, record: Any, *rest: Any, **others: Any) -> Any:
            chosen = HalfBlock if record.id == storage.disks.group else FileDomain
            made = object.__new__(chosen)
            chosen.__init__(made, record, *rest, **others)
            return made

        def __init__(self, *given: Any, **others: Any) -> None: ...

    return Either
