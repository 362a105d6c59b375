"""What follows a move that failed: the destination forgets what it prepared, the machine is what its guest is
(spec migration 5.6, 6.5, 12.3)."""

from typing import TYPE_CHECKING

from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.libvirt.errors import DomainNotFound, HypervisorAway, HypervisorFailed
from virgate.node.vm.exits import Exit, Reason
from virgate.node.vm.life import Status
from virgate.node.vm.migration.errors import PeerRefused

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine
    from virgate.node.vm.migration.peer import Peer

STANDS_HERE = ("user", "ioerror", "watchdog")
"""Why a guest may be paused that did not stop in order to leave."""
ONLY_PREPARED = (Status.ARRIVING, Status.WAIT_FOR_LAUNCH, Status.DOWN)
"""A guest of another host has not run there in these: nobody can let it go on before it is Up or Paused."""
EXISTS = 4

log = Logger()


async def free(machine: "Machine", peer: "Peer", failure: BaseException, *, seen: bool) -> None:
    """The destination forgets what it prepared, but nothing that may run there. `seen`: we heard how the move ended;
    else it is looked for."""
    if isinstance(failure, PeerRefused) and failure.answer == EXISTS:
        return
    try:
        if seen or await _is_only_here(machine, peer):
            await peer.destroy(machine.id)
    except Exception as problem:
        log.info("the destination of {vm} keeps what it has: {why}", vm=machine.id, why=str(problem))


async def _is_only_here(machine: "Machine", peer: "Peer") -> bool:
    """A guest that runs here is not elsewhere. One that was paused before it moved may be: the move of libvirt that
    was cut off leaves it paused for the same reason on both sides, so the destination's word counts."""
    state, reason = await machine.means.domains.state(machine.id)
    if state != "paused":
        return state in ("running", "blocked")
    if reason not in STANDS_HERE:
        return False
    status = await peer.status(machine.id)
    if status not in ONLY_PREPARED:
        log.warn("{vm} is paused here and {status} on its destination, which keeps it", vm=machine.id, status=status)
    return status in ONLY_PREPARED


async def go_on(machine: "Machine") -> None:
    """Back to what the guest does now, which may have changed meanwhile."""
    try:
        state, _ = await machine.means.domains.state(machine.id)
    except VirgateError:
        state = "paused" if machine.vitals.pause_code else "running"
    machine.departure = None  # from now on it is told as it is
    if state == "paused":
        machine.life.launched_paused(machine.vitals.pause_code or "NOERR")
    elif state in ("running", "blocked"):
        machine.life.launched()


async def lose(machine: "Machine") -> None:
    """A guest that was in two places is in neither: it cannot be saved."""
    try:
        await machine.means.domains.destroy(machine.id, graceful=False)
    except (DomainNotFound, HypervisorFailed, HypervisorAway) as problem:
        log.warn("the rest of {vm} was not destroyed: {why}", vm=machine.id, why=str(problem))
    machine.life.down(Exit.of(Reason.POSTCOPY_FAILED))
