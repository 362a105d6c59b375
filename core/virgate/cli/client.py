"""Speaks XML-RPC to a daemon and turns what it says into values or into an error that says what to do next."""

import http.client
import ssl
import xmlrpc.client
from pathlib import Path
from typing import Any

import click

from virgate.config import SettingsError, load, places

PORT = 54321
HINTS = {
    1: "`virgate vm list` shows the machines this daemon knows.",
    44: "This daemon does not do that yet; `virgate verbs` lists what it does.",
    99: "The daemon is starting; ask again in a moment.",
    309: "Connect the pool first: `virgate storage pool connect`.",
    358: "`virgate storage domain list` shows what is visible; is its server connected?",
    401: "`virgate task list` shows the tasks that are known.",
    654: "Only the storage pool manager may do this: `virgate storage spm start`.",
}


class Refused(click.ClickException):
    """The daemon answered with a code other than 0."""

    def __init__(self, verb: str, code: int, message: str) -> None:
        hint = f"\n{HINTS[code]}" if code in HINTS else ""
        super().__init__(f"{verb}: {message} (code {code}){hint}")
        self.code = code


class Client:
    """One daemon. `call` gives the reply without its status."""

    def __init__(self, server: str | None, tls: bool | None, pki: Path | None, as_json: bool) -> None:
        self.as_json = as_json
        self._server, self._tls, self._pki = server, tls, pki
        self._proxy: xmlrpc.client.ServerProxy | None = None

    def call(self, verb: str, *arguments: Any) -> dict[str, Any]:
        host, port, encrypted = self._address()
        self._proxy = self._proxy or self._connect(host, port, encrypted)
        try:
            answer: Any = getattr(self._proxy, verb)(*arguments)
        except ConnectionRefusedError:
            raise click.ClickException(
                f"Nobody answers at {host}:{port}. Is virgated running? `systemctl status virgated`"
            ) from None
        except ssl.SSLError as error:
            raise click.ClickException(
                f"No encrypted connection to {host}:{port}: {error.reason or error}. "
                "`virgate pki show` tells which keys are used."
            ) from None
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise click.ClickException(f"{host}:{port}: {error}") from None
        status = answer.pop("status")
        if status["code"]:
            raise Refused(verb, status["code"], status["message"])
        return answer  # type: ignore[no-any-return]

    def _connect(self, host: str, port: int, encrypted: bool) -> xmlrpc.client.ServerProxy:
        bracketed = f"[{host}]" if ":" in host else host
        if not encrypted:
            return xmlrpc.client.ServerProxy(f"http://{bracketed}:{port}/RPC2", allow_none=True)
        folder = self._pki or places.state() / "pki"
        try:
            context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
            context.load_cert_chain(folder / "client.pem", folder / "client.key")
        except OSError as error:
            raise click.ClickException(
                f"{error.filename or folder}: {error.strerror}. "
                "`virgate pki init` makes keys, --pki names their folder."
            ) from None
        context.check_hostname = False  # hosts are known by their certificate authority, as old clients know them
        return xmlrpc.client.ServerProxy(f"https://{bracketed}:{port}/RPC2", allow_none=True, context=context)

    def _address(self) -> tuple[str, int, bool]:
        if self._server is None:
            host, port, configured = _local()
        else:
            host, port, configured = *_split(self._server), None
        encrypted = self._tls if self._tls is not None else configured
        loopback = host in ("localhost", "::1") or host.startswith("127.")
        return host, port, not loopback if encrypted is None else encrypted


def _split(server: str) -> tuple[str, int]:
    if server.startswith("["):
        host, _, port = server[1:].partition("]")
        port = port.removeprefix(":")
    elif server.count(":") > 1:
        host, port = server, ""
    else:
        host, _, port = server.partition(":")
    if port and not port.isdecimal():
        raise click.BadParameter(f"{server}: the port is no number", param_hint="--server")
    return host or "localhost", int(port or PORT)


def _local() -> tuple[str, int, bool | None]:
    """Address, port and encryption of the daemon that the local settings describe."""
    file = places.configuration() / "virgate.toml"
    try:
        found = load(file if file.exists() else None).raw("xmlrpc")
    except SettingsError:
        found = {}
    address = str(found.get("address", "127.0.0.1"))
    tls = found.get("tls")
    host = "127.0.0.1" if address in ("0.0.0.0", "::", "") else address  # noqa: S104 (compared, not bound)
    return host, int(found.get("port", PORT)), tls if isinstance(tls, bool) else None
