"""A program in a session and process group of its own: started, watched, killed, reaped.

`subprocess.Popen` forks by vfork (about a millisecond, whatever the daemon's size); a pidfd on the reactor tells the
end. There is no SIGCHLD handler and no thread. A child that ended stays a zombie until `reap`, so its process group
can be killed without ever meeting a stranger who got the same number.
"""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from os import PathLike, fspath
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

from virgate.run.errors import CannotStart
from virgate.run.loop import reactor

Argument = str | bytes | PathLike[str]


@implementer(IReadDescriptor)
class Group:
    """One running program. `ended(code)` is called once; a negative code is the signal that killed it."""

    def __init__(
        self,
        argv: Sequence[Argument],
        ended: Callable[[int], None],
        *,
        stdin: int,
        stdout: int | None,
        stderr: int | None,
        env: Mapping[str, str] | None = None,
        cwd: Argument | None = None,
        umask: int = -1,
        keep: Sequence[int] = (),
    ) -> None:
        """Of our other descriptors the program gets those to `keep`, by their own numbers."""
        self.program = os.fsdecode(fspath(argv[0]))
        self._ended = ended
        self._descriptor = -1
        self._reaped = False
        options: dict[str, Any] = {"stdin": stdin, "stdout": stdout, "stderr": stderr, "env": env, "umask": umask}
        try:
            self._process = subprocess.Popen(argv, cwd=cwd, pass_fds=keep, start_new_session=True, **options)
        except OSError as problem:
            raise CannotStart(self.program, problem.strerror or str(problem), problem.errno or 0) from problem
        except ValueError as problem:  # a NUL in an argument, an "=" in a variable's name
            raise CannotStart(self.program, str(problem), 0) from problem
        self.pid = self._process.pid
        try:
            self._descriptor = os.pidfd_open(self.pid)
        except OSError as problem:
            self.kill()
            self._process.wait()
            raise CannotStart(self.program, problem.strerror, problem.errno) from problem
        reactor.addReader(self)

    def signal(self, number: int) -> None:
        """Sends a signal to the whole group; to nobody once the child is reaped."""
        if not self._reaped:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def reap(self) -> None:
        """Lets the number of an ended child go. Children it left behind are beyond our reach from now on."""
        self._reaped = True
        self._process.wait()

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:
        return self.program

    def doRead(self) -> None:
        state = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if state is None:
            return
        reactor.removeReader(self)
        os.close(self._descriptor)
        self._descriptor = -1
        self._ended(state.si_status if state.si_code == os.CLD_EXITED else -state.si_status)

    def connectionLost(self, reason: object) -> None:
        """A pidfd has no other side that could hang up."""
