"""iscsiadm and the helper of this plugin, for one piece of work at a time on one portal."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from twisted.internet.defer import DeferredLock

from virgate.run.errors import CannotStart, TimedOut
from virgate.run.helper import Helper
from virgate.run.process import Finished, run
from virgate_plugins.storage.iscsi.admin import NO_PROGRAM, Argv
from virgate_plugins.storage.iscsi.settings import in_force

OPERATIONS = "virgate_plugins.storage.iscsi.operations"
TIMED_OUT = 8
"""The exit code of iscsiadm when nobody answered."""

_turns: dict[str, DeferredLock] = {}


class NoIscsiadm(Exception):
    """Says what to install."""


@asynccontextmanager
async def turn(portal: str) -> AsyncIterator[Helper]:
    """Two logins at one portal would write each other's records. The helper ends with the block."""
    lock = _turns.setdefault(portal, DeferredLock())
    await lock.acquire()
    helper = Helper(f"iscsi {portal}", OPERATIONS, patience=in_force.values.patience)
    try:
        yield helper
    finally:
        await helper.stop()
        lock.release()
        if not lock.locked:
            _turns.pop(portal, None)


async def iscsiadm(argv: Argv) -> Finished:
    """One that hangs ended as if nobody had answered."""
    try:
        return await run(argv, timeout=in_force.values.patience)
    except CannotStart:
        raise NoIscsiadm(NO_PROGRAM) from None
    except TimedOut as problem:
        return Finished(TIMED_OUT, b"", str(problem).encode())


def said(finished: Finished) -> str:
    return finished.stderr.decode(errors="replace")


async def obstacle(helper: Helper, host: str, port: int) -> str:
    """Why the portal cannot be reached. iscsid tells only, and late, that nobody answered."""
    patience = in_force.values.connect_timeout
    found: Any = await helper.call("obstacle", host, port, patience)
    return str(found)
