"""The number of a running machine's processors (spec xmlrpc-host-vm 2.8, hooks 1.2)."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from virgate.domxml.errors import MissingParameter
from virgate.errors import VirgateError
from virgate.libvirt import plugging as hypervisor
from virgate.node.vm.plugging import steps
from virgate.node.vm.plugging.errors import CpusNotSet, told_as

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine

RANGE = re.compile(r"(\d+)(?:-(\d+))?", re.ASCII)
MOST = 4096
"""No host has a processor of a higher number."""


async def set_number(machine: "Machine", wanted: Any, cpusets: Sequence[Any] = ()) -> None:
    """Plugs or unplugs processors; `cpusets` says for each where it may run on the host.

    Raises `CpusNotSet` (60) and what hooks raise. A guest that gives back fewer than it should has what it kept.
    """
    number = count(wanted)
    with told_as(CpusNotSet):
        sets = [cpu_set(one) for one in cpusets]
        async with steps.changing(machine):
            await machine.means.hooks.before_set_num_of_cpus()
            try:
                await hypervisor.set_vcpus(machine.means.domains, machine.id, number)
                if sets:
                    await hypervisor.pin_vcpus(machine.means.domains, machine.id, sets)
            finally:
                await _read_back(machine)
        await machine.means.hooks.after_set_num_of_cpus()


async def _read_back(machine: "Machine") -> None:
    from virgate.domxml import running, tree

    try:
        await machine.document()
    except VirgateError:
        return  # what went wrong before says more
    machine.record.conf["smp"] = str(running.basics(tree.parse(machine.record.xml))["smp"])
    await machine.devices_changed()


def count(wanted: Any) -> int:
    """Raises `MissingParameter` (11) for nothing, `CpusNotSet` for what is no number of processors."""
    if wanted is None or wanted == "":
        raise MissingParameter.named("numberOfCpus")
    try:
        number = int(str(wanted).strip())
    except ValueError:
        number = 0
    if isinstance(wanted, bool) or not 0 < number <= MOST:
        raise CpusNotSet(f"{wanted!r} is no number of processors")
    return number


def cpu_set(wanted: Any) -> frozenset[int]:
    """`0,2-4` as numbers."""
    found: set[int] = set()
    for part in str(wanted).split(","):
        match = RANGE.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last < MOST:
            raise CpusNotSet(f"{wanted!r} is no set of processors")
        found.update(range(first, last + 1))
    return frozenset(found)
