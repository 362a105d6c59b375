"""How long the guest may stand still, growing while a move does not converge (spec migration 6.2). Pure."""

from typing import Any

LAST_CALL = 42
"""Iterations after which the largest downtime is set once more; then the move is given up."""


def steps(most: int, number: int) -> list[int]:
    """Milliseconds of each step, the last one about `most`."""
    if number <= 1:
        return [most]
    offset = most / number
    base = (most - offset) ** (1 / (number - 1))
    return [int(offset + base**step) for step in range(number)]


def schedule(most: int, number: int) -> dict[str, Any]:
    """A convergence schedule that does what hosts did before there were schedules."""
    first, *others = steps(most, number)
    last = others[-1] if others else first
    stalling = [_entry(limit, value) for limit, value in enumerate(others, start=1)]
    stalling += [_entry(LAST_CALL, last), {"limit": -1, "action": {"name": "abort", "params": []}}]
    return {"init": [_set(first)], "stalling": stalling}


def _entry(limit: int, value: int) -> dict[str, Any]:
    return {"limit": limit, "action": _set(value)}


def _set(value: int) -> dict[str, Any]:
    return {"name": "setDowntime", "params": [str(value)]}
