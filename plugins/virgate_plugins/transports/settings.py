"""The section [xmlrpc]: where the management port listens and what it asks of clients."""

from pathlib import Path
from typing import Literal

from attrs.validators import ge, le

from virgate.config import Settings, option, section
from virgate.config.daemon import DaemonSettings


@section("xmlrpc")
class XmlrpcSettings:
    """The management port: XML-RPC, and whatever other protocols plugins speak on it."""

    address: str = option("127.0.0.1", 'Address to listen on; "0.0.0.0" for all of IPv4, "::" for IPv4 and IPv6.')
    port: int = option(54321, "TCP port to listen on; 0 takes any free one.", ge(0), le(65535))
    tls: Literal["auto"] | bool = option(
        "auto", 'TLS with client certificates; "auto": unless the address is loopback.'
    )
    certificate: str = option("", "The host's certificate (PEM); empty: pki/host.pem in the state folder.")
    key: str = option("", "The key of that certificate (PEM); empty: pki/host.key in the state folder.")
    ca: str = option("", "Certificates that sign clients (PEM); empty: pki/ca.pem in the state folder.")
    minimum_tls: Literal["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"] = option(
        "TLSv1.2", "Oldest TLS version that is spoken."
    )
    check_peer_name: bool = option(False, "Whether a client's certificate must name the address it comes from.")
    local_users: list[str] = option(
        [],
        "Users of this host who may call on a loopback address without TLS, beside root and the daemon's own user;"
        ' "*" lets everybody who can log in here have the power of root.',
    )
    connections: int = option(
        256,
        "Connections that may be open at once; when there are more, those are closed first that have not shown yet who"
        " they are and what they speak.",
        ge(1),
    )
    body_limit: int = option(16 << 20, "Bytes a request body may have, also after decompression.", ge(1024))
    idle_timeout: float = option(60.0, "Seconds after which a connection without progress is closed.", ge(1))


def pki_file(settings: Settings, given: str, name: str) -> Path:
    """A path that was set, or the file of that name where `virgate pki init` puts it."""
    return Path(given) if given else settings[DaemonSettings].state_dir / "pki" / name
