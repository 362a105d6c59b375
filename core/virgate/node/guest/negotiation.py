"""The version that host and guest have in common is the whole negotiation (spec guest-agent 2). Pure."""

from collections.abc import Mapping
from typing import Any

OURS = 3
"""3 brings containers, life-cycle events and completions; 2 the system and the time zone; 1 the number of CPUs."""

NEEDED = {"set-number-of-cpus": 1, "lifecycle-event": 3}
"""What older agents do not know."""


def common(said: object) -> int:
    """The highest version that both know; 0 for what is no number."""
    try:
        number = int(said)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return 0
    return int(max(0, min(number, OURS)))


def negotiate(effective: int, heartbeat: Mapping[str, Any]) -> tuple[int, bool]:
    """The version from now on, and whether the guest has to be told of it."""
    if "apiVersion" not in heartbeat:
        return 0, False
    found = common(heartbeat["apiVersion"])
    return found, found not in (effective, 0)
