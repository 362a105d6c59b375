"""Network interfaces: one dump of the kernel's tables, and word when they change (spec guest-agent 3.1, 6.4)."""

import errno
import os
import struct
from fnmatch import fnmatchcase

try:
    from _socket import AF_INET, AF_INET6, AF_NETLINK, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_RAW, inet_ntop, socket
except ImportError:  # `socket` around it costs a megabyte that nothing here needs
    from socket import (  # type: ignore[assignment]
        AF_INET,
        AF_INET6,
        AF_NETLINK,
        SOCK_CLOEXEC,
        SOCK_NONBLOCK,
        SOCK_RAW,
        inet_ntop,
        socket,
    )

from virgate_guest.wire import text

ROUTE = 0
GET_LINK, NEW_LINK, GET_ADDRESS, NEW_ADDRESS = 18, 16, 22, 20
ERROR, DONE = 2, 3
REQUEST_DUMP = 0x301
GROUPS = 0x1 | 0x10 | 0x100
"""Links, IPv4 addresses, IPv6 addresses."""
UP, LOOPBACK = 0x1, 0x8
LINK_ADDRESS, LINK_NAME = 1, 3
ADDRESS, LOCAL_ADDRESS = 1, 2

HEAD = struct.Struct("=IHHII")
LINK = struct.Struct("=BxHiII")
ADDRESS_HEAD = struct.Struct("=BBBBI")
ATTRIBUTE = struct.Struct("=HH")


def request(kind: int, number: int) -> bytes:
    body = LINK.pack(0, 0, 0, 0, 0) if kind == GET_LINK else ADDRESS_HEAD.pack(0, 0, 0, 0, 0)
    return HEAD.pack(HEAD.size + len(body), kind, REQUEST_DUMP, number, 0) + body


def messages(data: bytes) -> "list[tuple[int, int, bytes]]":
    """Kind, sequence number and body of each message in a datagram."""
    found, place = [], 0
    while place + HEAD.size <= len(data):
        length, kind, _, number, _ = HEAD.unpack_from(data, place)
        if length < HEAD.size or place + length > len(data):
            break
        found.append((kind, number, data[place + HEAD.size : place + length]))
        place += (length + 3) & ~3
    return found


def attributes(body: bytes, place: int) -> "dict[int, bytes]":
    found = {}
    while place + ATTRIBUTE.size <= len(body):
        length, kind = ATTRIBUTE.unpack_from(body, place)
        if length < ATTRIBUTE.size or place + length > len(body):
            break
        found[kind & 0x3FFF] = body[place + ATTRIBUTE.size : place + length]
        place += (length + 3) & ~3
    return found


class Table:
    """Collects the messages of a dump."""

    def __init__(self) -> None:
        self._links: dict[int, tuple[str, str, int]] = {}
        self._addresses: dict[tuple[int, int], list[str]] = {}

    def take(self, kind: int, body: bytes) -> None:
        if kind == NEW_LINK and len(body) >= LINK.size:
            _, _, index, flags, _ = LINK.unpack_from(body)
            found = attributes(body, LINK.size)
            name = text(found.get(LINK_NAME, b"").rstrip(b"\0"))
            mac = ":".join(f"{one:02x}" for one in found.get(LINK_ADDRESS, b""))
            self._links[index] = (name, mac, flags)
        elif kind == NEW_ADDRESS and len(body) >= ADDRESS_HEAD.size:
            family, _, _, _, index = ADDRESS_HEAD.unpack_from(body)
            found = attributes(body, ADDRESS_HEAD.size)
            packed = found.get(LOCAL_ADDRESS) or found.get(ADDRESS, b"")
            if (family, len(packed)) in ((AF_INET, 4), (AF_INET6, 16)):
                self._addresses.setdefault((index, family), []).append(inet_ntop(family, packed))

    def interfaces(self, ignored: "list[str]") -> "list[dict[str, object]]":
        """Those that are up, in the kernel's order, without loopback and without the ignored ones (patterns)."""
        found: list[dict[str, object]] = []
        for index, (name, mac, flags) in sorted(self._links.items()):
            if not flags & UP or flags & LOOPBACK or any(fnmatchcase(name, pattern) for pattern in ignored):
                continue
            four, six = [self._addresses.get((index, family), []) for family in (AF_INET, AF_INET6)]
            found.append({"name": name, "hw": mac, "inet": list(four), "inet6": list(six)})
        return found


def interfaces(ignored: "list[str]") -> "list[dict[str, object]]":
    """What the kernel says now; nothing when it says nothing."""
    try:
        table = _dump()
    except OSError:
        return []
    return table.interfaces(ignored)


def _dump() -> Table:
    table = Table()
    asking = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, ROUTE)
    try:
        asking.settimeout(2)
        asking.bind((0, 0))
        for number, kind in enumerate((GET_LINK, GET_ADDRESS), 1):
            asking.send(request(kind, number))
            _collect(asking, number, table)
    finally:
        asking.close()
    return table


def _collect(asking: "socket", number: int, table: Table) -> None:
    while True:
        for kind, belongs, body in messages(asking.recv(1 << 16)):
            if belongs != number:
                continue
            if kind in (DONE, ERROR):
                return
            table.take(kind, body)


def listener() -> "socket | None":
    """A socket that becomes readable when links or addresses change. What it says does not matter: see `forget`."""
    try:
        listening = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, ROUTE)
        listening.bind((0, GROUPS))
    except OSError:
        return None
    return listening


def forget(listening: "socket") -> None:
    """Throws away what the kernel said; it may have been too much to keep."""
    while True:
        try:
            os.read(listening.fileno(), 1 << 16)
        except OSError as problem:
            if problem.errno == errno.ENOBUFS:
                continue
            return
