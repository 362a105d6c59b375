"""This host's own management port, as the settings of its transport describe it."""

import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from attrs import frozen

PORT = 54321


@frozen
class Endpoint:
    """`address` is empty where no other host can call."""

    address: str
    port: int
    tls: bool
    certificate: Path
    key: Path
    authority: Path

    @classmethod
    def described(cls, section: dict[str, Any], state: Path, address: str = "") -> "Endpoint":
        """From what is written in the transport's section; `address` is what the operator names instead."""
        listening = str(section.get("address", "127.0.0.1"))
        tls, port = section.get("tls", "auto"), int(section.get("port", PORT))
        return cls(
            address=(address or reachable(listening)) if port else "",
            port=port,
            tls=tls if isinstance(tls, bool) else not _is_loopback(listening),
            certificate=Path(section.get("certificate") or state / "pki" / "host.pem"),
            key=Path(section.get("key") or state / "pki" / "host.key"),
            authority=Path(section.get("ca") or state / "pki" / "ca.pem"),
        )


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
