"""Programs of this host at the other end of a loopback connection: whose they are, and who may call.

A loopback port without TLS knows its clients by what the kernel says of their sockets (sock_diag(7)), because every
verb gives power over the whole host. What the kernel cannot say for certain counts as nobody's.
"""

import os
import pwd
import socket
import struct
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from attrs import field, frozen
from twisted.logger import Logger

from virgate.errors import VirgateError, error

EVERYBODY = "*"

_SOCK_DIAG, _BY_FAMILY, _REQUEST = 4, 20, 1
_ANY_STATE, _ANY_COOKIE = 0xFFFFFFFF, 0xFFFFFFFF
_HEADER, _QUESTION, _ANSWER = struct.Struct("=IHHII"), struct.Struct("=BBBxI"), struct.Struct("=4x48x12xII")


class Address(NamedTuple):
    host: str
    port: int

    @classmethod
    def of(cls, end: Any) -> "Address":
        return cls(end.host.partition("%")[0], end.port)


@error
class UnknownUser(VirgateError):
    """A name in [xmlrpc] local_users is nobody's."""

    text: ClassVar[str] = "[xmlrpc] local_users: this host has no user {self.name!r}"
    name: str


@frozen
class Neighbours:
    """The users who may call: root, the daemon's own, and those named."""

    users: frozenset[int] | None = field()
    """None: everybody."""

    log = Logger()

    @classmethod
    def named(cls, names: Sequence[str]) -> "Neighbours":
        """Raises `UnknownUser`."""
        if EVERYBODY in names:
            return cls(None)
        return cls(frozenset({0, os.geteuid(), *map(_number, names)}))

    def admit(self, transport: Any) -> bool:
        if self.users is None:
            return True
        client = Address.of(transport.getPeer())
        found = owner(client, Address.of(transport.getHost()))
        if found in self.users:
            return True
        whose = "nobody known" if found is None else f"user {found}"
        self.log.warn("{whose} is refused: [xmlrpc] local_users does not name him", whose=whose, port=client.port)
        return False


def _number(name: str) -> int:
    try:
        return int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid
    except KeyError:
        raise UnknownUser(name) from None


def owner(client: Address, server: Address) -> int | None:
    """The user whose program holds the client's end; None when nobody holds it any more, or nobody can tell.

    The kernel shows a socket that its program has closed as root's. So only a socket that is held counts, and it is
    asked for twice: the second answer tells that it was still held when the first was made.
    """
    first = _ask(client, server)
    return first[0] if first is not None and first == _ask(client, server) else None


def _ask(client: Address, server: Address) -> tuple[int, int] | None:
    """User and inode of the socket; None when no program holds it, which is when it has no inode."""
    family = socket.AF_INET6 if ":" in client.host else socket.AF_INET
    ends = (socket.inet_pton(family, end.host).ljust(16, b"\0") for end in (client, server))
    question = _QUESTION.pack(family, socket.IPPROTO_TCP, 0, _ANY_STATE)
    question += struct.pack("!HH", client.port, server.port) + b"".join(ends)
    question += struct.pack("=III", 0, _ANY_COOKIE, _ANY_COOKIE)
    head = _HEADER.pack(_HEADER.size + len(question), _BY_FAMILY, _REQUEST, 0, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG) as kernel:
            kernel.settimeout(0)  # the answer is there when the question has been put
            kernel.sendto(head + question, (0, 0))
            answer = kernel.recv(4096)
    except OSError:
        return None
    if _HEADER.unpack_from(answer)[1] != _BY_FAMILY:
        return None
    user, inode = _ANSWER.unpack_from(answer, _HEADER.size)
    return (user, inode) if inode else None
