"""Programs of the lab: run one to its end, keep one running, end exactly what was started."""

import contextlib
import os
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

# Everything started here carries the lab's name in its environment; `leftovers.py` looks for it.
MARK = "VIRGATE_LAB"


class CommandFailed(Exception):
    """A program ended with another code than 0; the text holds what it said."""


class CommandTimedOut(Exception):
    """A program did not end in time and was killed with all it had started."""


@dataclass(frozen=True)
class Finished:
    """How a program ended. A negative code is the signal that killed it."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    def check(self) -> Self:
        if self.code:
            raise CommandFailed(f"{shlex.join(self.argv)}: exit {self.code}\n{self.stderr}{self.stdout}".rstrip())
        return self


def environment(mark: str, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", MARK: mark, **(extra or {})}


def run(
    argv: Sequence[str],
    *,
    input: str = "",
    timeout: float = 60.0,
    check: bool = True,
    env: Mapping[str, str] | None = None,
) -> Finished:
    """Runs a program to its end. At `timeout` its whole process group is killed."""
    child = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
        env=env,
    )
    try:
        stdout, stderr = child.communicate(input, timeout)
    except BaseException as problem:
        if child.returncode is None:  # else it is buried, and its pid may be somebody else's by now
            kill_group(child.pid)
            child.communicate()
        if isinstance(problem, subprocess.TimeoutExpired):
            raise CommandTimedOut(f"{shlex.join(argv)}: killed after {timeout:g} s") from None
        raise
    finished = Finished(tuple(argv), child.returncode, stdout, stderr)
    return finished.check() if check else finished


def kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


class Daemon:
    """A program that runs until `stop`. It also ends when the process that started it dies, whatever way.

    It is not buried before its group was killed: until then its pid cannot become a stranger's.
    """

    def __init__(
        self,
        argv: Sequence[str],
        log: Path,
        *,
        mark: str,
        env: Mapping[str, str] | None = None,
        fds: Sequence[int] = (),
    ) -> None:
        self.log = log
        with log.open("ab") as sink:
            self._child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *argv],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=fds,
                env=environment(mark, env),
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def ended(self) -> bool:
        return self._child.returncode is not None or self._waits_for_burial()

    def stop(self, patience: float = 5.0) -> None:
        """Asks the program to end, then kills its process group."""
        if not self.ended:
            os.kill(self.pid, signal.SIGTERM)
            deadline = time.monotonic() + patience
            while not self.ended and time.monotonic() < deadline:
                time.sleep(0.01)
        self.kill()

    def kill(self) -> None:
        """Kills the process group and waits for it and for its children: a pid namespace's first process is one."""
        if self._child.returncode is not None:
            return
        with contextlib.ExitStack() as watched:
            gone = [os.pidfd_open(child) for child in children(self._child.pid)]
            for descriptor in gone:
                watched.callback(os.close, descriptor)
            kill_group(self._child.pid)
            self._child.wait()
            for descriptor in gone:
                select.select([descriptor], [], [], 5)

    def _waits_for_burial(self) -> bool:
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None

    def last_words(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def only_child(pid: int) -> int:
    """The process that a wrapper such as `unshare --fork` waits for."""
    (child,) = children(pid)
    return child
