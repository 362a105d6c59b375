"""A machine without a guest on real QEMU, whose disk has volumes in files, and a daemon that stops at any call."""

import json
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from attrs import define, evolve, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from virgate.domxml.facts import DiskRequest, DiskSource
from virgate.node.storage.formats.volume_metadata import (
    Allocation,
    Legality,
    VolumeFormat,
    VolumeMetadata,
    VolumeRole,
)
from virgate.node.storage.images.chain import Image, Volume
from virgate.node.storage.images.live_chain import agreed
from virgate.units import MiB, Size

POOL, DOMAIN, IMAGE = (f"{number:08x}-7777-4777-8777-777777777777" for number in (1, 2, 3))
CAPACITY = 16 * MiB
CLUSTER = 64 << 10


def volume_id(number: int) -> str:
    return f"{number:08x}-8888-4888-8888-888888888888"


class Killed:
    """Counts the calls of a daemon and lets it hang at one of them for ever, as if it had been killed there."""

    def __init__(self, at: int = 0, *, done: bool = False) -> None:
        self.at, self.done, self.calls = at, done, 0
        self.dead: Deferred[None] = Deferred()

    async def step(self, work: Callable[[], Any]) -> Any:
        """`done`: what was called for happens, and only the answer is lost."""
        self.calls += 1
        if self.at and self.calls >= self.at:
            if self.calls == self.at and self.done:
                await work()
            if not self.dead.called:
                self.dead.callback(None)
            await Deferred()
        return await work()


class Dying:
    """`Domains` whose caller may be killed; to look at a document costs nothing and changes nothing."""

    def __init__(self, domains: Any, killed: Killed) -> None:
        self._domains, self._killed = domains, killed

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._domains, name)
        if name not in ("on", "set_metadata"):
            return found

        async def call(*arguments: Any, **more: Any) -> Any:
            return await self._killed.step(lambda: found(*arguments, **more))

        return call


@define
class Stored:
    """The metadata of one image's volumes, as storage would have them."""

    folder: Path
    metadata: dict[str, VolumeMetadata] = field(factory=dict)
    killed: Killed = field(factory=Killed)
    grown: list[tuple[str, int, int]] = field(factory=list)

    def path(self, volume: str) -> Path:
        return self.folder / volume

    def make(self, volume: str, parent: str | None = None) -> None:
        """A volume on top of another, or a base; its data are those of its parent."""
        argv = ["qemu-img", "create", "-q", "-f", "qcow2"]
        argv += ["-u", "-b", parent, "-F", "qcow2"] if parent else []
        subprocess.run([*argv, volume, str(CAPACITY)], check=True, cwd=self.folder)
        if parent:
            self.metadata[parent] = evolve(self.metadata[parent], role=VolumeRole.INTERNAL)
        made = VolumeMetadata(
            domain=DOMAIN,
            image=IMAGE,
            capacity=Size(CAPACITY),
            format=VolumeFormat.COW,
            allocation=Allocation.SPARSE,
        )
        self.metadata[volume] = evolve(made, parent=parent) if parent else made

    def drop(self, volume: str) -> None:
        """What a client does when a merge is over."""
        parent = self.metadata.pop(volume).parent
        if parent in self.metadata and not any(one.parent == parent for one in self.metadata.values()):
            self.metadata[parent] = evolve(self.metadata[parent], role=VolumeRole.LEAF)
        self.path(volume).unlink()

    def chain(self) -> list[str]:
        """As the metadata have it, without what is illegal."""
        ((leaf, known),) = [(name, one) for name, one in self.metadata.items() if one.role is VolumeRole.LEAF]
        if known.legality is Legality.ILLEGAL:
            leaf = known.parent
        found = [leaf]
        while self.metadata[found[0]].has_parent:
            found.insert(0, self.metadata[found[0]].parent)
        return found

    async def info(self, domain: str, image: str, volume: str) -> dict[str, Any]:
        known = self.metadata[volume]
        size = str(self.path(volume).stat().st_size)
        told = {"uuid": volume, "voltype": known.role.name, "format": known.format.name, "type": known.allocation.name}
        return {**told, "capacity": str(known.capacity.bytes), "apparentsize": size}

    async def refresh(self, domain: str, image: str, volume: str) -> None: ...

    async def grow_for(self, disk: Any, capacity: int, written: int, *, doubled: bool = False) -> int:
        self.grown.append((disk.volume, capacity, written))
        return written

    async def agree(self, domain: str, image: str, actual: Sequence[str], gone: Iterable[str]) -> None:
        async def write() -> None:
            volumes = {name: Volume(name, one, 0, 0) for name, one in self.metadata.items()}
            self.metadata |= agreed(Image(DOMAIN, IMAGE, volumes), actual, list(gone))

        await self.killed.step(write)

    async def let_go(self, domain: str, image: str, gone: Sequence[str]) -> None: ...


