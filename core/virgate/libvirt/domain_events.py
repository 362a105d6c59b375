"""What libvirt says of domains, told on the event bus in words.

    libvirt.lifecycle(uuid, event, detail)      words of `words.EVENTS` and `words.DETAILS`
    libvirt.reboot(uuid)
    libvirt.rtc(uuid, offset)                   seconds the guest's clock is off
    libvirt.io_error(uuid, path, alias, action, reason)   reason: "enospc" or empty
    libvirt.watchdog(uuid, action)
    libvirt.graphics(uuid, phase, client, server, scheme) client and server: an address without port
    libvirt.agent(uuid, state)
    libvirt.block_job(uuid, disk, job, status)  disk: the target's name
    libvirt.block_threshold(uuid, target, path, threshold, excess)   bytes; target: "vda", or "vda[3]" below the top
    libvirt.device_removed(uuid, alias)         the guest has let it go, or QEMU took it
    libvirt.device_removal_failed(uuid, alias)  the guest refused
    libvirt.balloon(uuid, kib)                  what the balloon now leaves to the guest
    libvirt.job_completed(uuid, figures)        libvirt's statistics of what ended well: a move, a save, a dump

libvirt calls back in the reactor's thread, because that is where its event loop runs.
"""

from collections.abc import Callable
from typing import Any

import libvirt

from virgate.events import EventBus
from virgate.libvirt.words import (
    AGENT_STATES,
    BLOCK_JOB_STATUSES,
    BLOCK_JOBS,
    GRAPHICS_PHASES,
    IO_ERROR_ACTIONS,
    WATCHDOG_ACTIONS,
    lifecycle,
    word,
)

Translation = tuple[str, Callable[..., dict[str, Any]]]


def _lifecycle(event: int, detail: int) -> dict[str, Any]:
    name, how = lifecycle(event, detail)
    return {"event": name, "detail": how}


def _graphics(phase: int, local: Any, remote: Any, scheme: str, subject: Any) -> dict[str, Any]:
    return {
        "phase": word(GRAPHICS_PHASES, phase),
        "client": (remote or {}).get("node") or "",
        "server": (local or {}).get("node") or "",
        "scheme": scheme or "",
    }


TRANSLATIONS: dict[int, Translation] = {
    libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE: ("libvirt.lifecycle", _lifecycle),
    libvirt.VIR_DOMAIN_EVENT_ID_REBOOT: ("libvirt.reboot", dict),
    libvirt.VIR_DOMAIN_EVENT_ID_RTC_CHANGE: ("libvirt.rtc", lambda offset: {"offset": offset}),
    libvirt.VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON: (
        "libvirt.io_error",
        lambda path, alias, action, reason: {
            "path": path or "",
            "alias": alias or "",
            "action": word(IO_ERROR_ACTIONS, action),
            "reason": reason or "",
        },
    ),
    libvirt.VIR_DOMAIN_EVENT_ID_WATCHDOG: (
        "libvirt.watchdog",
        lambda action: {"action": word(WATCHDOG_ACTIONS, action)},
    ),
    libvirt.VIR_DOMAIN_EVENT_ID_GRAPHICS: ("libvirt.graphics", _graphics),
    libvirt.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE: (
        "libvirt.agent",
        lambda state, reason: {"state": word(AGENT_STATES, state)},
    ),
    libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2: (
        "libvirt.block_job",
        lambda disk, job, status: {
            "disk": disk or "",
            "job": word(BLOCK_JOBS, job),
            "status": word(BLOCK_JOB_STATUSES, status),
        },
    ),
    libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_THRESHOLD: (
        "libvirt.block_threshold",
        lambda target, path, threshold, excess: {
            "target": target or "",
            "path": path or "",
            "threshold": threshold,
            "excess": excess,
        },
    ),
    libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED: (
        "libvirt.job_completed",
        lambda figures: {"figures": dict(figures or {})},
    ),
    libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED: ("libvirt.device_removed", lambda alias: {"alias": alias or ""}),
    libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED: (
        "libvirt.device_removal_failed",
        lambda alias: {"alias": alias or ""},
    ),
    libvirt.VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE: ("libvirt.balloon", lambda actual: {"kib": actual}),
}


def register(connection: Any, events: EventBus) -> list[int]:
    """Listens on a connection (this blocks); answers the numbers to deregister."""
    return [
        connection.domainEventRegisterAny(None, event, _teller(events, topic, fields), None)
        for event, (topic, fields) in TRANSLATIONS.items()
    ]


def _teller(events: EventBus, topic: str, fields: Callable[..., dict[str, Any]]) -> Callable[..., None]:
    def tell(connection: Any, domain: Any, *rest: Any) -> None:
        events.tell(topic, uuid=domain.UUIDString(), **fields(*rest[:-1]))

    return tell
