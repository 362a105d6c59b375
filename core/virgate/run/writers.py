"""Who may still write to shared storage when the daemon is gone.

A host that gives its leases back must be sure that nothing of it writes any more. So each process that changes shared
storage for the daemon (helpers, `process.run(..., writes=True)`) inherits the write end of one pipe, which the daemon
has as well. Whoever keeps leases has the read end: it comes to its end when the daemon and the last of them are gone,
however they ended. Such a program is also killed when the daemon dies, so that this does not take long; one stuck in
the kernel keeps the pipe open, and the leases held, until it is out.

The pipe is handed over by name, never inherited by chance: a program that leaves a service behind (a mount, a script)
would keep it open for ever.
"""

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from functools import cache
from os import PathLike

from attrs import frozen

from virgate.run.errors import CannotStart

Argument = str | bytes | PathLike[str]

# setpriv (util-linux) costs a millisecond; a function run between fork and exec would cost vfork, and be unsafe beside
# threads.
DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")


@frozen
class Pipe:
    reading: int
    writing: int


@cache
def writers() -> Pipe:
    """The pipe of this daemon; neither end is inherited unless it is handed over."""
    return Pipe(*os.pipe())


def bound(argv: Sequence[Argument], env: Mapping[str, str] | None = None) -> list[Argument]:
    """The same program, killed when the daemon dies; CannotStart if there is none, as without it."""
    program = os.fsdecode(argv[0])
    if shutil.which(program, path=(os.environ if env is None else env).get("PATH")) is None:
        raise CannotStart(program, os.strerror(errno.ENOENT), errno.ENOENT)
    return [*DIES_WITH_US, *argv]
