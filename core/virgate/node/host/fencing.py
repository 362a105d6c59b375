"""Another host's power, through the fence agents (spec xmlrpc-host-vm 2.5, fenceNode).

What an agent must know goes to its standard input, passwords with it: its command line is for everybody to see.
"""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import ClassVar

from attrs import field, frozen
from twisted.logger import Logger

from virgate.errors import InvalidParameter, VirgateError, error
from virgate.run.errors import CannotStart, TimedOut
from virgate.run.process import run

AGENTS = Path("/usr/sbin")
ACTIONS = ("status", "on", "off", "reboot")
PATIENCE = 300.0
"""Seconds an agent may take; some wait for a host to go down."""
POWERS = {0: "on", 2: "off"}

log = Logger()


@error
class UnknownAgent(VirgateError):
    """No program of that name, or the host has no fence agents."""

    code: ClassVar[int] = 43
    text: ClassVar[str] = "Unsupported fencing agent: {self.agent}; is the package fence-agents installed?"
    agent: str


@frozen
class Fencing:
    """One request. Every text is one line: more would be more orders to the agent."""

    address: str
    port: str
    agent: str
    username: str
    password: str = field(repr=False)
    action: str
    secure: bool = False
    options: str = field(default="", repr=False)
    """Lines `name=value`, passed on as they are."""

    def __attrs_post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise InvalidAction(self.action)
        if not self.agent.replace("_", "").replace("-", "").isalnum() or not self.agent.isascii():
            raise UnknownAgent(self.agent)
        for name in ("address", "port", "username", "password"):
            if any(mark in getattr(self, name) for mark in "\r\n\0"):
                raise InvalidParameter(name, "more than one line")

    @property
    def input(self) -> bytes:
        lines = [
            f"agent=fence_{self.agent}",
            f"ipaddr={self.address}",
            f"login={self.username}",
            f"action={self.action}",
            f"passwd={self.password}",
            *([f"port={self.port}"] if self.port else []),
            *(["secure=yes"] if self.secure else []),
        ]
        return "\n".join([*lines, self.options]).encode()


@error
class InvalidAction(VirgateError):
    """Old clients know it by the general code."""

    code: ClassVar[int] = 16
    text: ClassVar[str] = "A fence agent cannot do {self.action!r}; it knows status, on, off, reboot"
    action: str


@frozen
class Fenced:
    """The answer: `code` and `message` of the status, and members beside it."""

    code: int
    message: str
    members: Mapping[str, str]


def outcome(action: str, code: int, said: str) -> Fenced:
    """What an agent's exit code means."""
    if not 0 <= code <= 2:
        return Fenced(1, said, {})
    if action == "status":
        known = code in POWERS
        return Fenced(0 if known else 1, "Done" if known else said, {"power": POWERS.get(code, "unknown")})
    members = {"power": "unknown", "operationStatus": "initiated"}
    return Fenced(code, "Done" if code == 0 else said, members)


async def fence(
    request: Fencing,
    policy: Mapping[str, object],
    lives: Callable[[str, int], Awaitable[bool]],
    agents: Path = AGENTS,
) -> Fenced:
    """Runs the agent, unless `policy` names storage where the host in question is seen alive: `lives(domain, host id)`.

    Raises `UnknownAgent` (43).
    """
    if request.action != "status" and await _seen(policy, lives):
        log.info("{address} is not fenced: it renews its leases", address=request.address)
        return Fenced(0, "Done", {"operationStatus": "skipped"})
    program = agents / f"fence_{request.agent}"
    if not program.is_file():
        raise UnknownAgent(request.agent)
    try:
        ended = await run([program], input=request.input, timeout=PATIENCE, merge_stderr=True)
    except TimedOut:
        return Fenced(1, f"{program.name} did not end within {PATIENCE:g} seconds", {})
    except CannotStart as problem:
        return Fenced(1, str(problem), {})
    return outcome(
        request.action, ended.code, ended.stdout.decode(errors="replace").replace(request.password or "\0", "***")
    )


async def _seen(policy: Mapping[str, object], lives: Callable[[str, int], Awaitable[bool]]) -> bool:
    """Storage that cannot be asked has not seen anybody."""
    ids = policy.get("storageDomainHostIdMap")
    for domain, host in ids.items() if isinstance(ids, Mapping) else ():
        try:
            if await lives(str(domain), int(host)):
                return True
        except (VirgateError, ValueError) as problem:
            log.warn(
                "domain {domain} does not tell whether host {host} lives: {why}", domain=domain, host=host, why=problem
            )
    return False
