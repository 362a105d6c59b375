"""Programs as coroutines.

`await run([...])` for a program whose output is wanted as a whole, `async with spawn([...]) as child` for one whose
output is followed while it runs. Both run the program in a session of its own and leave nothing of it behind when
the time is up, the caller is cancelled, the fence he works behind falls (virgate.run.fence) or the block is left
early. Use from the reactor's thread only.

Starting is the one moment that waits for the kernel: an executable on storage that may hang is a helper's business.
"""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from attrs import frozen

from virgate.run.errors import TimedOut
from virgate.run.fence import Fence, admitted
from virgate.run.group import Argument, Group
from virgate.run.loop import reactor
from virgate.run.outcome import Outcome
from virgate.run.output import Kept, Pieces
from virgate.run.pipes import Reader, Writer
from virgate.run.writers import bound, writers

GRACE = 0.25
"""Seconds that output may still come in after the program ended while a child of its own holds the pipe open."""

KILL_PATIENCE = 5.0
"""Seconds to wait for a killed program; one stuck in the kernel is left to die when it can."""

MEBIBYTE = 1 << 20


@frozen
class Finished:
    """How a program ended. `code` below 0: killed by signal `-code`."""

    code: int
    stdout: bytes
    stderr: bytes


async def run(
    argv: Sequence[Argument],
    *,
    input: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: Argument | None = None,
    timeout: float | None = None,  # noqa: ASYNC109
    umask: int = -1,
    limit: int = MEBIBYTE,
    merge_stderr: bool = False,
    writes: bool = False,
) -> Finished:
    """Runs a program to its end; the options are those of `spawn`.

    Raises CannotStart or TimedOut; an exit code is no error. Cancelling kills the process group.
    """
    options: dict[str, Any] = {"env": env, "cwd": cwd, "umask": umask, "writes": writes}
    async with Child(argv, input, options, timeout, limit, merge_stderr) as child:
        code = await child.exit_code()
    return Finished(code, child.stdout, child.stderr)


def spawn(
    argv: Sequence[Argument],
    *,
    input: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: Argument | None = None,
    timeout: float | None = None,
    umask: int = -1,
    limit: int = MEBIBYTE,
    merge_stderr: bool = False,
    writes: bool = False,
) -> "Child":
    """A program that starts when its `async with` block is entered; leaving the block early kills its group.

    Of each stream the first and the last half of `limit` bytes are kept; the program is never held up by the rest.
    One that `writes` to shared storage dies with the daemon, and counts among the writers (see `writers.py`).
    """
    options = {"env": env, "cwd": cwd, "umask": umask, "writes": writes}
    return Child(argv, input, options, timeout, limit, merge_stderr)


