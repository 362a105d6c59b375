"""What an agent said of its guest: every message leaves its mark here (spec guest-agent 3, 4.1). Pure.

`told` has the members of the statistics under their names on the wire, as far as they were said.
"""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field

from virgate.node.guest.errors import BadMessage
from virgate.node.guest.messages import LONGEST_TEXT, Message, integer, items, text, texts, wire

NOBODY = ("None", "Unknown")


@define
class Report:
    """The guest in the words of its agent."""

    told: dict[str, Any] = field(factory=dict)
    memory: dict[str, str] = field(factory=dict)
    free_mib: int = 0
    """Memory that the guest could still use; 0 when nothing was said lately."""
    mapping: dict[str, str] = field(factory=dict)
    """Names of disks inside the guest, by their serial."""

    @property
    def username(self) -> str:
        return str(self.told.get("username", "Unknown"))

    @property
    def session(self) -> str:
        return str(self.told.get("session", "Unknown"))

    def apply(self, message: Message, now: float) -> bool:
        """Takes a message in; False for one that changes nothing or is not known. Raises `BadMessage`.

        `now` is the time of day.
        """
        note = NOTES.get(message.name)
        return note is not None and note(self, message.arguments, now)

    def tell(self, name: str, value: Any) -> bool:
        if self.told.get(name) == value:
            return False
        self.told[name] = value
        return True

    def rebooted(self, now: float) -> None:
        """Whoever was logged in is not any more (spec guest-agent 4.6)."""
        self.told |= {"lastUser": self.username, "lastLogout": now, "username": "Unknown"}


Note = Callable[[Report, Mapping[str, Any], float], bool]


def _word(name: str, member: str) -> Note:
    def note(report: Report, arguments: Mapping[str, Any], now: float) -> bool:
        return report.tell(member, text(arguments, name))

    return note


def _session(word: str) -> Note:
    def note(report: Report, arguments: Mapping[str, Any], now: float) -> bool:
        return report.tell("session", word)

    return note


def _whole(member: str) -> Note:
    def note(report: Report, arguments: Mapping[str, Any], now: float) -> bool:
        return report.tell(member, wire(dict(arguments)))

    return note


def _heartbeat(report: Report, arguments: Mapping[str, Any], now: float) -> bool:
    free = integer(arguments, "free-ram")
    before = report.free_mib, report.memory
    report.free_mib = max(free, 0)
    figures = arguments.get("memory-stat")
    if isinstance(figures, dict):
        report.memory = {**report.memory, **_figures(figures)}
    return before != (report.free_mib, report.memory)


LARGEST = 1 << 64
MEMORY = frozenset(
    {"mem_total", "mem_unused", "mem_free", "mem_buffers", "mem_cached", "swap_total", "swap_usage"}
    | {"swap_in", "swap_out", "pageflt", "majflt", "minflt"}
)


def _figures(given: Mapping[str, Any]) -> dict[str, str]:
    """Every figure as text: old wires have no integers of 64 bits."""
    found = {}
    for name in MEMORY & given.keys():
        value = given[name]
        if type(value) is int and -LARGEST < value < LARGEST:  # a truth value is no figure
            found[name] = str(value)
        elif isinstance(value, str) and len(value) <= 20 and value.isascii() and value.lstrip("-").isdecimal():
            found[name] = value
    return found


def _interfaces(report: Report, arguments: Mapping[str, Any], now: float) -> bool:
    found = [_interface(one) for one in items(arguments, "interfaces")]
    addresses = " ".join(" ".join(one["inet"]) for one in found).strip()
    return report.tell("netIfaces", found) | report.tell("guestIPs", addresses)


def _interface(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise BadMessage("an interface is no object")
    hardware = given.get("hw")
    return {
        "name": text(given, "name"),
        "hw": hardware[:LONGEST_TEXT] if isinstance(hardware, str) else "",
        "inet": texts(given, "inet"),
        "inet6": texts(given, "inet6"),
    }


def _applications(report: Report, arguments: Mapping[str, Any], now: float) -> bool:
    return report.tell("appsList", [one for one in items(arguments, "applications") if isinstance(one, str)])


def _uninstalled(report: Report, arguments: Mapping[str, Any], now: float) -> bool:
    return report.tell("appsList", [])


def _user(report: Report, arguments: Mapping[str, Any], now: float) -> bool:
    name = text(arguments, "name")
    if name == report.username or (name, report.username) == ("Unknown", "None"):
        return False
    report.told["lastLogin"] = now
    return report.tell("username", name)


def _disks(report: Report, arguments: Mapping[str, Any], now: float) -> bool:
    found = [_disk(one) for one in items(arguments, "disks")]
    mapping = arguments.get("mapping")
    before, report.mapping = report.mapping, _mapping(mapping if isinstance(mapping, dict) else {})
    return report.tell("disksUsage", found) | (before != report.mapping)


def _disk(given: Any) -> dict[str, str]:
    if not isinstance(given, dict):
        raise BadMessage("a disk is no object")
    sizes = {name: str(integer(given, name)) for name in ("total", "used")}
    return {"path": text(given, "path"), "fs": text(given, "fs"), **sizes}


def _mapping(given: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for serial, value in given.items():
        name = value.get("name") if isinstance(value, dict) else None
        if isinstance(name, str) and len(name) <= LONGEST_TEXT and len(serial) <= LONGEST_TEXT:
            found[serial] = name
    return found


def _processors(report: Report, arguments: Mapping[str, Any], now: float) -> bool:
    count = integer(arguments, "count")
    return report.tell("guestCPUCount", count if -1 <= count < 1 << 31 else -1)


def _containers(report: Report, arguments: Mapping[str, Any], now: float) -> bool:
    """Old clients stumble over a container without names."""
    found = [one for one in items(arguments, "list") if isinstance(one, dict)]
    return report.tell("guestContainers", [wire({**one, "names": texts(one, "names")}) for one in found])


NOTES: dict[str, Note] = {
    "heartbeat": _heartbeat,
    "host-name": _word("name", "guestName"),
    "os-version": _word("version", "guestOs"),
    "network-interfaces": _interfaces,
    "fqdn": _word("fqdn", "guestFQDN"),
    "applications": _applications,
    "uninstalled": _uninstalled,
    "active-user": _user,
    "disks-usage": _disks,
    "number-of-cpus": _processors,
    "os-info": _whole("guestOsInfo"),
    "timezone": _whole("guestTimezone"),
    "containers": _containers,
    "session-logon": _session("UserLoggedOn"),
    "session-lock": _session("Locked"),
    "session-unlock": _session("Active"),
    "session-logoff": _session("LoggedOff"),
}
"""What is not here is logged and counts as a sign of life."""
