"""What commands of the host come down to. Pure; and wary: a host is trusted less than the guest's own root."""

import struct

from virgate_guest.wire import NOT_IN_XML

GOING_DOWN = "System is going down"
LONGEST_MESSAGE = 1024
LONGEST_NAME = 1024
LONGEST_DELAY = 7 * 86400

EVENTS = ("before_migration", "after_migration", "before_hibernation", "after_hibernation")
"""Types of lifecycle events, and the names of their hook folders."""


class Refused(ValueError):
    """A command that makes no sense; nothing is done."""


def seconds(value: object) -> int:
    """A delay; 0 for what is none."""
    try:
        return max(0, min(int(value), LONGEST_DELAY))  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError, OverflowError):
        return 0


def message(value: object) -> str:
    """One line that a terminal shows as it is."""
    if not isinstance(value, str) or not value.strip():
        return GOING_DOWN
    return " ".join(NOT_IN_XML.sub(" ", value).split())[:LONGEST_MESSAGE]


def is_reboot(value: object) -> bool:
    """Hosts send words; the JSON boolean is no reboot, as agents have always taken it."""
    return isinstance(value, str) and value.strip().lower() == "true"


def shutdown(arguments: "dict[str, object]") -> "list[str]":
    """Arguments of the program `shutdown`, which counts in minutes. The message keeps its quotes: it is no option."""
    way = "-r" if is_reboot(arguments.get("reboot")) else "-h"
    minutes = (seconds(arguments.get("timeout")) + 59) // 60
    return [way, f"+{minutes}", '"{}"'.format(message(arguments.get("message")))]


def sleep_state(arguments: "dict[str, object]") -> str:
    """`disk` or `mem`. Raises Refused."""
    state = arguments.get("state", "disk")
    if state not in ("disk", "mem"):
        raise Refused("hibernate: no such state")
    return str(state)


def processors(arguments: "dict[str, object]") -> int:
    """Raises Refused."""
    try:
        wanted = int(arguments.get("count", 0))  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        wanted = 0
    if not 0 < wanted <= 65536:
        raise Refused("set-number-of-cpus: no such number")
    return int(wanted)


def credentials(arguments: "dict[str, object]") -> bytes:
    """A login as one block: length of the name, name, password, NUL (spec guest-agent 6.7). Raises Refused."""
    found = []
    for key in ("username", "password"):
        value = arguments.get(key)
        if not isinstance(value, str) or "\0" in value or len(value) > LONGEST_NAME:
            raise Refused(f"login: no {key}")
        found.append(value.encode("utf-8", "replace"))
    name, password = found
    if not name:
        raise Refused("login: no username")
    return struct.pack(">I", len(name)) + name + password + b"\0"


def event(arguments: "dict[str, object]") -> "str | None":
    """The hook folder of a lifecycle event; None for one nobody knows, which is answered all the same."""
    kind = arguments.get("type")
    return str(kind) if kind in EVENTS else None


def reply_id(arguments: "dict[str, object]") -> "str | None":
    found = arguments.get("reply_id")
    return found if isinstance(found, str) and found else None
