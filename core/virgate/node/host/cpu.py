"""The processors: model, features, topology, and whether they can run guests by themselves."""

from typing import Literal

from attrs import frozen

from virgate.node.host.tree import Tree, number_list

VirtType = Literal["kvm", "qemu"]


@frozen
class Cpu:
    """All processors of the host together."""

    model: str
    flags: tuple[str, ...]
    speed: str
    """MHz, as the kernel writes it."""
    online: tuple[int, ...]
    sockets: int
    cores: int
    threads: int


def read_cpu(tree: Tree) -> Cpu:
    first: dict[str, str] = {}
    for line in tree.lines("proc/cpuinfo"):
        name, colon, value = line.partition(":")
        if colon:
            first.setdefault(name.strip(), value.strip())
    folder = "sys/devices/system/cpu"
    online = tuple(number_list(tree.text(f"{folder}/online"))) or (0,)
    sockets = {tree.text(f"{folder}/cpu{cpu}/topology/physical_package_id") for cpu in online}
    cores = {tree.text(f"{folder}/cpu{cpu}/topology/thread_siblings_list") or str(cpu) for cpu in online}
    return Cpu(
        model=first.get("model name") or first.get("cpu") or "",
        flags=tuple((first.get("flags") or first.get("Features") or "").split()),
        speed=first.get("cpu MHz") or first.get("clock", "").removesuffix("MHz") or _frequency(tree),
        online=online,
        sockets=len(sockets),
        cores=len(cores),
        threads=len(online),
    )


def _frequency(tree: Tree) -> str:
    return f"{tree.number('sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq') / 1000:.3f}"


def can_use_kvm(arch: str, flags: tuple[str, ...], device_opens: bool) -> bool:
    """On x86 the device alone proves nothing: there are hosts where it opens and guests hang."""
    if arch in ("x86_64", "i686"):
        return device_opens and ("vmx" in flags or "svm" in flags)
    return device_opens


def chosen_virt_type(setting: str, kvm: bool) -> VirtType:
    """The domain type of new machines: what the setting says, or for `auto` kvm where it is really usable."""
    if setting == "auto":
        return "kvm" if kvm else "qemu"
    return "kvm" if setting == "kvm" else "qemu"
