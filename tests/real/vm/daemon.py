"""The smallest daemon: machines on a hypervisor. Creates the machine of its argument, says so, and waits to be killed.

Usage: daemon.py URI RUN_DIR PARAMS(JSON)
"""

import json
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from virgate.domxml.facts import DiskRequest, DiskSource, HostFacts
from virgate.events import EventBus
from virgate.hookspecs import devices, host, vm
from virgate.libvirt.connection import Hypervisor
from virgate.libvirt.domains import Domains
from virgate.node.vm import describe
from virgate.node.vm.means import Means
from virgate.node.vm.registry import Machines
from virgate.node.vm.settings import MachineSettings
from virgate.plugins import Hooks


class Nothing:
    async def prepare(self, disk: DiskRequest) -> DiskSource:
        return DiskSource(disk.path, disk.format)

    async def teardown(self, disk: DiskRequest) -> None:
        pass

    async def remove(self, vm: str) -> None:
        pass


async def run(uri: str, run_dir: str, params: str) -> None:
    events = EventBus()
    hypervisor = Hypervisor(uri, events)
    await hypervisor.start()
    nothing: Any = Nothing()
    facts = HostFacts(virt_type="qemu")
    settings = MachineSettings()
    hooks = Hooks(vm, devices, host)
    domains = Domains(hypervisor)
    means = Means(domains, hooks, events, nothing, nothing, Path(run_dir), lambda: facts, settings, reactor)
    machines = Machines(means)
    await machines.start()
    machine = await machines.create(json.loads(params))
    if machine.launch is not None:
        await machine.launch.over()
    sys.stdout.write(json.dumps(describe.full(machine)) + "\n")
    sys.stdout.flush()


Deferred.fromCoroutine(run(*sys.argv[1:])).addErrback(lambda failure: failure.printTraceback())
reactor.run()  # type: ignore[attr-defined]
