"""A volume group in memory: `Lvm` with all it remembers, whose programs are played here.

No test proves by it that LVM does what is assumed; the lab does. It is for thousands of histories, cut off at any
step. A logical volume is a short sparse file, shown under the group's folder while it is active.
"""

from pathlib import Path
from typing import Any

from attrs import define, evolve, field, frozen

from virgate.node.storage.formats.layout import special_volumes_mib
from virgate.node.storage.lvm.lvm import Lvm
from virgate.run.process import Finished

EXTENT = 128 << 20
SHORT = 1 << 20
SPECIAL = special_volumes_mib(5, 1 << 20)
PLAIN = (
    "--autobackup",
    "--size",
    "--name",
    "--contiguous",
    "--wipesignatures",
    "--zero",
    "--available",
    "--driverloaded",
)


@frozen
class Made:
    """One logical volume."""

    size: int
    tags: frozenset[str] = frozenset()
    active: bool = True
    uuid: str = "u"
    first: int = 0
    """Where it begins; the room of a removed one is taken again at once."""


@define(eq=False)
class Disks:
    """What is on storage, and which of it this host has active: both outlive the daemon."""

    base: Path
    group: str
    extents: int = 4000
    steps: Any = None
    volumes: dict[str, Made] = field(factory=dict)
    commands: list[str] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.store.mkdir(parents=True)
        self.devices.mkdir(parents=True)
        for name, mib in SPECIAL.items():
            self.add(name, Made(-(-mib * (1 << 20) // EXTENT) * EXTENT))

    @property
    def store(self) -> Path:
        return self.base / "store"

    @property
    def devices(self) -> Path:
        return self.base / "dev" / self.group

    @property
    def free(self) -> int:
        return self.extents - sum(volume.size // EXTENT for volume in self.volumes.values())

    def add(self, name: str, made: Made) -> None:
        used = {volume.first for volume in self.volumes.values()}
        first = next(extent for extent in range(len(used) + 1) if extent not in used)
        self.volumes[name] = evolve(made, first=first)
        path = self.store / name
        path.touch()
        with path.open("r+b") as file:
            file.truncate(made.size if name in SPECIAL else SHORT)
        self.show(name)

    def show(self, name: str) -> None:
        device = self.devices / name
        device.unlink(missing_ok=True)
        if name in self.volumes and self.volumes[name].active:
            device.symlink_to(self.store / name)

    def reboot(self) -> None:
        for name, volume in self.volumes.items():
            self.volumes[name] = evolve(volume, active=name in SPECIAL)
            self.show(name)

    def lvm(self) -> "PlayedLvm":
        async def devices() -> list[str]:
            return ["/dev/mapper/disk"]

        made = PlayedLvm(devices, root=self.base / "dev")
        made.disks = self
        return made

    # the programs

    def run(self, command: str, options: dict[str, list[str]], names: list[str]) -> str:
        if command in ("lvs", "vgs", "pvs"):
            return "\n".join(getattr(self, command)())
        short = [name.rpartition("/")[2] for name in names]
        getattr(self, command)(options, short)
        return ""

    def lvs(self) -> list[str]:
        return [
            f"{volume.uuid}|{name}|{self.group}|-wi-{'a' if volume.active else '-'}-----|{volume.size}|0|"
            f"/dev/mapper/disk({volume.first})|{','.join(sorted(volume.tags))}"
            for name, volume in self.volumes.items()
        ]

    def vgs(self) -> list[str]:
        size, free = self.extents * EXTENT, self.free * EXTENT
        numbers = f"{size}|{free}|{EXTENT}|{self.extents}|{self.free}|RHAT_storage_domain"
        return [f"u|{self.group}|wz--n-|{numbers}|134217728|134000000|{len(self.volumes)}|1|/dev/mapper/disk"]

    def pvs(self) -> list[str]:
        return []

    def lvcreate(self, options: dict[str, list[str]], names: list[str]) -> None:
        (name,) = options["--name"]
        must(name not in self.volumes, f"{name} already exists")
        self.add(name, Made(self.room(options), frozenset(options.get("--addtag", ()))))

    def lvremove(self, options: dict[str, list[str]], names: list[str]) -> None:
        self.all_there(names)
        for name in names:
            del self.volumes[name]
            self.show(name)
            (self.store / name).unlink()

    def lvchange(self, options: dict[str, list[str]], names: list[str]) -> None:
        self.all_there(names)
        for name in names:
            volume = self.volumes[name]
            tags = (volume.tags - set(options.get("--deltag", ()))) | set(options.get("--addtag", ()))
            active = {"y": True, "n": False}.get((options.get("--available") or [""])[0], volume.active)
            self.volumes[name] = evolve(volume, tags=tags, active=active)
            self.show(name)

    def lvrename(self, options: dict[str, list[str]], names: list[str]) -> None:
        _, old, new = names
        self.all_there([old])
        must(new not in self.volumes, f"{new} already exists")
        self.volumes[new] = self.volumes.pop(old)
        (self.store / old).rename(self.store / new)
        self.show(old)
        self.show(new)

    def lvextend(self, options: dict[str, list[str]], names: list[str]) -> None:
        self.all_there(names)
        volume = self.volumes[names[0]]
        size = self.room(options, volume.size)
        must(size > volume.size, "no larger")
        self.volumes[names[0]] = evolve(volume, size=size)

    def lvreduce(self, options: dict[str, list[str]], names: list[str]) -> None:
        self.all_there(names)
        size = self.room(options, 1 << 60)
        self.volumes[names[0]] = evolve(self.volumes[names[0]], size=size)

    def room(self, options: dict[str, list[str]], has: int = 0) -> int:
        size = -(-int(options["--size"][0].rstrip("m")) * (1 << 20) // EXTENT) * EXTENT
        must((size - has) // EXTENT <= self.free, "insufficient free space")
        return size

    def all_there(self, names: list[str]) -> None:
        for name in names:
            must(name in self.volumes, f"Failed to find logical volume {name}")


class Refused(Exception):
    """As `lvm` says no."""


def must(condition: bool, text: str) -> None:
    if not condition:
        raise Refused(text)


@define(eq=False)
class PlayedLvm(Lvm):
    """Its commands are taken apart as LVM does; each is a step that may fail or never come back."""

    disks: Any = None

    async def _run(self, argv: Any, patience: float) -> Finished:
        command, options, names = taken_apart(list(argv))
        self.disks.commands.append(command)
        if command not in ("lvs", "vgs", "pvs") and self.disks.steps is not None:
            taken = self.disks.steps.take(f"{command} {' '.join(names)}", Refused("played"))
            if taken is not None:
                try:
                    await taken
                except Refused as problem:
                    return Finished(5, b"", str(problem).encode())
        try:
            return Finished(0, self.disks.run(command, options, names).encode(), b"")
        except Refused as problem:
            return Finished(5, b"", str(problem).encode())


def taken_apart(argv: list[str]) -> tuple[str, dict[str, list[str]], list[str]]:
    """Command, options with their values, names."""
    _, command, *rest = argv
    options: dict[str, list[str]] = {}
    names = []
    with_value = (*PLAIN, "--devices", "--config", "--deltag", "--addtag", "--units", "--separator", "-o")
    while rest:
        word = rest.pop(0)
        if word in with_value:
            options.setdefault(word, []).append(rest.pop(0))
        elif word.startswith("-"):
            options.setdefault(word, [])
        else:
            names.append(word)
    return command, options, names
