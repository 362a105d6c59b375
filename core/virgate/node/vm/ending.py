"""Ending a machine: what happens once when its guest is gone, and the destroy verb.

Spec xmlrpc-host-vm 2.2, hooks 1.8.
"""

from typing import TYPE_CHECKING

from twisted.logger import Logger

from virgate.domxml.wanted import host_devices
from virgate.hookspecs.documents import XmlDocument
from virgate.libvirt.errors import DomainNotFound, HypervisorFailed
from virgate.node.vm import flags, hooked, inscription
from virgate.node.vm.errors import CannotDestroy
from virgate.node.vm.exits import Exit, Reason

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine

log = Logger()


async def finish(machine: "Machine", exit: Exit) -> None:
    """The guest is gone: keeps the reason, releases what the machine used, then Down. Who comes later waits."""

    async def once() -> None:
        machine.life.ending()
        try:
            await inscription.keep_exit(machine, exit)
            await _release(machine)
        finally:
            machine.life.down(exit)

    await machine.release.run(once)


async def destroy(machine: "Machine", attempts: int = 1) -> None:
    """Ends the guest at once and takes its definition away. Raises what a device hook raised, or `CannotDestroy`.

    QEMU is asked politely so many times before it is killed.
    """
    await hooked.each_device(machine, "before_device_destroy", machine.record.xml)
    await machine.means.hooks.before_vm_destroy(vm=machine.record.subject)
    if (launch := machine.launch) is not None:
        launch.abandon()
        await launch.over()
    if machine.departure is not None:
        await machine.departure.give_up()
    if machine.vitals.alive:
        machine.record.asked_down = True
        machine.life.ending()
        await _kill(machine, attempts)
        await finish(machine, Exit.of(Reason.ADMIN))
    elif not machine.record.released_before:
        await machine.release.run(lambda: _release(machine))  # a failed start, or an end that no daemon saw
    await _forget(machine)


async def _kill(machine: "Machine", attempts: int) -> None:
    domains = machine.means.domains
    try:
        for _ in range(attempts):
            try:
                await domains.destroy(machine.id, graceful=True)
            except HypervisorFailed:
                continue
            return
        await domains.destroy(machine.id, graceful=False)
    except DomainNotFound:
        return
    except HypervisorFailed as refused:
        if (await _state(machine)) != "shutoff":
            raise CannotDestroy(machine.id, refused.detail) from refused


async def _state(machine: "Machine") -> str:
    try:
        state, _ = await machine.means.domains.state(machine.id)
        return state
    except DomainNotFound:
        return "shutoff"


async def _release(machine: "Machine") -> None:
    """Everything is tried; what fails is logged, because nothing else would ever try again."""
    means, record = machine.means, machine.record
    if machine.powerdown is not None:
        machine.powerdown.over()
    await free(machine)
    await machine.hook_lane.empty()
    await means.hooks.after_vm_destroy(vm=record.subject, domain=XmlDocument(record.xml))
    await hooked.each_device(machine, "after_device_destroy", record.xml)


async def free(machine: "Machine") -> None:
    """Gives back disks and files; once, however often it is asked for."""
    means, record = machine.means, machine.record
    disks = (*record.disks, *record.replicas)
    record.disks = record.replicas = ()
    for disk in disks:
        try:
            await means.disks.teardown(disk)
        except Exception:
            log.failure("disk {target} of {vm} was not torn down", target=disk.target, vm=machine.id)
    await _give_back(machine)
    try:
        flags.remove(means.run_dir, machine.id)
        await means.payloads.remove(machine.id)
    except Exception:
        log.failure("files of {vm} in the run folder stay behind", vm=machine.id)


async def _give_back(machine: "Machine") -> None:
    means = machine.means
    if means.host_devices is None:
        return
    for name in sorted(host_devices(machine.record.conf.get("devices"))):
        try:
            await means.host_devices().reattach(name)
        except Exception:
            log.failure("{device} of {vm} was not given back to the host", device=name, vm=machine.id)


async def _forget(machine: "Machine") -> None:
    """A definition that somebody else made is left to them."""
    if machine.record.external:
        return
    try:
        await machine.means.domains.undefine(machine.id)
    except DomainNotFound:
        pass
    except HypervisorFailed as refused:
        raise CannotDestroy(machine.id, refused.detail) from refused
