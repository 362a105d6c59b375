"""The host's statistics in the words of the wire (spec xmlrpc-host-vm 5.2)."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from virgate.node.host import devices, features, rates
from virgate.node.host.memory import read_memory, read_nodes
from virgate.node.host.report import RESERVED_MIB, MachinesReport
from virgate.node.host.sample import Jiffies, Sample
from virgate.node.host.tree import Tree


def statistics(
    tree: Tree, samples: Sequence[Sample], machines: MachinesReport, domains: Mapping[str, Any], folders: Sequence[Path]
) -> dict[str, Any]:
    """Everything but `elapsedTime` and `generationID`. What needs two samples is absent before there are two."""
    found = {
        "cpuUser": "0.00",
        "cpuSys": "0.00",
        "cpuIdle": "100.00",
        "rxRate": "0.00",
        "txRate": "0.00",
        "cpuLoad": [*tree.text("proc/loadavg").split(), "0.00", "0.00"][1],
        "dateTime": time.strftime("%Y-%m-%dT%H:%M:%S GMT", time.gmtime()),
        "momStatus": "inactive",
        "netConfigDirty": "False",
        "storageDomains": dict(domains),
        "haStats": {
            "configured": False,
            "active": False,
            "score": 0,
            "globalMaintenance": False,
            "localMaintenance": False,
        },
        **_machines(machines),
        **_memory(tree, machines),
        **features.same_page_merging(tree),
    }
    if len(samples) > 1:
        found |= _sampled(tree, samples[0], samples[-1], folders)
    return found


def _machines(machines: MachinesReport) -> dict[str, Any]:
    return {
        "vmCount": machines.count,
        "vmActive": machines.active,
        "vmMigrating": machines.incoming + machines.outgoing,
        "incomingVmMigrations": machines.incoming,
        "outgoingVmMigrations": machines.outgoing,
    }


def _memory(tree: Tree, machines: MachinesReport) -> dict[str, Any]:
    memory = read_memory(tree)
    return {
        "memUsed": str(memory.used_percent),
        "memFree": memory.available_mib,
        "memCommitted": machines.committed,
        "memAvailable": memory.available_mib + machines.resident - machines.committed - RESERVED_MIB,
        "swapTotal": memory.swap_total >> 10,
        "swapFree": memory.swap_free >> 10,
        "anonHugePages": str(memory.huge >> 10),
    }


def _sampled(tree: Tree, first: Sample, last: Sample, folders: Sequence[Path]) -> dict[str, Any]:
    seconds = last.time - first.time
    own = rates.load(first.own, last.own, seconds)
    nodes = read_nodes(tree)
    node_of = {cpu: number for number, node in nodes.items() for cpu in node.cpus}
    return {
        **rates.load(first.cpu, last.cpu, seconds, max(1, len(last.cpus))).wire(),
        **_network(tree, first, last),
        "cpuUserVdsmd": f"{own.user:.2f}",
        "cpuSysVdsmd": f"{own.system:.2f}",
        "cpuStatistics": {
            str(cpu): {
                "nodeIndex": node_of.get(cpu, 0),
                **rates.load(first.cpus.get(cpu, Jiffies()), jiffies, seconds).wire(),
            }
            for cpu, jiffies in last.cpus.items()
        },
        "numaNodeMemFree": {
            str(number): {"memFree": str(node.free >> 10), "memPercent": node.used_percent}
            for number, node in nodes.items()
        },
        "thpState": features.transparent_huge_pages(tree),
        "bootTime": next((line.split()[1] for line in tree.lines("proc/stat") if line.startswith("btime ")), "0"),
        "diskStats": {str(folder): {"free": _free_mib(folder)} for folder in folders},
    }


def _network(tree: Tree, first: Sample, last: Sample) -> dict[str, Any]:
    seconds = last.time - first.time
    found: dict[str, Any] = {}
    for name in rates.devices_in_both(first, last):
        before, after = first.devices[name], last.devices[name]
        speed, up = devices.speed(tree, name), devices.is_up(tree, name)
        found[name] = rates.device_figures(name, before, after, seconds, speed, up) | {"sampleTime": last.time}
    counted = [last.devices[name] for name in found if name != "lo"]
    return {
        "network": found,
        "rxRate": f"{_total(found, 'rxRate'):.2f}",
        "txRate": f"{_total(found, 'txRate'):.2f}",
        "rxDropped": str(sum(each.rx_dropped for each in counted)),
        "txDropped": str(sum(each.tx_dropped for each in counted)),
    }


def _total(network: Mapping[str, Any], key: str) -> float:
    """The mean over devices that are up, loopback not counted: 100 means that every link is full."""
    busy = [float(each[key]) for name, each in network.items() if each["state"] == "up" and name != "lo"]
    return sum(busy) / len(busy) if busy else 0.0


def _free_mib(folder: Path) -> str:
    try:
        found = os.statvfs(folder)
    except OSError:
        return "0"
    return str(found.f_bavail * found.f_frsize >> 20)
