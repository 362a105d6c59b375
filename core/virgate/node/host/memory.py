"""Memory of the host and of its NUMA nodes. Sizes are KiB, as the kernel writes them, unless a name says MiB."""

from collections.abc import Iterable

from attrs import frozen

from virgate.node.host.tree import Tree, number_list

NODES = "sys/devices/system/node"


@frozen
class Memory:
    total: int = 0
    free: int = 0
    cached: int = 0
    buffers: int = 0
    swap_total: int = 0
    swap_free: int = 0
    huge: int = 0

    @property
    def available_mib(self) -> int:
        """What the kernel could give at once: free, cached and buffers."""
        return (self.free + self.cached + self.buffers) >> 10

    @property
    def used_percent(self) -> int:
        return 100 - int(100 * (self.free + self.cached + self.buffers) / self.total) if self.total else 0


def read_memory(tree: Tree) -> Memory:
    found = _fields(tree.lines("proc/meminfo"))
    return Memory(
        total=found.get("MemTotal", 0),
        free=found.get("MemFree", 0),
        cached=found.get("Cached", 0),
        buffers=found.get("Buffers", 0),
        swap_total=found.get("SwapTotal", 0),
        swap_free=found.get("SwapFree", 0),
        huge=found.get("AnonHugePages", 0),
    )


@frozen
class Node:
    """One NUMA node."""

    cpus: tuple[int, ...]
    total: int
    free: int
    distances: tuple[int, ...]

    @property
    def used_percent(self) -> int:
        return 100 - int(100 * self.free / self.total) if self.total else 0


def read_nodes(tree: Tree) -> dict[int, Node]:
    return {number: _node(tree, f"{NODES}/node{number}") for number in number_list(tree.text(f"{NODES}/online"))}


def _node(tree: Tree, folder: str) -> Node:
    lines = [line.split(maxsplit=2)[-1] for line in tree.lines(f"{folder}/meminfo")]  # "Node 0 MemTotal: 24 kB"
    memory = _fields(lines)
    return Node(
        cpus=tuple(number_list(tree.text(f"{folder}/cpulist"))),
        total=memory.get("MemTotal", 0),
        free=memory.get("MemFree", 0),
        distances=tuple(int(word) for word in tree.text(f"{folder}/distance").split() if word.isdigit()),
    )


def _fields(lines: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in lines:
        name, _, rest = line.partition(":")
        value = rest.split()[:1]
        if value and value[0].isdigit():
            found[name] = int(value[0])
    return found
