"""Passwords of storage that libvirt needs to open disks (spec xmlrpc-host-vm 2.5, registerSecrets).

They are handed to libvirt and kept nowhere else, and do not outlive the daemon.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import field, frozen

from virgate.domxml.tree import element, one_line
from virgate.errors import VirgateError, error
from virgate.ids import is_uuid

if TYPE_CHECKING:
    from virgate.libvirt.connection import Hypervisor

ELEMENTS = {"ceph": "name", "iscsi": "target", "volume": "volume"}
"""Usage types, and the element of libvirt's document that holds the usage id."""


@error
class BadSecret(VirgateError):
    """The request is wrong; its value is never repeated."""

    code: ClassVar[int] = 72
    text: ClassVar[str] = "Bad secret request: {self.detail}"
    detail: str


@error
class CannotRegister(VirgateError):
    """libvirt refuses the secret."""

    code: ClassVar[int] = 73
    text: ClassVar[str] = "Error registering Libvirt secret {self.uuid}: {self.detail}"
    uuid: str
    detail: str


@error
class CannotUnregister(VirgateError):
    """libvirt does not give the secret up."""

    code: ClassVar[int] = 74
    text: ClassVar[str] = "Error unregistering Libvirt secret {self.uuid}: {self.detail}"
    uuid: str
    detail: str


@frozen
class Secret:
    uuid: str
    usage_type: str
    usage: str
    value: bytes = field(repr=False)
    description: str = ""

    @classmethod
    def read(cls, given: object) -> "Secret":
        """`BadSecret` for a struct that is none."""
        if not isinstance(given, Mapping):
            raise BadSecret("a secret is a struct")
        uuid, kind, usage = given.get("uuid"), given.get("usageType"), given.get("usageID")
        if not is_uuid(uuid):
            raise BadSecret(f"not a uuid: {uuid!r}")
        if kind not in ELEMENTS:
            raise BadSecret(f"usageType is one of {', '.join(ELEMENTS)}, not {kind!r}")
        if not isinstance(usage, str) or not usage:
            raise BadSecret(f"secret {uuid} has no usageID")
        try:
            value = base64.b64decode(str(given["password"]), validate=True)
        except (KeyError, binascii.Error, ValueError):
            raise BadSecret(f"secret {uuid} has no password in base64") from None
        return cls(str(uuid), str(kind), usage, value, str(given.get("description") or ""))

    @property
    def xml(self) -> str:
        """Private: libvirt shows the value to nobody. Ephemeral: it is never written to a disk."""
        return one_line(
            element(
                "secret",
                element("uuid", text=self.uuid),
                element("description", text=self.description) if self.description else None,
                element("usage", element(ELEMENTS[self.usage_type], text=self.usage), type=self.usage_type),
                ephemeral="yes",
                private="yes",
            )
        )


async def register(hypervisor: "Hypervisor", given: Iterable[object], *, clear: bool = False) -> None:
    """All of them are read before the first is registered; `clear` takes away those of ours that are not named."""
    from virgate.libvirt import secrets

    wanted = [Secret.read(one) for one in given]
    if clear:
        await secrets.forget_ours(hypervisor, keep={secret.uuid for secret in wanted})
    for secret in wanted:
        try:
            await secrets.define(hypervisor, secret.uuid, secret.usage, secret.xml, secret.value)
        except VirgateError as problem:
            raise CannotRegister(secret.uuid, str(problem)) from problem


async def unregister(hypervisor: "Hypervisor", uuids: Iterable[Any]) -> None:
    """What is not registered is no mistake."""
    from virgate.libvirt import secrets

    wanted = list(uuids)
    for uuid in wanted:
        if not is_uuid(uuid):
            raise BadSecret(f"not a uuid: {uuid!r}")
    for uuid in wanted:
        try:
            await secrets.undefine(hypervisor, uuid)
        except VirgateError as problem:
            raise CannotUnregister(uuid, str(problem)) from problem
