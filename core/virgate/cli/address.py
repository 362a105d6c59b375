"""Where the daemon is: what `--server` says, else what the settings of this machine's daemon say."""

import click
from attrs import frozen

from virgate.cli.problems import Problem
from virgate.config import SettingsError, load, places

PORT = 54321
EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 (compared, not bound)


@frozen
class Address:
    """`encrypted` is None when nobody said: then everything but loopback is encrypted, as the daemon has it."""

    host: str
    port: int = PORT
    encrypted: bool | None = None

    @property
    def loopback(self) -> bool:
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    @property
    def tls(self) -> bool:
        return not self.loopback if self.encrypted is None else self.encrypted

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read(server: str) -> Address:
    """HOST, HOST:PORT, an IPv6 address, or one in brackets with or without a port."""
    if server.startswith("["):
        host, _, rest = server[1:].partition("]")
        port = rest.removeprefix(":")
    elif server.count(":") > 1:
        host, port = server, ""
    else:
        host, _, port = server.partition(":")
    if port and not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise click.BadParameter(f"{server}: {port} is no port; write HOST or HOST:PORT", param_hint="--server")
    return Address(host or "localhost", int(port or PORT))


def local() -> Address:
    """The daemon that the local settings describe."""
    file = places.configuration() / "virgate.toml"
    try:
        found = load(file if file.exists() else None).raw("xmlrpc")
    except SettingsError as error:
        raise Problem(str(error), "Correct that file, or say where the daemon is with --server.") from None
    address, tls = str(found.get("address", "127.0.0.1")), found.get("tls")
    if address in EVERYWHERE:  # it listens to the outside, so it is encrypted unless the settings say otherwise
        return Address("127.0.0.1", int(found.get("port", PORT)), tls if isinstance(tls, bool) else True)
    return Address(address, int(found.get("port", PORT)), tls if isinstance(tls, bool) else None)
