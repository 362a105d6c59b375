"""What the guest itself is told of its sleep, through its agents (spec guest-agent 4.7). Nothing here ever fails."""

from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.libvirt import saving
from virgate.node.vm.migration.guest import tell, welcome

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine

LOCK_PATIENCE = 30.0
"""Seconds in which the guest may lock its screen."""
SCRIPTS_PATIENCE = 10.0
"""Seconds in which the guest's own scripts may run."""

log = Logger()


async def good_night(machine: "Machine") -> None:
    """Nobody should see the screen of whoever was logged in when it wakes up, and its scripts may want to know."""
    agent = machine.agent
    if agent is None:
        return
    try:
        agent.send("lock-screen")
        if agent.responsive:
            await agent.locked(LOCK_PATIENCE)
        await agent.event("before_hibernation", wait=SCRIPTS_PATIENCE)
    except VirgateError as problem:
        log.info("{vm} was not told: {why}", vm=machine.id, why=str(problem))


async def good_morning(machine: "Machine", *, failure: bool = False) -> None:
    """It slept and does not know how long; after a `failure` it did not sleep at all."""
    try:
        if not failure:
            await saving.set_time(machine.means.domains, machine.id, machine.means.wall())
    except VirgateError as problem:
        log.info("{vm} was not told the time: {why}", vm=machine.id, why=str(problem))
    if failure:
        await tell(machine, "after_hibernation", failure=True)
    else:
        await welcome(machine, "after_hibernation")


def carried(machine: "Machine") -> dict[str, Any]:
    """What is known of the guest and may interest another host."""
    return {} if machine.agent is None else dict(machine.agent.carried)
