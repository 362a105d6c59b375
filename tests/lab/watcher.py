"""Looks at a domain's leases from outside, all the time: no lease may be held twice.

    with Watcher(FileLeases(lambda: nfs.path("data"), domain), timeline) as watcher:
        ...
    watcher.check()

A lease may go from one holder to another when the first gave it back, or left the lockspace, or did not renew its host
lease for as long as sanlock wants. What is judged are bytes on the storage, read where the server keeps them.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

from lab.timeline import Timeline
from virgate.node.storage.formats.errors import UnreadableMetadata
from virgate.node.storage.formats.layout import alignment, sdm_offset
from virgate.node.storage.formats.sanlock import SDM, Leader

HOSTS = 8
INTERVAL = 0.05
SLACK = 1.0
"""Seconds by which our count of a host's silence may be shorter than another host's: reading takes its time."""


def fails_after(io_timeout: float) -> float:
    """Seconds without storage after which a host has lost its leases, by its own clock."""
    return 8 * io_timeout


def dead_after(io_timeout: float) -> float:
    """Seconds of silence after which sanlock takes a host for dead: its renewal fails, then its watchdog fires."""
    return fails_after(io_timeout) + (30 if io_timeout == 5 else 60)


def free_after(io_timeout: float) -> float:
    """Seconds after a host's death by which another one has its lease: silence, then at most 7 io timeouts."""
    return dead_after(io_timeout) + 7 * io_timeout


class Leases(Protocol):
    """Where a domain's leases are. Raises OSError or RuntimeError while the storage is away."""

    def host(self, number: int) -> bytes:
        """The record of a host id."""

    def held(self) -> Iterator[tuple[str, bytes]]:
        """Name and leader record of every lease besides."""


@dataclass
class FileLeases:
    """On a file domain. `root` tells where the exported folder is now."""

    root: Callable[[], Path]
    domain: str
    block_size: int = 512
    _volumes: list[Path] = field(default_factory=list)
    _listed: float = 0.0

    def host(self, number: int) -> bytes:
        return _read(self._metadata / "ids", (number - 1) * self.block_size)

    def held(self) -> Iterator[tuple[str, bytes]]:
        yield SDM, _read(self._metadata / "leases", sdm_offset(alignment(self.block_size)))
        for path in self._volume_leases():
            with contextlib.suppress(FileNotFoundError):
                yield path.stem, _read(path, 0)

    def _volume_leases(self) -> list[Path]:
        if time.monotonic() > self._listed + 1:
            self._volumes = list(self._folder.glob("images/*/*.lease"))
            self._listed = time.monotonic()
        return self._volumes

    @property
    def _folder(self) -> Path:
        return self.root() / self.domain

    @property
    def _metadata(self) -> Path:
        return self._folder / "dom_md"


def _read(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(512)


@dataclass
class History:
    """What was seen, and what is wrong with it. Knows no storage and no clock."""

    note: Callable[[str], object] = lambda what: None
    wrong: list[str] = field(default_factory=list)
    _hosts: dict[int, tuple[Leader, float]] = field(default_factory=dict)
    _holders: dict[str, Leader] = field(default_factory=dict)

    def host(self, number: int, record: Leader, at: float) -> None:
        """A host lease as it was at a time."""
        before = self._hosts.get(number)
        if before is None or before[0] != record:
            self._hosts[number] = record, at
            if before is None and record.timestamp == 0:
                return
            if before is None or before[0].owner_generation != record.owner_generation or record.timestamp == 0:
                joined = f"joined as {record.resource}" if record.timestamp else "left"
                self.note(f"host {number} {joined}, generation {record.owner_generation}")

    def lease(self, name: str, record: Leader, at: float) -> None:
        """A lease as it was at a time."""
        before = self._holders.get(name)
        self._holders[name] = record
        held = record.timestamp != 0
        if before is None:
            if held:
                self.note(f"lease {name}: held by host {record.owner_id}, version {record.lver}")
        elif _holder(before) != _holder(record):
            told = f"held by host {record.owner_id}, version {record.lver}" if held else "free"
            self.note(f"lease {name}: {told}")
            if held and before.timestamp and (why := self._still_alive(before, at)):
                self.wrong.append(f"lease {name} went to host {record.owner_id} although {why}")

    def silence(self, host: int, at: float) -> float:
        """Seconds since that host renewed its lease."""
        return at - self._hosts[host][1]

    def _still_alive(self, holder: Leader, at: float) -> str:
        known = self._hosts.get(holder.owner_id)
        if known is None:
            return f"nobody knows of host {holder.owner_id}"
        record, renewed = known
        if record.owner_generation != holder.owner_generation or record.timestamp == 0:
            return ""
        needed = dead_after(record.io_timeout) - SLACK
        silent = at - renewed
        return f"host {holder.owner_id} was silent for {silent:.1f} s only" if silent < needed else ""


def _holder(record: Leader) -> tuple[int, int] | None:
    return (record.owner_id, record.owner_generation) if record.timestamp else None


class Watcher:
    """Reads in a thread of its own while the block runs."""

    def __init__(self, leases: Leases, timeline: Timeline, *, hosts: int = HOSTS, name: str = "storage") -> None:
        self.history = History(lambda what: timeline.note(name, what))
        self.looks = 0
        self._leases = leases
        self._hosts = hosts
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def check(self) -> None:
        assert self.looks, "the leases could never be read"
        assert not self.history.wrong, self.history.wrong

    def _watch(self) -> None:
        while not self._over.wait(INTERVAL):
            with contextlib.suppress(OSError, RuntimeError):  # the server is away
                self._look()
                self.looks += 1

    def _look(self) -> None:
        # Leases first: a holder that is replaced was alive at the latest when it was read as a host before.
        for name, data in self._leases.held():
            with contextlib.suppress(UnreadableMetadata):  # half written, or not yet
                self.history.lease(name, Leader.decode(data), time.monotonic())
        for number in range(1, self._hosts + 1):
            with contextlib.suppress(UnreadableMetadata):
                self.history.host(number, Leader.decode(self._leases.host(number)), time.monotonic())
