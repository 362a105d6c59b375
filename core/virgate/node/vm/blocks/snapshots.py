"""Snapshots as clients ask for them: at once with an answer, or as a job with an end."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from attrs import frozen
from twisted.internet.defer import Deferred, TimeoutError

from virgate.errors import InvalidParameter
from virgate.libvirt import blocks
from virgate.node.vm.blocks.errors import BadTimeout, SnapshotFailed
from virgate.node.vm.blocks.memory import Memory
from virgate.node.vm.blocks.snapshot import snapshot
from virgate.node.vm.hibernation.handle import Handle, VolumeId

if TYPE_CHECKING:
    from virgate.node.storage.sdm.registry import Job
    from virgate.node.vm.blocks.watching import Blocks
    from virgate.node.vm.machine import Machine

MINUTE = 60.0


@frozen
class Wanted:
    """What a client asks for."""

    drives: tuple[Mapping[str, Any], ...]
    memory: Handle | None = None
    frozen: bool = False

    @classmethod
    def read(cls, drives: Sequence[Any], memory: Any = None, frozen: bool = False) -> Self:
        """`memory`: a handle of six parts, or a map with `dst` and `dstparams`; empty for none."""
        for drive in drives:
            if not isinstance(drive, Mapping):
                raise InvalidParameter("snapDrives", drive)
        handle: Handle | None
        if isinstance(memory, Mapping) and memory:
            handle = Handle(VolumeId.of(memory.get("dst")), VolumeId.of(memory.get("dstparams")))
        else:
            handle = Handle.parse(memory) if memory else None
        return cls(tuple(drives), handle, frozen)


async def now(owner: "Blocks", machine: "Machine", wanted: Wanted) -> bool:
    """Answers whether the guest's file systems were frozen by us."""
    memory = None if wanted.memory is None else Memory(wanted.memory, owner.storage)
    return await snapshot(machine, wanted.drives, memory=memory, frozen=wanted.frozen)


def begin(
    owner: "Blocks", machine: "Machine", wanted: Wanted, id: str, minutes: int = 30, freeze_minutes: int = 8
) -> None:
    """Starts a job; `BadTimeout` (91). After its time it is given up: memory is written no more, nothing is frozen."""
    for name, value in (("timeout", minutes), ("freeze_timeout", freeze_minutes)):
        if value <= 0:
            raise BadTimeout(name, value)
    machine.stays()

    async def work(job: "Job") -> None:
        doing: Deferred[bool] = Deferred.fromCoroutine(now(owner, machine, wanted))
        limit = minutes if wanted.memory is not None else min(minutes, freeze_minutes)
        try:
            await doing.addTimeout(limit * MINUTE, machine.means.reactor)
        except TimeoutError:
            if wanted.memory is not None:
                await blocks.abort_domain_job(machine.means.domains, machine.id)
            raise SnapshotFailed(machine.id, f"it was not done in {limit} minutes") from None

    owner.storage.job_registry.start(id, "snapshot_vm", work, "virt")
