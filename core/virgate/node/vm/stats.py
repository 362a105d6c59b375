"""From two samples of the hypervisor to what clients poll (spec xmlrpc-host-vm 4.6). Pure and without parsing.

A sample is the flat mapping of libvirt's bulk statistics (`cpu.time`, `net.0.rx.bytes`, ...) and when it was taken.
What does not change between samples is kept in a `Shape`, so that a thousand machines answer in milliseconds.
"""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

COUNTER = 1 << 32
FAST_MODELS = frozenset({"e1000", "virtio", "pv"})


@frozen
class Sample:
    at: float
    """Monotonic seconds."""
    values: Mapping[str, Any]

    def silent_after(self, before: "Sample") -> bool:
        """Whether QEMU did not answer this time: libvirt then tells what it knows by itself, without counters."""
        told = "block.0.rd.reqs"
        return told in before.values and told not in self.values and bool(self.values.get("block.count"))


@frozen
class Nic:
    name: str
    mac: str
    model: str

    @property
    def speed(self) -> int:
        """Mbit/s, as the old API has always claimed."""
        return 1000 if self.model in FAST_MODELS else 100


@frozen
class Shape:
    """The parts of a running machine that its statistics name: they change with its devices only."""

    members: Mapping[str, Any] = field(factory=dict)
    """Wire members that are the same in every answer."""
    nics: tuple[Nic, ...] = ()
    disks: Mapping[str, Mapping[str, str]] = field(factory=dict)
    """Identity members (imageID, lunGUID) by target name."""
    raw_disks: frozenset[str] = frozenset()
    vcpus: int = 0
    memory_kib: int = 0
    balloon_min_kib: int = 0
    balloon_target_kib: int = 0
    ballooning: bool = False


def sampled(shape: Shape, before: Sample | None, now: Sample | None) -> dict[str, Any]:
    """The members that come from samples; without two of them only what one can tell."""
    if now is None:
        return {"cpuUser": "0.00", "cpuSys": "0.00"}
    values = now.values
    members = _processor(before, now) | _balloon(shape, values)
    if vcpus := values.get("vcpu.current", shape.vcpus):
        members["vcpuCount"] = str(vcpus)
    members["memUsage"] = _memory_usage(shape, values)
    members["vmJobs"] = {}
    if memory := _guest_memory(before, now):
        members["memoryStats"] = memory
    if before is not None and now.at > before.at:
        seconds = now.at - before.at
        members["network"] = _network(shape, before.values, now, seconds)
        members["disks"] = _disks(shape, before.values, values, seconds)
    return members


def _processor(before: Sample | None, now: Sample) -> dict[str, Any]:
    values = now.values
    outside = values.get("cpu.user", 0) + values.get("cpu.system", 0)
    members = {"cpuUser": "0.00", "cpuSys": "0.00", "cpuUsage": str(outside)}
    if before is not None and now.at > before.at and "cpu.time" in values and "cpu.time" in before.values:
        earlier = before.values
        nanoseconds = (now.at - before.at) * 1e9
        system = outside - earlier.get("cpu.user", 0) - earlier.get("cpu.system", 0)
        total = values["cpu.time"] - earlier["cpu.time"]
        members["cpuSys"] = f"{100 * max(system, 0) / nanoseconds:.2f}"
        members["cpuUser"] = f"{100 * max(total - system, 0) / nanoseconds:.2f}"
    return members


def _balloon(shape: Shape, values: Mapping[str, Any]) -> dict[str, Any]:
    if not shape.ballooning or "balloon.current" not in values:
        return {}
    most = values.get("balloon.maximum", shape.memory_kib)
    figures = {
        "balloon_max": str(most),
        "balloon_min": str(shape.balloon_min_kib),
        "balloon_cur": str(values["balloon.current"]),
        "balloon_target": str(shape.balloon_target_kib or most),
    }
    return {"balloonInfo": figures}


def _memory_usage(shape: Shape, values: Mapping[str, Any]) -> str:
    free = values.get("balloon.usable", values.get("balloon.unused"))
    if free is None or not shape.memory_kib:
        return "0"
    return str(int(100 - min(free, shape.memory_kib) / shape.memory_kib * 100))


RATES = {"swap_in": "swap_in", "swap_out": "swap_out", "majflt": "major_fault", "minflt": "minor_fault"}


