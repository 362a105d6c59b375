"""The host's capabilities in the words of the wire (spec xmlrpc-host-vm 5.1)."""

import re
from typing import Any

from virgate import __version__
from virgate.node.host import devices, features
from virgate.node.host.cpu import Cpu
from virgate.node.host.hypervisor import Documents, cpu_models, machine_types
from virgate.node.host.identity import OperatingSystem
from virgate.node.host.memory import Memory, Node, read_memory, read_nodes
from virgate.node.host.packages import Packages
from virgate.node.host.report import OVERHEAD_MIB, RESERVED_MIB
from virgate.node.host.tree import Tree

LEVELS = ["3.4", "3.5", "3.6"]
"""Cluster levels, which are also the versions of managers, whose contract is kept."""
ZEROCOPY = (8, 5)
"""The libvirt that can hand a guest's pages to the network as they are."""


def capabilities(
    tree: Tree, *, arch: str, host_id: str, kvm: bool, cpu: Cpu, documents: Documents, packages: Packages,
    system: OperatingSystem,
) -> dict[str, Any]:  # fmt: skip
    """Everything but `hooks`, `lastClient` and `lastClientIface`."""
    return {
        **_processors(arch, cpu, kvm, documents),
        **_memory(read_memory(tree), read_nodes(tree)),
        **_software(system, packages),
        **_features(tree),
        **devices.inventory(tree),
        "uuid": host_id,
        "netConfigDirty": "False",
    }


def _processors(arch: str, cpu: Cpu, kvm: bool, documents: Documents) -> dict[str, Any]:
    models = [f"model_{model}" for model in cpu_models(documents)]
    return {
        "kvmEnabled": _word(kvm),
        "cpuCores": str(cpu.cores),
        "cpuThreads": str(cpu.threads),
        "cpuSockets": str(cpu.sockets),
        "onlineCpus": ",".join(map(str, cpu.online)),
        "cpuSpeed": cpu.speed,
        "cpuModel": cpu.model,
        "cpuFlags": "powernv" if arch.startswith("ppc64") else ",".join([*cpu.flags, *models]),
        "vmTypes": ["kvm"],
        "emulatedMachines": machine_types(documents, arch),
    }


def _memory(memory: Memory, nodes: dict[int, Node]) -> dict[str, Any]:
    return {
        "memSize": str(memory.total >> 10),
        "reservedMem": str(RESERVED_MIB + OVERHEAD_MIB),
        "guestOverhead": str(OVERHEAD_MIB),
        "numaNodes": {
            str(number): {"cpus": list(node.cpus), "totalMemory": str(node.total >> 10)}
            for number, node in nodes.items()
        },
        "numaNodeDistance": {str(number): list(node.distances) for number, node in nodes.items()},
    }


def _software(system: OperatingSystem, packages: Packages) -> dict[str, Any]:
    return {
        "supportedENGINEs": list(LEVELS),
        "clusterLevels": list(LEVELS),
        "version_name": "Virgate",
        "software_version": __version__,
        "software_revision": "0",
        "operatingSystem": {
            "name": system.name,
            "version": system.version,
            "release": system.release,
            "pretty_name": system.pretty_name,
        },
        "packages2": packages,
        "additionalFeatures": [],
        "liveSnapshot": "true",
        "liveMerge": "true",
        "refresh_disk_supported": True,
        "zerocopy_migrations": _at_least(packages, "libvirt", ZEROCOPY),
    }


def _features(tree: Tree) -> dict[str, Any]:
    return {
        "ISCSIInitiatorName": features.iscsi_initiator(tree),
        "HBAInventory": features.adapters(tree),
        "rngSources": features.random_sources(tree),
        "autoNumaBalancing": features.numa_balancing(tree),
        "selinux": {"mode": features.selinux_mode(tree)},
        "kdumpStatus": features.kdump_status(tree),
        "hostdevPassthrough": _word(features.has_iommu(tree)),
    }


def _at_least(packages: Packages, name: str, wanted: tuple[int, ...]) -> bool:
    found = re.findall(r"\d+", str(packages.get(name, {}).get("version", "")))
    return tuple(map(int, found)) >= wanted


def _word(value: bool) -> str:
    return "true" if value else "false"
