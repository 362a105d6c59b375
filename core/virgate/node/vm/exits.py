"""Why a machine is Down: the table of spec xmlrpc-host-vm 4.2 and the ways into it."""

from enum import IntEnum
from typing import Self

from attrs import frozen


class Reason(IntEnum):
    SUCCESS = 0
    GENERIC_ERROR = 1
    LOST_QEMU = 2
    START_FAILED = 3
    MIGRATED = 4
    SAVED = 5
    ADMIN = 6
    USER = 7
    MIGRATION_FAILED = 8
    DOMAIN_MISSING = 9
    DESTROYED_AT_START = 10
    HOST_SHUTDOWN = 11
    POSTCOPY_FAILED = 12
    REBOOTING = 13
    PAUSED_TOO_LONG = 14


MESSAGES = {
    Reason.SUCCESS: "VM terminated succesfully",
    Reason.GENERIC_ERROR: "VM terminated with error",
    Reason.LOST_QEMU: "Lost connection with qemu process",
    Reason.START_FAILED: "failed to start libvirt vm",
    Reason.MIGRATED: "Migration succeeded",
    Reason.SAVED: "SaveState succeeded",
    Reason.ADMIN: "Admin shut down from the engine",
    Reason.USER: "User shut down from within the guest",
    Reason.MIGRATION_FAILED: "VM failed to migrate",
    Reason.DOMAIN_MISSING: "Failed to find the libvirt domain",
    Reason.DESTROYED_AT_START: "VM destroyed during the startup",
    Reason.HOST_SHUTDOWN: "VM has been terminated on the host",
    Reason.POSTCOPY_FAILED: "Migration failed in post-copy",
    Reason.REBOOTING: "Down as a part of the reboot process",
    Reason.PAUSED_TOO_LONG: "Down because paused for too long",
}

NORMAL = frozenset({0, 4, 5, 6, 7, 10, 13})
WAKE_UP_FAILED = "Wake up from hibernation failed:"


@frozen
class Exit:
    """Exit information as clients see it: code 0 normal or 1 error, reason of the table, text."""

    code: int
    reason: int
    message: str

    @classmethod
    def of(cls, reason: Reason, text: str = "", *, restoring: bool = False) -> Self:
        """`text` replaces the table's; a machine that was being restored says so in front."""
        message = text or MESSAGES[reason]
        return cls(0 if reason in NORMAL else 1, int(reason), (WAKE_UP_FAILED if restoring else "") + message)

    @property
    def members(self) -> dict[str, int | str]:
        return {"exitCode": self.code, "exitReason": self.reason, "exitMessage": self.message}


def after_stop(detail: str, *, asked: bool) -> Exit:
    """The exit for a `stopped` event; `asked` when a client of ours wanted the guest to end."""
    ways = {
        "shutdown": Reason.ADMIN if asked else Reason.USER,
        "destroyed": Reason.ADMIN,
        "migrated": Reason.MIGRATED,
        "saved": Reason.SAVED,
    }
    return Exit.of(Reason.ADMIN if asked and detail not in ways else ways.get(detail, Reason.LOST_QEMU))


FOUND_OFF = {
    "shutdown": Reason.USER,
    "destroyed": Reason.ADMIN,
    "migrated": Reason.MIGRATED,
    "saved": Reason.SAVED,
    "failed": Reason.START_FAILED,
}


def found_off(reason: str) -> Exit:
    """The exit of a domain that recovery finds shut off without exit information (spec migration 12.4)."""
    return Exit.of(FOUND_OFF.get(reason, Reason.GENERIC_ERROR))
