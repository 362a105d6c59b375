"""Storage rooms without processes, and leases that tell what was done to them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from attrs import define, field
from contract.storage.light import Direct, PlayedQemu, Steps, begun, now
from contract.storage.room import POOL, Room, uuid
from contract.storage.written_leases import Plugin, WrittenLease
from twisted.internet.task import Clock

from virgate import hookimpl
from virgate.node.storage.formats import domain_metadata
from virgate.node.tasks.locks import Request
from virgate_plugins.leases.local import LocalLease


class ToldLease(LocalLease):
    """`said` lists (what, domain number) of all leases."""

    said: ClassVar[list[tuple[str, int]]] = []

    def _say(self, what: str) -> None:
        type(self).said.append((what, int(self._space.domain[-3:])))

    async def join(self, host: int) -> None:
        await super().join(host)
        self._say(f"join {host}")

    async def acquire(self) -> None:
        await super().acquire()
        self._say("acquire")

    async def release(self) -> None:
        if self.held:
            self._say("release")
        await super().release()

    async def leave(self) -> None:
        if self.joined is not None:
            self._say("leave")
        await super().leave()


class Leases:
    __name__ = "told leases"

    @hookimpl(tryfirst=True)
    def lease_manager(self, name: str) -> type[ToldLease]:
        return ToldLease


@define(eq=False)
class Light:
    """A room whose verbs answer at once: `ask`, `code`, `done` as those of a room, without awaiting."""

    base: Path
    steps: Steps = field(factory=Steps)
    clock: Clock = field(factory=Clock)
    room: Room = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        helpers, qemu = Direct(self.steps), PlayedQemu(steps=self.steps)
        self.room = Room(self.base, clock=self.clock, helpers=helpers, qemu=qemu, plugins=[Leases()])
        now(self.room.start())
        self.said.clear()

    def reopen(self) -> None:
        """After kill -9."""
        begun(self.room.die())
        self.steps.hung = False
        self.open()

    @property
    def said(self) -> list[tuple[str, int]]:
        return ToldLease.said

    def __getattr__(self, name: str):
        method = getattr(self.room, name)
        return lambda *args, **kwargs: now(method(*args, **kwargs))

    def metadata(self, number: int = 1) -> dict[str, str]:
        """What is written on the domain."""
        return domain_metadata.decode((self.folder(number) / "dom_md" / "metadata").read_bytes())

    def folder(self, number: int = 1) -> Path:
        return self.base / f"dom{number}" / uuid(2, number)

    def statuses(self) -> dict[int, str]:
        """Domain number -> status, as the pool tells them."""
        told = self.ask("getStoragePoolInfo", POOL)["info"]["domains"]
        return {int(entry[33:36]): entry.partition(":")[2] for entry in told.split(",")}

    def shown(self) -> set[int]:
        """The domains linked in the pool's folder."""
        folder = self.base / "data-center" / POOL
        return (
            {int(path.name[-3:]) for path in folder.iterdir() if path.name != "mastersd"} if folder.exists() else set()
        )

    def watched(self) -> set[int]:
        return {int(domain[-3:]) for domain in self.ask("repoStats") if domain != "status"}

    @contextmanager
    def held(self, *requests: Request) -> Iterator[None]:
        """Somebody else uses these."""
        holding = self.room.storage.locks.hold(*requests)
        now(holding.__aenter__())
        try:
            yield
        finally:
            now(holding.__aexit__(None, None, None))

    def waits(self, request: Request, verb: str, *arguments: Any) -> bool:
        """Whether the verb, or its task, waits while somebody else holds the resource. It must succeed afterwards."""
        with self.held(request):
            came = begun(self.room.call(verb, *arguments))
            waited = not came or bool(self.room.tasks.busy("spm"))
        (answer,) = came
        assert answer["status"]["code"] == 0, answer
        if verb != "spmStart" and "uuid" in answer:
            assert self.wait(answer["uuid"])["taskResult"] == "success"
        return waited

    def end(self) -> None:
        begun(self.room.stop())


@pytest.fixture
def light(tmp_path, monkeypatch):
    """A room with nothing in it."""
    monkeypatch.setattr(os, "fsync", lambda file: None)  # nothing here loses its power
    monkeypatch.setattr(os, "O_DIRECT", 0)
    made = Light(tmp_path)
    yield made
    made.end()


@pytest.fixture
def pooled(light):
    """A room whose pool has one domain, its master; this host is the SPM."""
    light.pool()
    light.said.clear()
    return light


@pytest.fixture
def shared(light, monkeypatch):
    """A pool whose domain has external leases; this host is the SPM."""
    monkeypatch.setattr(WrittenLease, "held_by", {})
    monkeypatch.setattr(WrittenLease, "steps", [])
    light.room.hooks.register(Plugin(), "written leases")
    light.pool()
    WrittenLease.steps.clear()
    return light
