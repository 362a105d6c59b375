"""libvirt's numbers as words: the last part of each constant's name, in lower case. A test holds them together."""

from collections.abc import Sequence

EVENTS = (
    "defined", "undefined", "started", "suspended", "resumed", "stopped", "shutdown", "pmsuspended", "crashed",
)  # fmt: skip

DETAILS: dict[str, Sequence[str]] = {
    "defined": ("added", "updated", "renamed", "from_snapshot"),
    "undefined": ("removed", "renamed"),
    "started": ("booted", "migrated", "restored", "from_snapshot", "wakeup"),
    "suspended": (
        "paused", "migrated", "ioerror", "watchdog", "restored", "from_snapshot", "api_error", "postcopy",
        "postcopy_failed",
    ),
    "resumed": ("unpaused", "migrated", "from_snapshot", "postcopy", "postcopy_failed"),
    "stopped": ("shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "from_snapshot"),
    "shutdown": ("finished", "guest", "host"),
    "pmsuspended": ("memory", "disk"),
    "crashed": ("panicked", "crashloaded"),
}  # fmt: skip

STATES = ("nostate", "running", "blocked", "paused", "shutdown", "shutoff", "crashed", "pmsuspended")

REASONS: dict[str, Sequence[str]] = {
    "nostate": ("unknown",),
    "running": (
        "unknown", "booted", "migrated", "restored", "from_snapshot", "unpaused", "migration_canceled",
        "save_canceled", "wakeup", "crashed", "postcopy", "postcopy_failed",
    ),
    "blocked": ("unknown",),
    "paused": (
        "unknown", "user", "migration", "save", "dump", "ioerror", "watchdog", "from_snapshot", "shutting_down",
        "snapshot", "crashed", "starting_up", "postcopy", "postcopy_failed",
    ),
    "shutdown": ("unknown", "user"),
    "shutoff": (
        "unknown", "shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "from_snapshot", "daemon",
    ),
    "crashed": ("unknown", "panicked"),
    "pmsuspended": ("unknown",),
}  # fmt: skip

IO_ERROR_ACTIONS = ("none", "pause", "report")
DISK_ERRORS = ("none", "unspec", "no_space")
WATCHDOG_ACTIONS = ("none", "pause", "reset", "poweroff", "shutdown", "debug", "injectnmi")
GRAPHICS_PHASES = ("connect", "initialize", "disconnect")
BLOCK_JOBS = ("unknown", "pull", "copy", "commit", "active_commit", "backup")
BLOCK_JOB_STATUSES = ("completed", "failed", "canceled", "ready")
AGENT_STATES = ("unknown", "connected", "disconnected")
CLOSE_REASONS = ("error", "eof", "keepalive", "client")


def word(words: Sequence[str], number: int) -> str:
    """The number itself, as text, when libvirt is newer than this table."""
    return words[number] if 0 <= number < len(words) else str(number)


def state(number: int, reason: int) -> tuple[str, str]:
    name = word(STATES, number)
    return name, word(REASONS.get(name, ()), reason)


def lifecycle(event: int, detail: int) -> tuple[str, str]:
    name = word(EVENTS, event)
    return name, word(DETAILS.get(name, ()), detail)
