"""Speaks XML-RPC to a daemon and turns what it says into values or into an error that says what to do next."""

import http.client
import socket
import ssl
import xmlrpc.client
from pathlib import Path
from typing import Any

import click

from virgate.cli import address
from virgate.cli.address import Address
from virgate.cli.problems import Problem, Refused
from virgate.config import places

PATIENCE = 10.0
"""Seconds for a daemon to take the connection."""


class Client:
    """One daemon. `call` gives the reply without its status. `hurry`: seconds after which any call is given up."""

    def __init__(
        self,
        server: str | None = None,
        tls: bool | None = None,
        pki: Path | None = None,
        as_json: bool = False,
        *,
        hurry: float | None = None,
    ) -> None:
        self.as_json = as_json
        self._server, self._tls, self._pki, self._hurry = server, tls, pki, hurry
        self._connected: tuple[Address, xmlrpc.client.ServerProxy] | None = None

    def call(self, verb: str, *arguments: Any) -> dict[str, Any]:
        where, proxy = self._connected = self._connected or self._connect()
        try:
            answer: Any = getattr(proxy, verb)(*arguments)
        except ssl.SSLError as error:
            raise _not_encrypted(where, error) from None
        except xmlrpc.client.Fault as fault:
            raise Problem(f"{verb}: {fault.faultString}", "`virgate verbs` lists what there is.", verb=verb) from None
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise _unreachable(where, error) from None
        status = answer.pop("status")
        if status["code"]:
            raise Refused(verb, status["code"], status["message"])
        return answer  # type: ignore[no-any-return]

    @property
    def where(self) -> Address:
        """The daemon that is asked."""
        found = address.read(self._server) if self._server else address.local()
        return found if self._tls is None else Address(found.host, found.port, self._tls)

    def link(self) -> socket.socket:
        """A bare connection to the daemon, encrypted if calls are, for the other protocols of its port."""
        where = self.where
        try:
            plain = socket.create_connection((where.host, where.port), self._hurry or PATIENCE)
            return self._context().wrap_socket(plain) if where.tls else plain
        except ssl.SSLError as error:
            raise _not_encrypted(where, error) from None
        except OSError as error:
            raise _unreachable(where, error) from None

    def _connect(self) -> tuple[Address, xmlrpc.client.ServerProxy]:
        where = self.where
        transport = _Encrypted(self._context(), self._hurry) if where.tls else _Plain(self._hurry)
        url = f"{'https' if where.tls else 'http'}://{where}/RPC2"
        return where, xmlrpc.client.ServerProxy(url, transport=transport, allow_none=True)

    def _context(self) -> ssl.SSLContext:
        folder = self._pki or places.state() / "pki"
        try:
            context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
            context.load_cert_chain(folder / "client.pem", folder / "client.key")
        except OSError as error:
            raise Problem(
                f"No keys for an encrypted connection in {folder}: {error.strerror or error}",
                "`virgate pki init` makes keys on the host, `virgate pki issue-client` for other machines; "
                "--pki names their folder.",
            ) from None
        context.check_hostname = False  # hosts are known by their certificate authority, as old clients know them
        return context


def for_completion(ctx: click.Context) -> Client:
    """The daemon of the half-typed command line. It must be quick: the shell waits."""
    asked = ctx.find_root().params
    return Client(asked.get("server"), asked.get("tls"), asked.get("pki"), hurry=2.0)


def _not_encrypted(where: Address, error: ssl.SSLError) -> Problem:
    hint = "`virgate pki show` tells which keys are used, --pki names others."
    if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        hint = "The daemon does not encrypt there, it seems; --no-tls does without."
    return Problem(f"No encrypted connection to {where}: {error.reason or error}", hint)


def _unreachable(where: Address, error: Exception) -> Problem:
    if isinstance(error, ConnectionRefusedError):
        return Problem(f"Nobody answers at {where}.", "Is virgated running? `systemctl status virgated` tells.")
    if isinstance(error, socket.gaierror):
        return Problem(f"There is no host {where.host}: {error.strerror}", "--server takes HOST or HOST:PORT.")
    if isinstance(error, TimeoutError):
        return Problem(
            f"{where} does not answer in time.", "Is it the right address, and does its firewall let you in?"
        )
    if isinstance(error, xmlrpc.client.ProtocolError) and error.errcode == 403:
        hint = "Call as root, or have `[xmlrpc] local_users` name you; with keys: --tls."
        return Problem(f"The daemon at {where} does not take calls from this user.", hint)
    if isinstance(error, xmlrpc.client.ProtocolError):
        return Problem(f"{where}: HTTP {error.errcode} {error.errmsg}", "Is it a virgated that answers there?")
    other = "not encrypt there? --no-tls does without." if where.tls else "ask for encryption there? --tls tries."
    hint = f"Does the daemon {other}"
    return Problem(f"{where}: {error}", hint)


class _PlainConnection(http.client.HTTPConnection):
    """Gives up when nobody takes the call within seconds; once connected, a long verb may take its time."""

    hurry: float | None = None

    def connect(self) -> None:
        self.timeout = self.hurry or PATIENCE
        super().connect()
        self.sock.settimeout(self.hurry)


class _EncryptedConnection(_PlainConnection, http.client.HTTPSConnection):
    pass


class _Plain(xmlrpc.client.Transport):
    def __init__(self, hurry: float | None) -> None:
        super().__init__()
        self._hurry = hurry

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        if not (self._connection and self._connection[0] == host):
            made = _PlainConnection(host)
            made.hurry = self._hurry
            self._connection = host, made
        return self._connection[1]  # type: ignore[return-value]


class _Encrypted(xmlrpc.client.SafeTransport):
    def __init__(self, context: ssl.SSLContext, hurry: float | None) -> None:
        super().__init__(context=context)
        self._trust, self._hurry = context, hurry

    def make_connection(self, host: Any) -> http.client.HTTPSConnection:
        if not (self._connection and self._connection[0] == host):
            made = _EncryptedConnection(host, context=self._trust)
            made.hurry = self._hurry
            self._connection = host, made
        return self._connection[1]  # type: ignore[return-value]
