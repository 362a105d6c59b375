"""From what both agents said to what clients poll (spec guest-agent 4.2, 10.5). Pure."""

import re
from collections.abc import Mapping
from typing import Any

from virgate.node.guest.report import Report

UNSAID: dict[str, Any] = {
    "username": "Unknown",
    "session": "Unknown",
    "guestCPUCount": -1,
    "appsList": [],
    "guestIPs": "",
    "guestFQDN": "",
}
KEPT = ("appsList", "guestIPs", "guestFQDN")
"""What is still told of a guest whose agent is silent."""
NESTED = (dict, list)
KNOWN_BY_QEMU = re.compile(r"qemu[ -](guest[ -]agent|ga)\b|kernel-", re.IGNORECASE)
"""Applications that the QEMU agent tells better."""


def said(report: Report, *, responsive: bool) -> dict[str, Any]:
    """The members by the oVirt agent. Silence hides them and does not erase them."""
    if not responsive:
        return {**UNSAID, **{name: report.told[name] for name in KEPT if name in report.told}}
    return {**UNSAID, "netIfaces": [], "disksUsage": [], **report.told, "memoryStats": report.memory}


def with_qemu(found: dict[str, Any], by_qemu: Mapping[str, Any]) -> dict[str, Any]:
    """What the QEMU agent says wins, member by member; of the applications each tells its own."""
    if not by_qemu:
        return found
    both = {**found, **by_qemu}
    if "appsList" in by_qemu:
        others = [one for one in found["appsList"] if not KNOWN_BY_QEMU.match(one)]
        both["appsList"] = [*by_qemu["appsList"], *others]
    return both


def usage(free_mib: int, memory_mib: int) -> str:
    """Per cent of the memory in use as the guest sees it; "0" when it said nothing."""
    if not free_mib or not memory_mib:
        return "0"
    return str(int(100 - free_mib / memory_mib * 100))


def copied(value: Any) -> Any:
    """The value anew, because hooks change what they are given."""
    if isinstance(value, dict):
        return {name: copied(one) if isinstance(one, NESTED) else one for name, one in value.items()}
    if isinstance(value, list):
        return [copied(one) if isinstance(one, NESTED) else one for one in value]
    return value
