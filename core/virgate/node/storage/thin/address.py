"""Where the SPM of a pool can be called: its own word, written beside the lease that it holds.

The record stands in the last block of the lease's place in `leases`, which sanlock never uses. Whoever can write to the
storage can write it, so it is only believed as far as it names the lease's present owner and version.
"""

import json
import re
from typing import Any

from attrs import frozen

BLOCK = 4096
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}")


@frozen
class SpmAddress:
    host: int
    """The SPM's host id."""
    address: str
    port: int
    tls: bool
    version: int
    """Of the lease, as its owner counted it."""

    def encode(self) -> bytes:
        told = {"host": self.host, "address": self.address, "port": self.port, "tls": self.tls, "version": self.version}
        return json.dumps(told).encode().ljust(BLOCK, b"\0")

    @classmethod
    def decode(cls, block: bytes) -> "SpmAddress | None":
        """None for whatever is no sound record."""
        try:
            told: Any = json.loads(block[:BLOCK].rstrip(b"\0").decode("ascii"))
        except (ValueError, RecursionError):
            return None
        if not isinstance(told, dict):
            return None
        host, address, port = told.get("host"), told.get("address"), told.get("port")
        tls, version = told.get("tls"), told.get("version")
        sound = _number(host, 1, 2000) and _number(port, 1, 65535) and _number(version, -1, 1 << 64)
        if not sound or not isinstance(tls, bool) or not isinstance(address, str) or not is_host(address):
            return None
        return cls(host, address, port, tls, version)  # type: ignore[arg-type]


def is_host(text: str) -> bool:
    """Whether it is a host name or a literal address."""
    if ":" in text:
        return bool(_IPV6.fullmatch(text))
    return bool(_HOST.fullmatch(text)) and ".." not in text


def place(alignment: int) -> int:
    """The offset of the record in `leases`."""
    return 2 * alignment - BLOCK


def _number(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
