"""Methods that are no verb of their own, or take what their verb does not: each is read here as a call of a verb.

`arrange(params)` answers the name of the verb and its parameters by name; `shape` makes the result of the verb's.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from virgate.api.wire import flag

Params = Mapping[str, Any]


@frozen
class Special:
    """`positions`: the order in which parameters may be given."""

    positions: tuple[str, ...]
    arrange: Callable[[Params], tuple[str, dict[str, Any]]]
    shape: Callable[[Any, Params], Any] = lambda result, params: result


def _list(params: Params) -> tuple[str, dict[str, Any]]:
    full = params.get("fullStatus") if not _only_ids(params) else False
    return "Host.getVMList", {"full": full, "vms": params.get("vmList") or []}


def _only_ids(params: Params) -> bool:
    return flag(params.get("onlyUUID", True))


def _ids(result: Any, params: Params) -> Any:
    return [one["vmId"] for one in result] if _only_ids(params) else result


def _full_list(params: Params) -> tuple[str, dict[str, Any]]:
    return "Host.getVMList", {"full": True, "vms": params.get("vmList") or []}


def _info(params: Params) -> tuple[str, dict[str, Any]]:
    return "Host.getVMList", {"full": True, "vms": [params.get("vmID")]}


def _detach(params: Params) -> tuple[str, dict[str, Any]]:
    forced = flag(params.get("force", False))
    return "StorageDomain.detachForced" if forced else "StorageDomain.detach", dict(params)


def _discover(params: Params) -> tuple[str, dict[str, Any]]:
    portal = {name: params.get(name, "") for name in ("port", "user", "password")}
    return "ISCSIConnection.discoverSendTargets", {"connection": {"connection": params.get("host", ""), **portal}}


def _log_level(params: Params) -> tuple[str, dict[str, Any]]:
    """Newer clients give the level's name."""
    level = params.get("level")
    number = logging.getLevelNamesMapping().get(level.upper(), level) if isinstance(level, str) else level
    return "Host.setLogLevel", {**params, "level": number}


def _delete_volume(params: Params) -> tuple[str, dict[str, Any]]:
    return "Image.deleteVolumes", {**params, "volumeList": [params.get("volumeID")]}


def _as(verb: str) -> Callable[[Params], tuple[str, dict[str, Any]]]:
    return lambda params: (verb, dict(params))


_VOLUME = ("volumeID", "storagepoolID", "storagedomainID", "imageID")
METHODS: dict[str, Special] = {
    "Host.getVMList": Special(("fullStatus", "vmList", "onlyUUID"), _list, _ids),
    "Host.getVMFullList": Special(("vmList",), _full_list),
    "Host.ping2": Special((), _as("Host.ping")),
    "Host.confirmConnectivity": Special((), _as("Host.ping")),
    "Host.setLogLevel": Special(("level", "name"), _log_level),
    "VM.getInfo": Special(("vmID",), _info, lambda result, params: result[0] if result else None),
    "VM.sendKeys": Special(("vmID", "keySequence"), _as("VM.sendkeys")),
    "StorageDomain.detach": Special(
        ("storagedomainID", "storagepoolID", "masterSdUUID", "masterVersion", "force"), _detach
    ),
    "Image.getVolumes": Special(("imageID", "storagepoolID", "storagedomainID"), _as("StorageDomain.getVolumes")),
    "Volume.delete": Special((*_VOLUME, "postZero", "force"), _delete_volume),
    "ISCSIConnection.discoverSendTargets": Special(("host", "port", "user", "password"), _discover),
}
