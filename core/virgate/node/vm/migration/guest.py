"""What the guest itself is told of its move, through its agent (spec migration 8.2). Nothing here ever fails."""

from typing import TYPE_CHECKING

from twisted.internet.task import deferLater
from twisted.logger import Logger

from virgate.errors import VirgateError

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine

ATTEMPTS, PAUSE = 20, 0.5
"""How often, and every how many seconds, a guest that has just arrived is told: its channel must be open first."""

log = Logger()


async def tell(machine: "Machine", kind: str, *, wait: float = 0.0, failure: bool = False) -> bool:
    """Whether it was told. `wait`: seconds in which the guest's own scripts may run."""
    if machine.agent is None:
        return False
    try:
        return await machine.agent.event(kind, wait=wait, failure=failure)
    except VirgateError as problem:
        log.info("{vm} was not told: {why}", vm=machine.id, why=str(problem))
        return False


async def welcome(machine: "Machine") -> None:
    """Tells a guest that it has arrived."""
    for _ in range(ATTEMPTS):
        if not machine.vitals.alive or await tell(machine, "after_migration"):
            return
        await deferLater(machine.means.reactor, PAUSE)
