"""What is kept of a machine beside its memory, and what becomes of it in the request that wakes it up. Pure."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from virgate.domxml.values import flag, struct
from virgate.node.vm.hibernation.handle import Handle

REMOVED = frozenset({"displayIp", "display", "pid"})
"""What another host would misunderstand (spec 11.2)."""
PASSING = frozenset(
    {
        "status",
        "statusTime",
        "guestDiskMapping",
        "guestIPs",
        "guestFQDN",
        "guestAgentAPIVersion",
        "username",
        "netIfaces",
        "migrationDest",
        "afterMigrationStatus",
        "enableGuestEvents",
        "pauseCode",
        "displayPort",
        "displaySecurePort",
        "pid",
    }
)
"""What other hosts of the family keep, and what is known better when the machine is awake."""
WAYS = frozenset(
    {
        "hiberVolHandle",
        "memoryDumpVolume",
        "memoryConfVolume",
        "restoreFromSnapshot",
        "restoreState",
        "dstparams",
        "elapsedTimeOffset",
    }
)
"""Said once, done once: what `Waking` holds."""
OWN = frozenset({"vmId", "vmID", "hiberVolHandle", "memoryDumpVolume", "memoryConfVolume"})
"""What the request alone decides: a volume must not make one machine pass for another."""
ECHOED = frozenset({"devices", "xml", "custom", "xmlForm"})
"""What the document of the xml form says better."""


@frozen
class Waking:
    """How a machine is to be woken up."""

    handle: Handle
    from_snapshot: bool = False
    """Its disks may lie in other volumes than when it was saved."""
    document: str = ""
    """The domain as it was saved; empty: it is in the file of the memory."""
    elapsed: float = 0.0
    """Seconds that the guest had run."""


def kept(conf: Mapping[str, Any], *, xml_form: bool, elapsed: float) -> dict[str, Any]:
    """What is written beside the memory of a machine."""
    left_out = REMOVED | (ECHOED if xml_form else frozenset())
    given = {name: value for name, value in conf.items() if not name.startswith("_") and name not in left_out}
    return {**given, "elapsedTimeOffset": elapsed}


def woken(params: Mapping[str, Any], handle: Handle, found: Mapping[str, Any]) -> tuple[dict[str, Any], Waking]:
    """The parameters to create the machine with: what was kept wins over what is asked for (spec 11.3)."""
    known = {name: value for name, value in found.items() if name not in OWN}
    if params.get("xml"):
        known.pop("xml", None)  # that of the request has the places that this host fills in
    merged = {**params, **known}
    if isinstance(devices := known.get("devices"), list):
        merged["devices"] = [_filled(device, params.get("devices")) for device in devices]
    waking = Waking(
        handle,
        flag(merged.get("restoreFromSnapshot", False)),
        str(merged.get("_srcDomXML") or ""),
        _seconds(merged.get("elapsedTimeOffset")),
    )
    given = {
        name: value
        for name, value in merged.items()
        if name not in WAYS and not name.startswith("_") and (name not in PASSING or name in params)
    }
    return given, waking


def _filled(device: Any, asked: Any) -> Any:
    """A device whose payload has lost the contents of its files, as they do when a daemon is restarted, with those of
    the request."""
    if any(_files(device).values()) or not _files(device) or not isinstance(asked, list):
        return device
    for other in asked:
        if _files(other).keys() == _files(device).keys():
            return {**device, "specParams": other["specParams"]}
    return device


def _files(device: Any) -> dict[str, Any]:
    """Of a drive's payload, by name."""
    if not isinstance(device, dict):
        return {}
    return dict(struct(struct(struct(device, "specParams"), "vmPayload"), "file"))


def _seconds(value: Any) -> float:
    try:
        seconds = float(value or 0)
    except (TypeError, ValueError):
        return 0.0
    return seconds if 0 <= seconds < float("inf") else 0.0
