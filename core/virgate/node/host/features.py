"""What the kernel and the machine offer beside processors and memory."""

from typing import Any

from virgate.node.host.tree import Tree


def random_sources(tree: Tree) -> list[str]:
    return [name for name, device in (("random", "dev/random"), ("hwrng", "dev/hwrng")) if tree.exists(device)]


def numa_balancing(tree: Tree) -> int:
    """0 off, 1 on, 2 unknown."""
    value = tree.number("proc/sys/kernel/numa_balancing", -1)
    return 2 if value < 0 else min(value, 1)


def selinux_mode(tree: Tree) -> str:
    """-1 disabled, 0 permissive, 1 enforcing."""
    return tree.text("sys/fs/selinux/enforce") or "-1"


def kdump_status(tree: Tree) -> int:
    """-1 unknown, 0 disabled, 1 a crash kernel is loaded and fence_kdump is set up."""
    loaded = tree.number("sys/kernel/kexec_crash_loaded", -1)
    if loaded < 0:
        return -1
    names_peers = any(line.split()[:1] == ["fence_kdump_nodes"] for line in tree.lines("etc/kdump.conf"))
    return int(bool(loaded) and names_peers)


def has_iommu(tree: Tree) -> bool:
    return bool(tree.names("sys/kernel/iommu_groups"))


def iscsi_initiator(tree: Tree) -> str:
    for line in tree.lines("etc/iscsi/initiatorname.iscsi"):
        name, _, value = line.partition("=")
        if name.strip() == "InitiatorName":
            return value.strip()
    return ""


def adapters(tree: Tree) -> dict[str, list[dict[str, str]]]:
    """Host bus adapters; managers look into both lists without asking whether they are there."""
    initiator = iscsi_initiator(tree)
    channels = [_fibre_channel(tree, f"sys/class/fc_host/{name}") for name in tree.names("sys/class/fc_host")]
    return {"iSCSI": [{"InitiatorName": initiator}] if initiator else [], "FC": channels}


def _fibre_channel(tree: Tree, folder: str) -> dict[str, str]:
    model = tree.text(f"{folder}/symbolic_name").partition(" ")[0]
    return {
        "wwpn": tree.text(f"{folder}/port_name").removeprefix("0x"),
        "wwnn": tree.text(f"{folder}/node_name").removeprefix("0x"),
        "model": model,
    }


def same_page_merging(tree: Tree) -> dict[str, Any]:
    """The state of KSM in the members of the host's statistics; empty where the kernel has none."""
    folder = "sys/kernel/mm/ksm"
    if not tree.exists(f"{folder}/run"):
        return {}
    return {
        "ksmState": tree.number(f"{folder}/run") == 1,
        "ksmPages": tree.number(f"{folder}/pages_to_scan"),
        "ksmMergeAcrossNodes": bool(tree.number(f"{folder}/merge_across_nodes", 1)),
        "memShared": tree.number(f"{folder}/pages_sharing") * 4 >> 10,
        "ksmCpu": 0,
    }


def transparent_huge_pages(tree: Tree) -> str:
    """always, madvise or never: the word in brackets."""
    return tree.text("sys/kernel/mm/transparent_hugepage/enabled").partition("[")[2].partition("]")[0] or "never"
