"""What the guest itself is told of its move, through its agent (spec migration 8.2). Nothing here ever fails but for
want of the domain itself."""

from typing import TYPE_CHECKING

from twisted.internet.task import deferLater
from twisted.logger import Logger

from virgate.domxml import metadata, tree
from virgate.errors import VirgateError
from virgate.node.vm import inscription

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine

ATTEMPTS, PAUSE = 20, 0.5
"""How often, and every how many seconds, a guest that has just arrived is told: its channel must be open first."""

VERSION = "guestAgentAPIVersion"

log = Logger()


async def note_version(machine: "Machine") -> None:
    """Writes into the domain what the guest's agent and we both know: hosts of newer kinds look there for it, so that
    they can tell the guest that it has arrived before it says a word."""
    known = {} if machine.agent is None else machine.agent.carried
    written = metadata.read(tree.parse(machine.record.xml or "<domain/>")).values
    if known.get(VERSION) and written.get(VERSION) != known[VERSION]:
        await machine.document()
        await inscription.keep(machine, "the version of the agent", {VERSION: known[VERSION]})


async def tell(machine: "Machine", kind: str, *, wait: float = 0.0, failure: bool = False) -> bool:
    """Whether it was told. `wait`: seconds in which the guest's own scripts may run."""
    if machine.agent is None:
        return False
    try:
        return await machine.agent.event(kind, wait=wait, failure=failure)
    except VirgateError as problem:
        log.info("{vm} was not told: {why}", vm=machine.id, why=str(problem))
        return False


async def welcome(machine: "Machine", kind: str = "after_migration") -> None:
    """Tells a guest that it has arrived, or woken up, as soon as its channel is open."""
    for _ in range(ATTEMPTS):
        if not machine.vitals.alive or await tell(machine, kind):
            return
        await deferLater(machine.means.reactor, PAUSE)
