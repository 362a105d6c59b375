"""Parameters of kept connections: as clients send and see them, as types read them (spec xmlrpc-storage 3.1). Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Any

Parameters = Mapping[str, Any]

SYNONYMS = {"sharedfs": "posixfs"}
UNSET = "default"
"""What clients are told of a value that nobody set."""
_SECRET = re.compile(r"pass|secret|credential|token", re.IGNORECASE)


def connection_of(type: str, given: Parameters) -> dict[str, Any]:
    """The dictionary that the type's `read` wants. KeyError names what is missing; TypeError for a wrong structure."""
    make = _READ.get(_word(type))
    return {**given} if make is None else _without_nothing(make(given))


def told_of(type: str, given: Parameters) -> dict[str, Any]:
    """What anybody may see: nothing secret, nothing that XML-RPC cannot carry."""
    tell = _TELL.get(_word(type))
    return _visible(given) if tell is None else tell(given)


def type_of(type: str) -> str:
    """The type's name as plugins know it."""
    return _word(type)


def _word(type: str) -> str:
    word = type.strip().lower()
    return SYNONYMS.get(word, word)


def _local(given: Parameters) -> dict[str, Any]:
    return {"connection": given["path"]}


def _nfs(given: Parameters) -> dict[str, Any]:
    return {
        "connection": given["export"],
        "protocol_version": given.get("version") or "auto",
        "retrans": given.get("retrans"),
        "timeout": given.get("timeout"),
        "mnt_options": given.get("extraOptions"),
    }


def _mounted(given: Parameters) -> dict[str, Any]:
    return {
        "connection": given["spec"],
        "vfs_type": given.get("vfsType"),
        "mnt_options": given.get("options"),
    }


def _iscsi(given: Parameters) -> dict[str, Any]:
    credentials = given.get("credentials") or {}
    account = credentials.get("params") or {}
    return {
        "connection": given["portal"]["host"],
        "port": str(given["portal"].get("port") or 3260),
        "iqn": given["iqn"],
        "tpgt": str(given.get("tpgt") or 1),
        "ifaceName": given.get("iface") or UNSET,
        "user": account.get("username"),
        "password": account.get("password"),
    }


def _tell(*keys: str) -> Callable[[Parameters], dict[str, Any]]:
    return lambda given: {key: _set(given.get(key)) for key in keys}


def _tell_iscsi(given: Parameters) -> dict[str, Any]:
    portal = {"hostname": given["portal"]["host"], "port": int(given["portal"].get("port") or 3260)}
    target = {"portal": portal, "tpgt": int(given.get("tpgt") or 1), "iqn": given["iqn"]}
    return {"target": target, "iface": _set(given.get("iface"))}


def _visible(given: Parameters) -> dict[str, Any]:
    return {
        str(key): _visible(value) if isinstance(value, Mapping) else _set(value)
        for key, value in given.items()
        if not _SECRET.search(str(key))
    }


def _set(value: Any) -> Any:
    return UNSET if value is None else value


def _without_nothing(made: Parameters) -> dict[str, Any]:
    return {key: value for key, value in made.items() if value is not None}


_READ: dict[str, Callable[[Parameters], dict[str, Any]]] = {
    "localfs": _local,
    "nfs": _nfs,
    "posixfs": _mounted,
    "glusterfs": _mounted,
    "iscsi": _iscsi,
}
_TELL: dict[str, Callable[[Parameters], dict[str, Any]]] = {
    "localfs": _tell("path"),
    "nfs": _tell("export", "retrans", "timeout", "version", "extraOptions"),
    "posixfs": _tell("spec", "vfsType", "options"),
    "glusterfs": _tell("spec", "vfsType", "options"),
    "iscsi": _tell_iscsi,
}