def _guest_memory(before: Sample | None, now: Sample) -> dict[str, str]:
    """The guest's memory by its balloon driver, as memory policies read it (spec guest-agent 4.3): KiB, per second."""
    values = now.values
    if "balloon.available" not in values or "balloon.unused" not in values:
        return {}
    unused = values["balloon.unused"]
    memory = {
        "mem_total": str(values["balloon.available"]),
        "mem_unused": str(unused),
        "mem_free": str(unused + values.get("balloon.disk_caches", 0)),
    }
    if before is None or now.at <= before.at or not all(f"balloon.{name}" in values for name in RATES.values()):
        return memory
    rates = {}
    for shown, name in RATES.items():
        told = values[f"balloon.{name}"]
        rates[shown] = round(max(told - before.values.get(f"balloon.{name}", told), 0) / (now.at - before.at))
    rates["pageflt"] = rates["majflt"] + rates["minflt"]
    return memory | {name: str(rate) for name, rate in rates.items()}


def _network(shape: Shape, earlier: Mapping[str, Any], now: Sample, seconds: float) -> dict[str, Any]:
    values = now.values
    places, before = _places(values, "net"), _places(earlier, "net")
    found: dict[str, Any] = {}
    for nic in shape.nics:
        here, there = places.get(nic.name), before.get(nic.name)
        if here is None or there is None:
            continue
        rates = {}
        for way in ("rx", "tx"):
            moved = values.get(f"{here}{way}.bytes", 0) - earlier.get(f"{there}{way}.bytes", 0)
            rates[way] = (moved if moved >= 0 else moved % COUNTER) * 8 / seconds / (nic.speed * 1e6) * 100
        found[nic.name] = {
            "name": nic.name,
            "macAddr": nic.mac,
            "speed": str(nic.speed),
            "state": "unknown",
            "rxErrors": str(values.get(f"{here}rx.errs", 0)),
            "rxDropped": str(values.get(f"{here}rx.drop", 0)),
            "txErrors": str(values.get(f"{here}tx.errs", 0)),
            "txDropped": str(values.get(f"{here}tx.drop", 0)),
            "rx": str(values.get(f"{here}rx.bytes", 0)),
            "tx": str(values.get(f"{here}tx.bytes", 0)),
            "rxRate": f"{rates['rx']:.1f}",
            "txRate": f"{rates['tx']:.1f}",
            "sampleTime": now.at,
        }
    return found


def _places(values: Mapping[str, Any], kind: str) -> dict[str, str]:
    """The prefix of each device's counters by its name; of a chain of images the topmost."""
    places: dict[str, str] = {}
    for number in range(values.get(f"{kind}.count", 0)):
        places.setdefault(str(values.get(f"{kind}.{number}.name")), f"{kind}.{number}.")
    return places


def _disks(shape: Shape, earlier: Mapping[str, Any], values: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    before = _places(earlier, "block")
    found: dict[str, Any] = {}
    for name, here in _places(values, "block").items():
        there = before.get(name)
        if there is None:
            continue
        now = {what: values.get(here + what, 0) for what in COUNTED}
        change = {what: max(now[what] - earlier.get(there + what, 0), 0) for what in COUNTED}
        found[name] = {
            **_sizes(values, here, raw=name in shape.raw_disks),
            "readLatency": _latency(change, "rd"),
            "writeLatency": _latency(change, "wr"),
            "flushLatency": _latency(change, "fl"),
            "readRate": str(change["rd.bytes"] / seconds),
            "writeRate": str(change["wr.bytes"] / seconds),
            "readOps": str(now["rd.reqs"]),
            "writeOps": str(now["wr.reqs"]),
            "readBytes": str(now["rd.bytes"]),
            "writtenBytes": str(now["wr.bytes"]),
            **shape.disks.get(name, {}),
        }
    return found


def _sizes(values: Mapping[str, Any], here: str, *, raw: bool) -> dict[str, str]:
    """What the image takes on storage and how far it reaches, which differ for sparse files.

    libvirt calls the first one physical; the reach of a raw image is its capacity, that of others what was written.
    """
    taken = values.get(f"{here}physical", 0)
    reach = values.get(f"{here}capacity" if raw else f"{here}allocation", 0)
    return {"truesize": str(taken), "apparentsize": str(max(taken, reach))}


COUNTED = ("rd.reqs", "rd.bytes", "rd.times", "wr.reqs", "wr.bytes", "wr.times", "fl.reqs", "fl.times")


def _latency(change: Mapping[str, int], kind: str) -> str:
    operations = change[f"{kind}.reqs"]
    return str(change[f"{kind}.times"] // operations) if operations else "0"