class Child:
    """A program that runs inside an `async with` block; made by `spawn`."""

    def __init__(
        self,
        argv: Sequence[Argument],
        input: bytes,
        options: dict[str, Any],
        timeout: float | None,
        limit: int,
        merge_stderr: bool,
    ) -> None:
        self._argv, self._input, self._options = argv, input, dict(options)
        self._writes = self._options.pop("writes")
        self._options["keep"] = (writers().writing,) if self._writes else ()
        self._timeout, self._limit, self._merge = timeout, limit, merge_stderr
        self._group: Group
        self._code: int | None = None
        self._late: TimedOut | None = None
        self._finished: Outcome[None] = Outcome()
        self._gone: Outcome[None] = Outcome()
        self._out, self._err = Kept(limit), Kept(limit)
        self._pieces: Pieces | None = None
        self._readers: list[Reader] = []
        self._writer: Writer | None = None
        self._timer: Any = None
        self._fence: Fence | None = None
        self._ending = False

    async def __aenter__(self) -> Self:
        self._fence = admitted()
        descriptors = _Descriptors()
        try:
            stdin = descriptors.pipe_to() if self._input else subprocess.DEVNULL
            stdout = descriptors.pipe_from()
            stderr = subprocess.STDOUT if self._merge else descriptors.pipe_from()
            argv = bound(self._argv, self._options["env"]) if self._writes else self._argv
            self._group = Group(argv, self._exit, stdin=stdin, stdout=stdout, stderr=stderr, **self._options)
        except BaseException:
            descriptors.close_ours()
            raise
        finally:
            descriptors.close_theirs()
        self._attach(descriptors)
        if self._fence:
            self._fence.add(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, where: TracebackType | None
    ) -> None:
        if not self._finished.known:
            self._end_by_force()
            await self._finished.wait()

    @property
    def pid(self) -> int:
        return self._group.pid

    @property
    def stdout(self) -> bytes:
        """What was kept of standard output, as far as it was not taken in pieces."""
        return self._out.data

    @property
    def stderr(self) -> bytes:
        return self._err.data

    @property
    def last_error(self) -> str:
        """The last line on standard error that says something; empty if there is none."""
        lines = [line for line in self.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
        return lines[-1].strip() if lines else ""

    def pieces(self, separator: str = "\n", also: str = "") -> Pieces:
        """Standard output, cut at the separator (one character, when there is `also` another), for one `async for`.

        The program waits while nobody takes the pieces. When its time is up, TimedOut is raised here, too.
        """
        self._pieces = Pieces(separator.encode(), self._limit, self._hold, also.encode())
        self._pieces.feed(self._out.take())
        if self._finished.known:
            self._pieces.end(self._late)
        return self._pieces

    async def exit_code(self) -> int:
        """Waits for the end. Pieces not taken by now are dropped. Raises TimedOut when that is how it ended."""
        if self._pieces:
            self._pieces.abandon()
            self._hold(False)
        await self._finished.wait()
        if self._late:
            raise self._late
        return -9 if self._code is None else self._code

    def kill(self) -> None:
        """Kills the program and all of its process group."""
        self._group.kill()

    def terminate(self) -> None:
        """Asks the program and all of its process group to end."""
        self._group.signal(signal.SIGTERM)

    def fence_fell(self, fence: Fence) -> list[Outcome[None]]:
        self.kill()
        return [self._gone]

    def _attach(self, descriptors: "_Descriptors") -> None:
        self._readers = [Reader(descriptors.reading[0], self._hear, self._stream_ended)]
        self._readers += [Reader(found, self._err.feed, self._stream_ended) for found in descriptors.reading[1:]]
        for found in descriptors.writing:
            self._writer = Writer(found)
            self._writer.write(self._input)
            self._writer.finish()
        if self._timeout is not None:
            self._set_timer(self._timeout, self._expire)

    def _hear(self, data: bytes) -> None:
        (self._pieces or self._out).feed(data)

    def _hold(self, held: bool) -> None:
        reader = self._readers[0]
        reader.pause() if held else reader.resume()

    def _exit(self, code: int) -> None:
        self._code = code
        self._gone.tell(None)
        if self._fence:
            self._fence.discard(self)
        if self._ending:  # killed long ago, and only now could it die
            self._group.reap()
            return
        self._set_timer(GRACE, self._finish)
        self._stream_ended()

    def _stream_ended(self) -> None:
        if self._code is not None and all(reader.closed for reader in self._readers):
            self._finish()

    def _expire(self) -> None:
        self._late = TimedOut(os.fsdecode(self._argv[0]), self._timeout or 0)
        self._end_by_force()

    def _end_by_force(self) -> None:
        self.kill()
        if self._code is None:
            self._set_timer(KILL_PATIENCE, self._finish)
        else:
            self._finish()

    def _finish(self) -> None:
        if self._ending:
            return
        self._ending = True
        self._set_timer(None)
        for reader in self._readers:
            reader.drain()
            reader.close()
        if self._writer:
            self._writer.close()
        if self._code is not None:
            self._group.reap()
        if self._pieces:
            self._pieces.end(self._late)
        self._finished.tell(None)

    def _set_timer(self, seconds: float | None, action: Callable[[], None] | None = None) -> None:
        if self._timer and self._timer.active():
            self._timer.cancel()
        self._timer = None if seconds is None else reactor.callLater(seconds, action)


class _Descriptors:
    """The pipes of one start. Ours are closed when starting fails, theirs in any case."""

    def __init__(self) -> None:
        self.reading: list[int] = []
        self.writing: list[int] = []
        self._theirs: list[int] = []

    def pipe_from(self) -> int:
        reading, writing = os.pipe()
        self.reading.append(reading)
        self._theirs.append(writing)
        return writing

    def pipe_to(self) -> int:
        reading, writing = os.pipe()
        self.writing.append(writing)
        self._theirs.append(reading)
        return reading

    def close_ours(self) -> None:
        for descriptor in self.reading + self.writing:
            os.close(descriptor)

    def close_theirs(self) -> None:
        for descriptor in self._theirs:
            os.close(descriptor)
