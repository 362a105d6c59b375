"""Moves on a host without a hypervisor: a played destination and a played libvirt."""

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import define, field
from doubles.machines import Host
from twisted.internet.defer import Deferred

from virgate.libvirt import moving
from virgate.libvirt.errors import HypervisorFailed, OperationInvalid
from virgate.node.vm.machine import Machine
from virgate.node.vm.migration import commands
from virgate.node.vm.migration.addresses import Destination

ABORTED, FAILED, INVALID = 78, 9, 55
"""libvirt's numbers."""


@define
class PlayedPeer:
    """Notes what it is asked; `answers[verb]` are raised or given, one after the other."""

    trace: list[str]
    answers: dict[str, list[Any]] = field(factory=dict)
    told: dict[str, Any] = field(factory=dict)
    limits: list[int | None] = field(factory=list)
    destination: Destination | None = None

    async def _do(self, verb: str) -> Any:
        self.trace.append(verb)
        answer = self.answers[verb].pop(0) if self.answers.get(verb) else {}
        if isinstance(answer, Deferred):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def ping(self) -> None:
        await self._do("ping")

    async def create(self, params: dict[str, Any], limit: int | None) -> dict[str, Any]:
        self.told = params
        self.limits.append(limit)
        return dict(await self._do("migrationCreate"))

    async def destroy(self, vm: str) -> None:
        await self._do("VM.destroy")

    async def status(self, vm: str) -> str:
        return str(await self._do("VM.getStats"))

    async def sees_growth(self) -> bool:
        return (await self._do("getVdsCapabilities")) is not False

    async def refresh_disk(self, vm: str, disk: Any) -> int:
        return int(await self._do(f"VM.refresh_disk {disk.volume}") or 0)


@define
class PlayedMoves:
    """libvirt's calls. A move ends at once, or when `hold` is called back; `fails` ends it otherwise."""

    host: Host
    trace: list[str]
    hold: Deferred[None] | None = None
    fails: Exception | None = None
    asked: dict[str, Any] = field(factory=dict)
    figures: dict[str, Any] = field(factory=dict)
    jobs: list[Any] = field(factory=list)
    refuses: dict[str, Exception] = field(factory=dict)

    async def migrate(self, domains: Any, uuid: str, uri: str, parameters: dict[str, Any], flags: int) -> None:
        self.trace.append(f"migrate {uri} {flags}")
        self.asked = parameters
        if self.hold is not None:
            await self.hold
        if self.fails is not None:
            raise self.fails
        self.leave(uuid)

    def leave(self, uuid: str) -> None:
        domain = self.host.domains.domains[uuid]
        domain.state, domain.reason = "shutoff", "migrated"
        if self.figures:
            self.host.events.tell("libvirt.job_completed", uuid=uuid, figures=self.figures)
        self.host.domains.lifecycle(uuid, "stopped", "migrated")

    async def document(self, domains: Any, uuid: str) -> str:
        return await self.host.domains.xml(uuid)

    async def job(self, domains: Any, uuid: str) -> dict[str, Any]:
        found = self.jobs.pop(0) if self.jobs else {"type": 0}
        if isinstance(found, Exception):
            raise found
        return dict(found)

    async def last_job(self, domains: Any, uuid: str) -> dict[str, Any]:
        return {"downtime_net": 7}

    async def abort(self, domains: Any, uuid: str) -> None:
        self._note("abort")
        self.fails = HypervisorFailed(ABORTED, "canceled by client")
        if self.hold is not None:
            self.hold.callback(None)

    async def allow_downtime(self, domains: Any, uuid: str, milliseconds: int) -> None:
        self._note(f"downtime {milliseconds}")

    async def limit_bandwidth(self, domains: Any, uuid: str, mebibytes: int) -> None:
        self._note(f"bandwidth {mebibytes}")

    async def go_on_there(self, domains: Any, uuid: str) -> None:
        self._note("postcopy")

    async def keep_spice_ticket(self, domains: Any, uuid: str, until: str) -> None:
        self._note("ticket")

    def _note(self, what: str) -> None:
        self.trace.append(what)
        if problem := self.refuses.get(what.split(maxsplit=1)[0]):
            raise problem


@define
class Move:
    """Everything a test of a departure touches."""

    host: Host
    peer: PlayedPeer
    libvirt: PlayedMoves
    trace: list[str]

    async def begin(self, machine: Machine, **params: Any) -> None:
        await commands.leave(self.host.machines, {"vmId": machine.id, "dst": "hostb", **params})

    async def run(self, machine: Machine, **params: Any) -> tuple[int, str]:
        """How the move ended."""
        await self.begin(machine, **params)
        if machine.departure is not None:
            await machine.departure.over()
        return machine.standing.code, machine.standing.message


@pytest.fixture
def move(host: Host, monkeypatch: pytest.MonkeyPatch) -> Iterator[Move]:
    trace = host.trace.points
    peer, libvirt = PlayedPeer(trace), PlayedMoves(host, trace)
    for name in ("migrate", "document", "job", "last_job", "abort", "allow_downtime", "limit_bandwidth"):
        monkeypatch.setattr(moving, name, getattr(libvirt, name))
    for name in ("go_on_there", "keep_spice_ticket"):
        monkeypatch.setattr(moving, name, getattr(libvirt, name))

    def call(destination: Destination) -> PlayedPeer:
        peer.destination = destination
        return peer

    host.machines.means.traffic.call = call
    yield Move(host, peer, libvirt, trace)


@pytest.fixture
def too_late() -> Exception:
    return OperationInvalid(INVALID, "no job is active")
