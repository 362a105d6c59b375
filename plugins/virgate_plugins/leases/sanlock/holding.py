"""The daemon's end of the processes that sanlock knows."""

import os
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from twisted.internet.defer import Deferred, TimeoutError

from virgate.run.errors import HelperLost
from virgate.run.group import Group
from virgate.run.loop import reactor
from virgate.run.pipes import Reader
from virgate.run.writers import writers

PROGRAMS = Path(__file__).parent.with_name("sanlock_programs")
PROGRAM, GUARD = PROGRAMS / "holder.py", PROGRAMS / "guard.py"
PATIENCE = 30.0
"""Seconds within which sanlock registers a process."""


Lost = Callable[[str], None]
"""Told how leases were lost."""


class Registered:
    """One process, registered or about to be. `lost(how)` is called once unless it was told to end."""

    def __init__(self, name: str, lost: Lost, program: Path, *arguments: str, keep: Sequence[int] = ()) -> None:
        self._name, self._lost = name, lost
        self._answer: Deferred[None] | None = Deferred()
        self._heard = b""
        self._ended = False
        ours, theirs = socket.socketpair()
        path = os.pathsep.join(entry for entry in sys.path if entry.startswith(os.sep))
        try:
            self._group = Group(
                [sys.executable, "-P", str(program), *arguments],
                self._exit,
                stdin=theirs.fileno(),
                stdout=None,
                stderr=None,
                env=dict(os.environ, PYTHONPATH=path),
                cwd="/",
                keep=keep,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._line = ours
        ours.setblocking(False)
        self._reader = Reader(os.dup(ours.fileno()), self._hear, lambda: None)

    @property
    def pid(self) -> int:
        return self._group.pid

    @property
    def over(self) -> bool:
        """It holds nothing any more, or will not for long."""
        return self._ended

    async def ready(self) -> None:
        """sanlock knows the process. OSError as sanlock gave it, `HelperLost`."""
        answer = self._answer
        if answer is None:
            return
        try:
            await answer.addTimeout(PATIENCE, reactor)
        except TimeoutError:
            self.end()
            raise HelperLost(self._name, "register", f"no answer within {PATIENCE:g} seconds") from None

    def end(self) -> None:
        """Gives back whatever it holds. Nothing that needs those leases may be under way."""
        self._dismiss(b"x")

    def _dismiss(self, word: bytes) -> None:
        self._ended = True
        with suppress(OSError):  # it is gone already
            self._line.send(word, socket.MSG_NOSIGNAL)
        self._line.close()
        self._reader.close()

    def _hear(self, data: bytes) -> None:
        self._heard += data
        while b"\n" in self._heard:
            line, self._heard = self._heard.split(b"\n", 1)
            word, _, rest = line.decode(errors="replace").partition(" ")
            if word == "lost":
                self._tell(rest)
            elif self._answer is not None:
                answer, self._answer = self._answer, None
                if word == "ready":
                    answer.callback(None)
                else:
                    number, _, text = rest.partition(" ")
                    self._ended = True
                    answer.errback(OSError(int(number), text))

    def _exit(self, code: int) -> None:
        self._reader.drain()
        self._group.reap()
        how = f"signal {-code} killed" if code < 0 else f"code {code} ended"
        if self._answer is not None:
            answer, self._answer = self._answer, None
            answer.errback(HelperLost(self._name, "register", f"{how} the process that holds leases"))
            self._ended = True
        self._tell(f"{how} the process that holds it")

    def _tell(self, how: str) -> None:
        if not self._ended:
            self._ended = True
            self._lost(how)


class Holder(Registered):
    """Holds this host's own leases in one domain."""

    def __init__(self, name: str, lost: Lost) -> None:
        reading = writers().reading
        super().__init__(name, lost, PROGRAM, str(reading), keep=(reading,))


class Guard(Registered):
    """Holds the leases of a machine's disks. Once the guest has started it goes its own way."""

    def __init__(self, machine: str) -> None:
        super().__init__(f"guard of {machine}", lambda how: None, GUARD, machine)

    def started(self) -> None:
        """From now on it lives, and holds the leases, as long as the machine's QEMU."""
        self._dismiss(b"s")
