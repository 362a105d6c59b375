"""`<iotune>` of a disk and `<bandwidth>` of a nic."""

from collections.abc import Mapping
from typing import Any

from virgate.domxml.errors import BadDevice
from virgate.domxml.tree import Element, attributes, build, children, element

UNITS = ("bytes_sec", "iops_sec")
LIMITS = tuple(f"{scope}_{unit}" for unit in UNITS for scope in ("total", "read", "write"))


def iotune(limits: object) -> Element | None:
    """Limits of a disk; a total excludes read and write of the same unit. None without limits; 0 is no limit."""
    if not limits:
        return None
    if not isinstance(limits, dict):
        raise BadDevice("disk", f"not limits: {limits!r}")
    values = {str(name): _limit(str(name), value) for name, value in limits.items()}
    for unit in UNITS:
        parts = values.get(f"read_{unit}") or values.get(f"write_{unit}")
        if values.get(f"total_{unit}") and parts:
            raise BadDevice("disk", f"total_{unit} excludes read_{unit} and write_{unit}")
    # libvirt's schema takes a total beside its parts for a contradiction even when it is 0.
    told = [element(name, text=value) for name, value in values.items() if value]
    return element("iotune", *told) if told else None


def _limit(name: str, value: object) -> int:
    if name not in LIMITS:
        raise BadDevice("disk", f"no limit is called {name}")
    try:
        limit = int(str(value))
    except ValueError:
        limit = -1
    if limit < 0:
        raise BadDevice("disk", f"{name} must be a number from 0, not {value!r}")
    return limit


def read_iotune(found: Element | None) -> dict[str, str]:
    """Limits of the kinds that clients set; those that are 0 are none."""
    told = {str(one.tag): (one.text or "").strip() for one in children(found)}
    return {name: limit for name, limit in told.items() if name in LIMITS and limit != "0"}


def bandwidth(limits: Mapping[str, Any]) -> Element | None:
    """Inbound and outbound average, peak (KiB/s) and burst (KiB) of a nic. None without limits."""
    ways = []
    for way in ("inbound", "outbound"):
        given = limits.get(way)
        if isinstance(given, dict) and given:
            ways.append(build(way, {name: given.get(name) for name in ("average", "peak", "burst")}))
    return element("bandwidth", *ways) if ways else None


def read_bandwidth(found: Element | None) -> dict[str, dict[str, str]]:
    return {str(way.tag): attributes(way) for way in children(found) if way.tag in ("inbound", "outbound")}
