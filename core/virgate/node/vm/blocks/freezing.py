"""The guest's file systems at rest, through its QEMU agent, so that what a snapshot keeps is whole."""

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.libvirt import blocks
from virgate.libvirt.errors import AgentUnresponsive, HypervisorAway, HypervisorFailed
from virgate.node.vm.blocks import kept
from virgate.node.vm.blocks.changes import when_back
from virgate.node.vm.blocks.errors import AgentDead, CannotFreeze, CannotThaw, NoFreezing
from virgate.node.vm.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from virgate.node.vm.machine import Machine

log = Logger()


async def freeze(machine: "Machine") -> None:
    """Until `thaw` nothing is written; a guest that is never thawed hangs. Codes 19, 75, 76."""
    try:
        await blocks.freeze(machine.means.domains, machine.id)
    except HypervisorFailed as failure:
        raise _told(machine, failure) or CannotFreeze(machine.id, failure.detail) from failure


async def thaw(machine: "Machine") -> None:
    """Codes 19, 75, 77."""
    try:
        await blocks.thaw(machine.means.domains, machine.id)
    except HypervisorFailed as failure:
        raise _told(machine, failure) or CannotThaw(machine.id, failure.detail) from failure


def _told(machine: "Machine", failure: HypervisorFailed) -> VirgateError | None:
    if isinstance(failure, AgentUnresponsive):
        return AgentDead(machine.id, failure.detail)
    return NoFreezing(machine.id, failure.detail) if blocks.is_unsupported(failure) else None


@asynccontextmanager
async def frozen(machine: "Machine") -> "AsyncIterator[bool]":
    """Inside, the file systems are frozen if the guest could do it; afterwards they are thawed, whatever happened.

    That a thaw is owed is written into the domain before: a daemon that is killed inside leaves it to the next one.
    """
    await kept.owe_thaw(machine, True)
    quiet = False
    try:
        try:
            await freeze(machine)
            quiet = True
        except VirgateError as failure:
            log.info("{vm} is not frozen: {why}", vm=machine.id, why=str(failure))
        yield quiet
    finally:
        await make_up(machine)


async def make_up(machine: "Machine") -> None:
    """Thaws what a snapshot froze, also a freeze that was not answered: it may have succeeded all the same."""
    try:
        await thaw(machine)
    except NoFreezing:
        pass
    except VirgateError as failure:
        log.warn("{vm} may be frozen: {why}", vm=machine.id, why=str(failure))
        if isinstance(failure, HypervisorAway):
            when_back(machine, lambda: owed(machine), "{vm} may still be frozen")
        if not isinstance(failure, MachineError):
            return  # it is still owed
    try:
        await kept.owe_thaw(machine, False)
    except VirgateError as failure:
        log.info("{vm} will be thawed once more: {why}", vm=machine.id, why=str(failure))


async def owed(machine: "Machine") -> None:
    """The daemon or libvirt was killed while the guest was frozen for a snapshot."""
    await machine.changing.acquire()
    try:
        await make_up(machine)
    finally:
        machine.changing.release()
