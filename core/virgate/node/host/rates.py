"""Figures made of two readings. Pure; the strings are formed as clients expect them (spec xmlrpc-host-vm 1.5, 5.2)."""

import os
from typing import Any

from attrs import frozen

from virgate.node.host.sample import Counters, Jiffies, Sample

HERTZ = os.sysconf("SC_CLK_TCK")
DEFAULT_SPEED = 1000
_WRAP = 1 << 32


def stat_text(value: Any) -> Any:
    """A figure as a string: floats with two decimals, integers as they are, everything else unchanged."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def share(before: int, after: int, seconds: float, processors: int = 1) -> float:
    """Per cent of the processors' time that so many jiffies are."""
    if seconds <= 0:
        return 0.0
    return 100.0 * max(0, after - before) / HERTZ / seconds / processors


def rate(before: int, after: int, seconds: float, speed: int) -> float:
    """Per cent of a link's speed (Mbit/s) that so many bytes are, at most 100. Counters of 32 bits may wrap once."""
    if seconds <= 0:
        return 0.0
    return min(100.0, 100.0 * ((after - before) % _WRAP) / seconds / (speed or DEFAULT_SPEED) / 125000)


@frozen
class Load:
    """Shares of processor time, in per cent."""

    user: float = 0.0
    system: float = 0.0

    @property
    def idle(self) -> float:
        return max(0.0, 100.0 - self.user - self.system)

    def wire(self) -> dict[str, str]:
        return {"cpuUser": f"{self.user:.2f}", "cpuSys": f"{self.system:.2f}", "cpuIdle": f"{self.idle:.2f}"}


def load(before: Jiffies, after: Jiffies, seconds: float, processors: int = 1) -> Load:
    return Load(
        share(before.user, after.user, seconds, processors), share(before.system, after.system, seconds, processors)
    )


def device_figures(
    name: str, before: Counters, after: Counters, seconds: float, speed: int, up: bool
) -> dict[str, Any]:
    """One entry of `network`, without `sampleTime`."""
    return {
        "name": name,
        "speed": str(speed or DEFAULT_SPEED),
        "state": "up" if up else "down",
        "rx": str(after.rx),
        "tx": str(after.tx),
        "rxErrors": str(after.rx_errors),
        "txErrors": str(after.tx_errors),
        "rxDropped": str(after.rx_dropped),
        "txDropped": str(after.tx_dropped),
        "rxRate": f"{rate(before.rx, after.rx, seconds, speed):.1f}",
        "txRate": f"{rate(before.tx, after.tx, seconds, speed):.1f}",
    }


def devices_in_both(first: Sample, last: Sample) -> list[str]:
    return sorted(first.devices.keys() & last.devices.keys())
