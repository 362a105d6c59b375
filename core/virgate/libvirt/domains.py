"""The operations on machines, by the domain's id. Machines are defined, then started, so metadata outlives a stop.

Everything raises DomainNotFound, HypervisorAway or HypervisorFailed (libvirt.errors).
"""

from collections.abc import Callable
from typing import Any, TypeVar

import libvirt
from attrs import frozen

from virgate.libvirt import words
from virgate.libvirt.connection import Hypervisor
from virgate.libvirt.console import Console, open_console

Result = TypeVar("Result")
Statistics = dict[str, dict[str, Any]]

GROUPS = (
    libvirt.VIR_DOMAIN_STATS_STATE
    | libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
    | libvirt.VIR_DOMAIN_STATS_BALLOON
    | libvirt.VIR_DOMAIN_STATS_VCPU
    | libvirt.VIR_DOMAIN_STATS_INTERFACE
    | libvirt.VIR_DOMAIN_STATS_BLOCK
)
"""A driver leaves out the groups it does not know."""


@frozen
class DomainSummary:
    """One line of the list. `id` is libvirt's running number, None for a domain that does not run."""

    uuid: str
    name: str
    id: int | None
    state: str
    reason: str
    persistent: bool


class Domains:
    """What can be asked of the hypervisor about machines, and done to them."""

    def __init__(self, hypervisor: Hypervisor) -> None:
        self._hypervisor = hypervisor
        self._sampling = Sampling()

    async def define(self, xml: str) -> str:
        """Makes the definition or replaces it; answers the domain's id."""
        return await self._hypervisor.call(lambda connection: str(connection.defineXML(xml).UUIDString()))

    async def create(self, xml: str, paused: bool = False, flags: int = 0) -> str:
        """Defines and starts; a domain that does not start is not left defined."""
        return await self._hypervisor.call(_create, xml, _start_flags(paused, flags))

    async def start(self, uuid: str, paused: bool = False, flags: int = 0) -> None:
        """Starts a defined domain. `flags`: further VIR_DOMAIN_START_* bits."""
        await self.on(uuid, lambda domain: domain.createWithFlags(_start_flags(paused, flags)))

    async def destroy(self, uuid: str, graceful: bool = True) -> None:
        """Pulls the plug. Gracefully: fails instead of killing a QEMU that does not end on SIGTERM."""
        flags = libvirt.VIR_DOMAIN_DESTROY_GRACEFUL if graceful else 0
        await self.on(uuid, lambda domain: domain.destroyFlags(flags), beside=True)  # it ends what hangs

    async def undefine(self, uuid: str) -> None:
        """Forgets the definition with its saved memory, snapshots and NVRAM; a running domain goes on."""
        await self.on(uuid, _undefine)

    async def suspend(self, uuid: str) -> None:
        await self.on(uuid, lambda domain: domain.suspend())

    async def resume(self, uuid: str) -> None:
        await self.on(uuid, lambda domain: domain.resume())

    async def shutdown(self, uuid: str) -> None:
        """Presses the power button; whether the guest listens shows later."""
        await self.on(uuid, lambda domain: domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN))

    async def reboot(self, uuid: str) -> None:
        """Asks the guest to start again, by ACPI."""
        await self.on(uuid, lambda domain: domain.reboot(libvirt.VIR_DOMAIN_REBOOT_ACPI_POWER_BTN))

    async def reset(self, uuid: str) -> None:
        """Presses the reset button."""
        await self.on(uuid, lambda domain: domain.reset())

    async def xml(self, uuid: str, inactive: bool = False) -> str:
        """The running document, or with `inactive` the one of the next start. Secrets are left out."""
        flags = libvirt.VIR_DOMAIN_XML_INACTIVE if inactive else 0
        return await self.on(uuid, lambda domain: str(domain.XMLDesc(flags)))

    async def state(self, uuid: str) -> tuple[str, str]:
        """State and reason, words of `words.STATES` and `words.REASONS`."""
        return words.state(*await self.on(uuid, lambda domain: domain.state()))

    async def list(self) -> list[DomainSummary]:
        """All domains, running or not, in three calls whatever their number."""
        return await self._hypervisor.call(_list)

    async def statistics(self) -> Statistics:
        """The figures of all running domains, in one call; the keys are libvirt's ("state.state", "vcpu.0.time")."""
        return await self._hypervisor.call(self._sampling.take)

    async def metadata(self, uuid: str, uri: str, inactive: bool = False) -> str | None:
        """The metadata element of a namespace, if the domain has it."""
        return await self.on(uuid, lambda domain: _metadata(domain, uri, inactive))

    async def set_metadata(self, uuid: str, xml: str | None, prefix: str, uri: str) -> None:
        """Replaces the element in the definition and in the running domain; None removes it."""
        await self.on(uuid, lambda domain: _set_metadata(domain, xml, prefix, uri))

    async def open_console(
        self,
        uuid: str,
        received: Callable[[bytes], None],
        ended: Callable[[], None] = lambda: None,
        device: str | None = None,
    ) -> Console:
        """The text console: `received(bytes)` hears the guest, `console.write(bytes)` types, `ended()` comes once."""
        return await open_console(self._hypervisor, uuid, received, ended, device)

    async def set_shares(self, uuid: str, shares: int) -> None:
        """The weight of a running domain among the others that want the processors; 1024 is usual."""
        await self.on(uuid, lambda domain: domain.setSchedulerParameters({"cpu_shares": shares}))

    async def set_block_threshold(self, uuid: str, target: str, offset: int) -> None:
        """Tells `libvirt.block_threshold` once when the guest makes an image be written beyond `offset`; 0 never."""
        await self.on(uuid, lambda domain: domain.setBlockThreshold(target, offset))

    async def block_sizes(self, uuid: str, target: str) -> tuple[int, int, int]:
        """Bytes of a disk: what the guest sees, how far its image is written, what there is room for."""
        capacity, allocation, physical = await self.on(uuid, lambda domain: domain.blockInfo(target))
        return capacity, allocation, physical

    async def disk_errors(self, uuid: str) -> dict[str, str]:
        """Disks whose last operation failed, by target, with a word of `words.DISK_ERRORS`."""
        found = await self.on(uuid, lambda domain: domain.diskErrors())
        return {target: words.word(words.DISK_ERRORS, number) for target, number in found.items()}

    async def ask(self, function: Callable[[Any], Result], uuid: str = "") -> Result:
        """Runs `function` on libvirt's connection in a thread, for what a domain must not exist for yet."""
        return await self._hypervisor.call(function, uuid=uuid)

    async def on(self, uuid: str, function: Callable[[Any], Result], *, beside: bool = False) -> Result:
        """Runs `function` on libvirt's domain in a thread; `beside`: not behind other calls for the same machine."""
        return await self._hypervisor.call(
            lambda connection: function(connection.lookupByUUIDString(uuid)), uuid=uuid, beside=beside
        )


