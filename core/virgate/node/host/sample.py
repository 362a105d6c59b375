"""One reading of the counters that statistics are made from."""

from typing import Any

from attrs import field, frozen

from virgate.node.host.tree import Tree


@frozen
class Jiffies:
    """Time one or all processors spent: `user` includes nice, in hundredths of a second since boot."""

    user: int = 0
    system: int = 0


@frozen
class Counters:
    """What a network device counted since it exists."""

    rx: int = 0
    tx: int = 0
    rx_errors: int = 0
    tx_errors: int = 0
    rx_dropped: int = 0
    tx_dropped: int = 0


@frozen
class Sample:
    """`time` is the reactor's, in seconds."""

    time: float
    cpu: Jiffies = Jiffies()
    cpus: dict[int, Jiffies] = field(factory=dict)
    own: Jiffies = Jiffies()
    devices: dict[str, Counters] = field(factory=dict)


def read_sample(tree: Tree, time: float) -> Sample:
    whole, single = Jiffies(), {}
    for line in tree.lines("proc/stat"):
        name, *fields = line.split()
        if name == "cpu":
            whole = _jiffies(fields)
        elif name.startswith("cpu"):
            single[int(name[3:])] = _jiffies(fields)
        else:
            break
    return Sample(time, whole, single, _own(tree), _devices(tree))


def _jiffies(fields: list[str]) -> Jiffies:
    user, nice, system = (int(each) for each in fields[:3])
    return Jiffies(user + nice, system)


def _own(tree: Tree) -> Jiffies:
    fields = tree.text("proc/self/stat").rpartition(")")[2].split()
    return Jiffies(int(fields[11]), int(fields[12])) if len(fields) > 12 else Jiffies()


def _devices(tree: Tree) -> dict[str, Counters]:
    found: dict[str, Any] = {}
    for line in tree.lines("proc/net/dev")[2:]:
        name, _, rest = line.partition(":")
        numbers = [int(word) for word in rest.split()]
        found[name.strip()] = Counters(numbers[0], numbers[8], numbers[2], numbers[10], numbers[3], numbers[11])
    return found
