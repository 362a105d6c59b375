"""A reply without its status is a result: which member it is, or what stands for it (spec xmlrpc-host-vm 1.8)."""

from collections.abc import Mapping
from typing import Any

_CONSTANT: dict[str, Any] = {
    "VM.cont": {"vmList": {}},
    "VM.pause": {"vmList": {}},
    "VM.migrate": True,
    "VM.snapshot": True,
}
_MEMBER = {"VM.getMigrationStatus": "migrationStats", "ISCSIConnection.discoverSendTargets": "fullTargets"}
_WHOLE = frozenset({"Host.fenceNode", "Host.getStorageRepoStats", "VM.migrationCreate"})
"""Methods whose result is a struct however many members it has."""


def unwrapped(method: str, reply: Mapping[str, Any]) -> Any:
    """The result that a client of `method` gets: the only member, a struct of several, true for none."""
    if method in _CONSTANT:
        return _CONSTANT[method]
    members = {name: value for name, value in reply.items() if name != "status"}
    if method in _MEMBER:
        return members.get(_MEMBER[method], True)
    if method in _WHOLE or len(members) > 1:
        return members
    return next(iter(members.values()), True)
