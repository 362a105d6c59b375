"""Secrets that libvirt keeps for storage: in its memory only, and told to nobody."""

from collections.abc import Iterable
from typing import Any

from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.libvirt.connection import Hypervisor

OURS = "ovirt/"
"""How usage ids of this product's secrets begin."""

log = Logger()


async def listed(hypervisor: Hypervisor) -> dict[str, str]:
    """Usage ids by uuid."""
    return await hypervisor.call(
        lambda connection: {one.UUIDString(): str(one.usageID()) for one in connection.listAllSecrets()}
    )


async def define(hypervisor: Hypervisor, uuid: str, usage: str, xml: str, value: bytes) -> None:
    """A secret of the same uuid or for the same use is replaced."""

    def replace(connection: Any) -> None:
        for one in connection.listAllSecrets():
            if one.UUIDString() == uuid or one.usageID() == usage:
                one.undefine()
        connection.secretDefineXML(xml).setValue(value)

    await hypervisor.call(replace)


async def undefine(hypervisor: Hypervisor, uuid: str) -> None:
    """One that is not there is gone already."""

    def forget(connection: Any) -> None:
        for one in connection.listAllSecrets():
            if one.UUIDString() == uuid:
                one.undefine()

    await hypervisor.call(forget)


async def forget_ours(hypervisor: Hypervisor, keep: Iterable[str] = ()) -> None:
    """At the start and the end of the daemon: what it registered belongs to its manager's session."""
    kept = set(keep)
    for uuid, usage in (await listed(hypervisor)).items():
        if usage.startswith(OURS) and uuid not in kept:
            try:
                await undefine(hypervisor, uuid)
            except VirgateError as problem:
                log.warn("secret {uuid} stays with libvirt: {why}", uuid=uuid, why=problem)
