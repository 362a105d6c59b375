"""One qemu-nbd: alive once it greets on its socket, gone with its socket."""

import errno
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred, FailureGroup, race
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError, ConnectionLost
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from virgate.node.storage.errors.nbd import CannotServe
from virgate.run.errors import CannotStart
from virgate.run.loop import reactor
from virgate.run.process import Child, spawn

START = 10.0
"""Seconds within which a server must greet."""
GREETING = b"NBDMAGIC"
PAUSE = 0.03
"""Seconds between two looks whether the socket is there."""
LONGEST_SOCKET = 107
"""Bytes of a path that the kernel takes for a socket."""
ONLY_GROUP = 0o117
"""Umask of a server: its socket is for owner and group, from the first moment."""


@asynccontextmanager
async def serving(volume: str, argv: Sequence[str], socket: Path, owner: Sequence[int] | None) -> AsyncIterator[Child]:
    """Inside, the server can be used as long as the child lives; `CannotServe`. Leaving kills it."""
    if len(os.fsencode(socket)) > LONGEST_SOCKET:
        raise CannotServe(volume, f"{socket} is too long for the name of a socket: daemon.run_dir must be shorter")
    _remove(socket)
    try:
        async with spawn(argv, writes=True, umask=ONLY_GROUP, cwd="/") as child:
            await _ready(volume, child, socket)
            if owner:
                os.chown(socket, *owner, follow_symlinks=False)
            yield child
    except CannotStart as problem:
        missing = problem.errno == errno.ENOENT and shutil.which(argv[0]) is None
        why = f"{argv[0]} is not installed (Debian: qemu-utils)" if missing else str(problem)
        raise CannotServe(volume, why) from problem
    finally:
        _remove(socket)


async def _ready(volume: str, child: Child, socket: Path) -> None:
    """The volume is open then, which a socket that is merely there does not show."""
    greeted, ended = Deferred.fromCoroutine(_greeted(socket)), Deferred.fromCoroutine(child.exit_code())
    coming: list[Deferred[Any]] = [greeted, ended, deferLater(reactor, START)]
    try:
        first, _ = await race(coming)
    except FailureGroup:  # the timer has no other way to fail
        raise CancelledError from None
    if first == 1:
        raise CannotServe(volume, child.last_error or "qemu-nbd ended at once")
    if first == 2:
        raise CannotServe(volume, f"qemu-nbd is silent for {START:g} seconds {child.last_error}".rstrip())


async def _greeted(socket: Path) -> None:
    while True:
        try:
            hearing = _Hearing()
            await _connect(hearing, socket)
            await hearing.heard
        except (ConnectError, ConnectionLost):  # there is no socket yet, or it closes
            await deferLater(reactor, PAUSE)
        else:
            return


def _connect(hearing: "_Hearing", socket: Path) -> "Deferred[Any]":
    end = UNIXClientEndpoint(reactor, str(socket), timeout=START)  # type: ignore[no-untyped-call]
    return cast("Deferred[Any]", connectProtocol(end, hearing))  # type: ignore[no-untyped-call]


def _remove(socket: Path) -> None:
    socket.unlink(missing_ok=True)


class _Hearing(Protocol):
    """Leaves as soon as the server said something that only such a server says."""

    def __init__(self) -> None:
        self.heard: Deferred[None] = Deferred(lambda _: self._leave())
        self._said = b""

    def dataReceived(self, data: bytes) -> None:
        self._said += data
        if self._said.startswith(GREETING) and not self.heard.called:
            self.heard.callback(None)
            self._leave()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.heard.called:
            self.heard.errback(ConnectionLost())

    def _leave(self) -> None:
        if self.transport is not None:
            self.transport.abortConnection()
