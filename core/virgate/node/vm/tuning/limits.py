"""Limits of a disk's input and output: six numbers, 0 for none (spec xmlrpc-host-vm 2.8)."""

from collections.abc import Mapping
from typing import Any

from virgate.domxml.devices.tune import LIMITS, UNITS

Limits = dict[str, int]


class BadLimits(ValueError):
    """The text says which limit is wrong, and why."""


def number(name: str, value: Any) -> int:
    """A limit as a client sends it, number or decimal text; negative means none in a policy."""
    if name not in LIMITS:
        raise BadLimits(f"no limit is called {name}; there are {', '.join(LIMITS)}")
    try:
        if isinstance(value, bool):
            raise ValueError
        return int(str(value).strip())
    except ValueError:
        raise BadLimits(f"{name} is no number: {value!r}") from None


def merged(current: Mapping[str, int], wanted: Mapping[str, Any]) -> Limits:
    """What is in force with what shall be over it, all six. `BadLimits` for what no disk can have."""
    result = {name: current.get(name, 0) for name in LIMITS}
    for name, value in wanted.items():
        result[str(name)] = number(str(name), value)
        if result[str(name)] < 0:
            raise BadLimits(f"{name} must be a number from 0, not {value!r}")
    for unit in UNITS:
        if result[f"total_{unit}"] and (result[f"read_{unit}"] or result[f"write_{unit}"]):
            raise BadLimits(f"total_{unit} excludes read_{unit} and write_{unit}")
    return result
