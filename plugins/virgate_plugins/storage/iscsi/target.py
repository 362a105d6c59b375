"""One connection with a target: its value, and how a client's words become it."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from attrs import field, frozen

from virgate.errors import InvalidParameter
from virgate.hookspecs.storage import Kind, StorageHost, shared_lease

IQN = re.compile(r"(?:iqn\.\d{4}-\d\d\.[\w.:-]{1,210}|eui\.[0-9A-Fa-f]{16}|naa\.(?:[0-9A-Fa-f]{16}){1,2})", re.ASCII)
HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|[0-9A-Fa-f:]{2,39}(?:%[\w.-]{1,15})?", re.ASCII)
INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}", re.ASCII)
LONGEST = 255
"""Bytes of a user name or password that open-iscsi takes."""


@frozen
class Iscsi:
    """Which disks appear is the target's decision; all of them do."""

    name: ClassVar[str] = "ISCSI"
    number: ClassVar[int] = 3
    kind: ClassVar[Kind] = Kind.BLOCK

    iqn: str
    host: str
    port: int
    tpgt: int = 1
    iface: str = "default"
    user: str = ""
    password: str = field(default="", repr=False)
    net_iface: str = field(default="", eq=False)
    initiator: str = field(default="", eq=False)

    @classmethod
    def read(cls, parameters: Mapping[str, Any]) -> Self:
        """Keys of spec xmlrpc-storage 2.1. What iscsiadm would take for a path or an option is no name (1000)."""
        host, port = portal(parameters)
        user, password = credentials(parameters)
        return cls(
            iqn=_checked("iqn", parameters["iqn"], IQN),
            host=host,
            port=port,
            tpgt=number("tpgt", parameters.get("tpgt") or 1, 65535),
            iface=_checked("ifaceName", parameters.get("ifaceName") or "default", INTERFACE),
            user=user,
            password=password,
            net_iface=_optional(parameters, "netIfaceName", INTERFACE),
            initiator=_optional(parameters, "initiatorName", IQN),
        )

    @classmethod
    def check_remote(cls, remote: str) -> None:
        """A domain is made on a volume group, which the core checks."""

    @classmethod
    def lease(cls, version: int) -> str:
        return shared_lease(version)

    @classmethod
    async def discover(cls, parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
        """What a portal offers: ("address:port,group", IQN)."""
        from virgate_plugins.storage.iscsi.discovering import discover

        host, port = portal(parameters)
        user, password = credentials(parameters, required=True)
        return await discover(host, port, user, password)

    async def connect(self, host: StorageHost) -> None:
        from virgate_plugins.storage.iscsi.sessions import log_in

        await log_in(self)
        await host.rescan()

    async def connected(self, host: StorageHost) -> bool:
        from virgate_plugins.storage.iscsi.sessions import logged_in

        return await logged_in(self)

    async def disconnect(self, host: StorageHost) -> None:
        from virgate_plugins.storage.iscsi.sessions import log_out

        await log_out(self)
        await host.rescan()

    def __str__(self) -> str:
        return f"{self.iqn} at {self.host}:{self.port},{self.tpgt}"


def portal(parameters: Mapping[str, Any]) -> tuple[str, int]:
    host = str(parameters["connection"]).removeprefix("[").removesuffix("]")
    return _checked("connection", host, HOST), number("port", parameters["port"], 65535, least=1)


def credentials(parameters: Mapping[str, Any], *, required: bool = False) -> tuple[str, str]:
    """No user name, no CHAP. `required`: the keys, not that they say something."""
    given = (parameters["user"], parameters["password"]) if required else map(parameters.get, ("user", "password"))
    user, password = (str(value or "") for value in given)
    if not user:
        return "", ""
    for key, value, told in (("user", user, user), ("password", password, "***")):
        if not value.isprintable() or value != value.strip() or len(value.encode()) > LONGEST:
            raise InvalidParameter(key, told)
    return user, password


def number(name: str, value: object, most: int, least: int = 0) -> int:
    """A number from its decimal digits."""
    text = str(value)
    if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
        raise InvalidParameter(name, value)
    return int(text)


def _checked(name: str, value: object, pattern: re.Pattern[str]) -> str:
    text = str(value)
    if not pattern.fullmatch(text) or ".." in text:
        raise InvalidParameter(name, value)
    return text


def _optional(parameters: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    value = parameters.get(name)
    return _checked(name, value, pattern) if value else ""
