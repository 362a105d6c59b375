"""Facts of the host as libvirt tells them. Documents are answered as text; whoever wants them takes them apart."""

from typing import Any

import libvirt
from attrs import frozen

from virgate.libvirt.connection import Hypervisor
from virgate.units import Size


@frozen
class NodeInfo:
    """The processor and memory layout. The product of the four numbers counts threads, even those that are offline."""

    model: str
    memory: Size
    cpus: int
    mhz: int
    numa_nodes: int
    sockets: int
    cores: int
    threads: int


@frozen
class Versions:
    """Of libvirtd and of the emulator behind it, as (major, minor, release)."""

    libvirt: tuple[int, int, int]
    emulator: tuple[int, int, int]


class HypervisorHost:
    """Questions about the host, not about machines."""

    def __init__(self, hypervisor: Hypervisor) -> None:
        self._hypervisor = hypervisor

    async def capabilities(self) -> str:
        """The <capabilities> document. The first time it costs libvirt seconds: it probes every emulator."""
        return await self._hypervisor.call(lambda connection: str(connection.getCapabilities()))

    async def domain_capabilities(
        self, arch: str | None = None, virt_type: str | None = None, machine: str | None = None
    ) -> str:
        """The <domainCapabilities> document of one kind of machine; None: libvirt's own choice."""
        return await self._hypervisor.call(
            lambda connection: str(connection.getDomainCapabilities(None, arch, machine, virt_type, 0))
        )

    async def node_info(self) -> NodeInfo:
        model, mebibytes, *counts = await self._hypervisor.call(lambda connection: connection.getInfo())
        return NodeInfo(str(model), Size.mib(mebibytes), *counts)

    async def system_information(self) -> str | None:
        """The <sysinfo> document (SMBIOS); None where the machine has none."""
        return await self._hypervisor.call(_system_information)

    async def memory_statistics(self) -> dict[str, Size]:
        """total, free, buffers, cached; fewer if libvirt says fewer."""
        found = await self._hypervisor.call(
            lambda connection: connection.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS, 0)
        )
        return {name: Size.kib(count) for name, count in found.items()}

    async def cpu_statistics(self) -> dict[str, int]:
        """Nanoseconds since the start of the host, all processors together: user, kernel, idle, iowait."""
        return await self._hypervisor.call(
            lambda connection: dict(connection.getCPUStats(libvirt.VIR_NODE_CPU_STATS_ALL_CPUS, 0))
        )

    async def cpu_models(self, arch: str) -> list[str]:
        """Names of processor models that libvirt knows for an architecture."""
        return await self._hypervisor.call(lambda connection: [str(name) for name in connection.getCPUModelNames(arch)])

    async def versions(self) -> Versions:
        ours, emulator = await self._hypervisor.call(
            lambda connection: (connection.getLibVersion(), connection.getVersion())
        )
        return Versions(_version(ours), _version(emulator))

    async def hostname(self) -> str:
        return await self._hypervisor.call(lambda connection: str(connection.getHostname()))


def _version(number: int) -> tuple[int, int, int]:
    return number // 1_000_000, number // 1_000 % 1_000, number % 1_000


NOT_HERE = frozenset(
    {libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_ERR_OPERATION_UNSUPPORTED, libvirt.VIR_ERR_CONFIG_UNSUPPORTED}
)


def _system_information(connection: Any) -> str | None:
    try:
        return str(connection.getSysinfo())
    except libvirt.libvirtError as problem:
        if problem.get_error_code() in NOT_HERE:
            return None
        raise