class Sampling:
    """The bulk call, with what this libvirt turned out not to know. Runs in threads."""

    def __init__(self) -> None:
        self._flags = (
            libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE | libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
        )

    def take(self, connection: Any) -> Statistics:
        """A machine whose QEMU hangs holds up one call. Those after it pass it over: of it they say only what costs no
        question to QEMU, and so they do of one that is busy.
        """
        try:
            found = connection.getAllDomainStats(GROUPS, self._flags)
        except libvirt.libvirtError as problem:
            if not self._flags or problem.get_error_code() not in UNKNOWN_FLAGS:
                raise
            self._flags = 0
            found = connection.getAllDomainStats(GROUPS, 0)
        return {domain.UUIDString(): figures for domain, figures in found}


UNKNOWN_FLAGS = frozenset(
    {libvirt.VIR_ERR_INVALID_ARG, libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED, libvirt.VIR_ERR_NO_SUPPORT}
)


def _start_flags(paused: bool, flags: int) -> int:
    return flags | (libvirt.VIR_DOMAIN_START_PAUSED if paused else 0)


def _create(connection: Any, xml: str, flags: int) -> str:
    domain = connection.defineXML(xml)
    try:
        domain.createWithFlags(flags)
    except libvirt.libvirtError:
        _undefine(domain)
        raise
    return str(domain.UUIDString())


def _undefine(domain: Any) -> None:
    everything = (
        libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
        | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
        | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
        | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
    )
    try:
        domain.undefineFlags(everything)
    except libvirt.libvirtError as problem:
        if problem.get_error_code() not in UNKNOWN_FLAGS:
            raise
        domain.undefine()


def _list(connection: Any) -> list[DomainSummary]:
    persistent = {
        domain.UUIDString() for domain in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_PERSISTENT)
    }
    summaries = []
    for domain, figures in connection.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE, 0):
        state, reason = words.state(figures["state.state"], figures["state.reason"])
        uuid, id = domain.UUIDString(), domain.ID()
        running = None if id < 0 else id
        summaries.append(DomainSummary(uuid, domain.name(), running, state, reason, uuid in persistent))
    return summaries


def _metadata(domain: Any, uri: str, inactive: bool) -> str | None:
    flags = libvirt.VIR_DOMAIN_AFFECT_CONFIG if inactive else libvirt.VIR_DOMAIN_AFFECT_CURRENT
    try:
        return str(domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, uri, flags))
    except libvirt.libvirtError as problem:
        if problem.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN_METADATA:
            return None
        raise


def _set_metadata(domain: Any, xml: str | None, prefix: str, uri: str) -> None:
    flags = (libvirt.VIR_DOMAIN_AFFECT_LIVE if domain.isActive() else 0) | (
        libvirt.VIR_DOMAIN_AFFECT_CONFIG if domain.isPersistent() else 0
    )
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, xml, prefix, uri, flags)
