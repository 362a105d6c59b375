"""I/O policies and limits of all machines at once, for a manager of them that asks every few seconds."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from twisted.internet.task import deferLater

from virgate.node.vm.tuning import disks

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine

BATCH = 25
"""Documents read between two looks at everything else there is to do: some milliseconds."""

_read: "WeakKeyDictionary[Machine, tuple[str, dict[str, Any]]]" = WeakKeyDictionary()
"""What a machine's document said, as long as it is the same document."""


async def policies(machines: "Iterable[Machine]") -> dict[str, Any]:
    """By machine: `policy` and `current_values`. Nothing is asked of the hypervisor."""
    answer, fresh = {}, 0
    for machine in tuple(machines):
        if not machine.vitals.alive:
            continue
        text, told = _read.get(machine, ("", {}))
        if text is not machine.record.xml or not told:
            text, told = machine.record.xml, disks.known(machine)
            _read[machine] = text, told
            fresh += 1
            if not fresh % BATCH:
                await deferLater(machine.means.reactor, 0)
        answer[machine.id] = told
    return answer
