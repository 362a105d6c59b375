"""The daemon's end of a worker process."""

import os
import sys
from collections.abc import Callable
from typing import Any

from virgate.run.frames import Frames
from virgate.run.group import Group
from virgate.run.outcome import Outcome
from virgate.run.pipes import Reader, Writer
from virgate.run.writers import writers


class WorkerHandle:
    """One process. `heard(frame)` is called for each answer, `died(how)` once."""

    def __init__(self, operations: str, heard: Callable[[list[Any]], None], died: Callable[[str], None]) -> None:
        self._heard, self._died = heard, died
        self._frames = Frames()
        self.gone: Outcome[None] = Outcome()
        path = os.pathsep.join(entry for entry in sys.path if entry.startswith(os.sep))
        argv = [sys.executable, "-P", "-m", "virgate.run.worker", operations]
        (their_in, our_out), (our_in, their_out) = os.pipe(), os.pipe()
        try:
            self._group = Group(
                argv,
                self._exit,
                stdin=their_in,
                stdout=their_out,
                stderr=None,
                env=dict(os.environ, PYTHONPATH=path),
                cwd="/",
                keep=(writers().writing,),
            )
        except BaseException:
            os.close(our_in)
            os.close(our_out)
            raise
        finally:
            os.close(their_in)
            os.close(their_out)
        self.pid = self._group.pid
        self._reader = Reader(our_in, self._receive, lambda: None)
        self._writer = Writer(our_out)

    def send(self, frame: bytes) -> None:
        self._writer.write(frame)

    def dismiss(self) -> None:
        """Ends the worker's input, which ends the worker; answers are not heard any more."""
        self._heard = lambda _: None
        self._died = lambda _: None
        self._writer.close()

    def kill(self) -> None:
        self.dismiss()
        self._group.kill()

    def _receive(self, data: bytes) -> None:
        try:
            for frame in self._frames.feed(data):
                self._heard(frame)
        except Exception as problem:
            self._died(f"it answered what cannot be read: {problem}")

    def _exit(self, code: int) -> None:
        self._reader.drain()
        self._reader.close()
        self._writer.close()
        self._group.reap()
        self.gone.tell(None)
        self._died(f"signal {-code} killed it" if code < 0 else f"it ended with code {code}")