class Disks:
    def __init__(self, stored: Stored) -> None:
        self._stored = stored

    async def prepare(self, disk: DiskRequest) -> DiskSource:
        path = self._stored.path(disk.volume_id)
        return DiskSource(str(path), "qcow2", "block" if path.is_block_device() else "file")

    async def teardown(self, disk: DiskRequest) -> None: ...


def write(path: Path, number: int, bulk: int = 0) -> None:
    """A pattern of its own into a cluster of its own, while no machine uses the volume; bulk behind them all."""
    commands = [f"write -P {number % 255 + 1} {number * CLUSTER} {CLUSTER}"]
    commands += [f"write -P 255 {CAPACITY // 2} {bulk}"] if bulk else []
    driver = "host_device" if path.is_block_device() else "file"
    alone = {"driver": "qcow2", "backing": None, "file": {"driver": driver, "filename": str(path)}}
    parts = [part for command in commands for part in ("-c", command)]
    subprocess.run(["qemu-io", *parts, f"json:{json.dumps(alone)}"], check=True, capture_output=True)


def read(path: Path, numbers: Iterable[int]) -> None:
    """All patterns are in the chain that ends here."""
    commands = [f"read -P {number % 255 + 1} {number * CLUSTER} {CLUSTER}" for number in numbers]
    argv = ["qemu-io", "-r", "-U", "-f", "qcow2", *(part for command in commands for part in ("-c", command)), path]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, cwd=path.parent)
    assert "verification failed" not in done.stdout, done.stdout


async def until(condition: Callable[[], Any], seconds: float = 30) -> None:
    for _ in range(round(seconds / 0.02)):
        if condition():
            return
        await deferLater(reactor, 0.02)  # type: ignore[arg-type]
    raise AssertionError("it did not come to that")


async def either(work: Deferred[Any], killed: Killed) -> bool:
    """Waits for the work or for the daemon's death; whether it died."""
    ended: Deferred[bool] = Deferred()

    def end(dead: bool) -> Callable[[Any], None]:
        return lambda _: None if ended.called else ended.callback(dead)

    work.addBoth(end(False))
    killed.dead.addCallback(end(True))
    return await ended


@define
class Devices(Stored):
    """The same on thin volumes: loop devices that are longer only when somebody asks for it."""

    first: int = 1 * MiB
    loops: dict[str, str] = field(factory=dict)
    sizes: list[tuple[str, int]] = field(factory=list)
    """What volumes were made to have, by `grow`."""

    def make(self, volume: str, parent: str | None = None) -> None:
        file = self.folder.parent / f"{volume}.file"
        file.write_bytes(bytes(self.first))
        made = subprocess.run(["losetup", "--find", "--show", file], check=True, capture_output=True, text=True)
        self.loops[volume] = made.stdout.strip()
        self.path(volume).symlink_to(self.loops[volume])
        super().make(volume, parent)

    async def info(self, domain: str, image: str, volume: str) -> dict[str, Any]:
        size = (self.folder.parent / f"{volume}.file").stat().st_size
        return {**await super().info(domain, image, volume), "apparentsize": str(size)}

    def lengthen(self, volume: str, size: int) -> None:
        with (self.folder.parent / f"{volume}.file").open("r+b") as file:
            file.truncate(size)
        subprocess.run(["losetup", "--set-capacity", self.loops[volume]], check=True)

    async def grow_for(self, disk: Any, capacity: int, written: int, *, doubled: bool = False) -> int:
        self.lengthen(disk.volume, written)
        return await super().grow_for(disk, capacity, written, doubled=doubled)

    async def grow(self, pool: str, domain: str, image: str, volume: str, size: int, *, first: Any = None) -> int:
        self.sizes.append((volume, size))
        self.lengthen(volume, size)
        return size

    def close(self) -> None:
        for loop in self.loops.values():
            subprocess.run(["losetup", "--detach", loop], check=True)
