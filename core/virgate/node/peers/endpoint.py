"""This host's own management port, as the settings of its transport describe it."""

import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from attrs import frozen

PORT = 54321


@frozen
class Endpoint:
    """The port's settings; `named` is the address that the operator gives instead of what is found."""

    listening: str
    port: int
    tls: bool
    certificate: Path
    key: Path
    authority: Path
    named: str = ""

    @classmethod
    def described(cls, section: dict[str, Any], state: Path, named: str = "") -> "Endpoint":
        """From what is written in the transport's section."""
        listening, tls = str(section.get("address", "127.0.0.1")), section.get("tls", "auto")
        return cls(
            listening=listening,
            port=int(section.get("port", PORT)),
            tls=tls if isinstance(tls, bool) else not _is_loopback(listening),
            certificate=Path(section.get("certificate") or state / "pki" / "host.pem"),
            key=Path(section.get("key") or state / "pki" / "host.key"),
            authority=Path(section.get("ca") or state / "pki" / "ca.pem"),
            named=named,
        )

    @classmethod
    def unknown(cls) -> "Endpoint":
        """Of a node without a management port."""
        return cls.described({"port": 0}, Path())

    @property
    def address(self) -> str:
        """Where other hosts can call now; empty where none can."""
        return (self.named or reachable(self.listening)) if self.port else ""


def reachable(listening: str) -> str:
    """The address that others can call when the port listens on this one; empty if there is none."""
    if _is_loopback(listening):
        return ""
    if listening not in ("", "0.0.0.0", "::"):  # noqa: S104 (compared, not bound)
        return listening
    return default_address()


def default_address() -> str:
    """Ours on the default route. Nothing is sent: a datagram socket only looks the route up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def _is_loopback(address: str) -> bool:
    try:
        return address == "localhost" or ip_address(address).is_loopback
    except ValueError:
        return False
