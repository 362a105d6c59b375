"""Programs that write to shared storage end with the daemon, and the last of them tells."""

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_twisted

from virgate.run.errors import CannotStart, TimedOut
from virgate.run.helper import Helper
from virgate.run.process import run, spawn
from virgate.run.writers import bound, writers

# A daemon that runs one program that writes, tells its number, and is killed.
DAEMON = """
import os, sys
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from virgate.run.process import spawn

async def main():
    async with spawn(sys.argv[2:], writes=sys.argv[1] == "writes") as child:
        os.write(1, b"%d\\n" % child.pid)
        await child.exit_code()

Deferred.fromCoroutine(main())
reactor.run()
"""


def runs(pid: int) -> int:
    """Waits until the child has become the program: before that, setpriv has promised nothing. No event tells it."""
    ends = time.monotonic() + 10
    while Path(f"/proc/{pid}/comm").read_text() != "sleep\n" and time.monotonic() < ends:
        time.sleep(0.002)
    return pid


def inherits(pid: int) -> bool:
    pipe = os.readlink(f"/proc/self/fd/{writers().writing}")
    found = False
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # what a starting program opened for a moment
            found |= os.readlink(entry) == pipe and os.access(entry, os.W_OK)
    return found


@pytest_twisted.ensureDeferred
async def test_a_program_that_writes_has_the_pipe_and_no_other_has() -> None:
    async with spawn(["sleep", "60"], writes=True) as writing, spawn(["sleep", "60"]) as other:
        assert (inherits(runs(writing.pid)), inherits(runs(other.pid))) == (True, False)


@pytest_twisted.ensureDeferred
async def test_a_helper_has_the_pipe() -> None:
    helper = Helper("a mount", "virgate.node.storage.operations")
    try:
        await helper.call("read_link", "/nothing")
        assert helper.pid is not None
        assert inherits(helper.pid)
    finally:
        await helper.stop()


@pytest_twisted.ensureDeferred
async def test_a_program_that_writes_is_told_by_its_own_name() -> None:
    with pytest.raises(CannotStart, match="no-such-program"):
        await run(["no-such-program"], writes=True)
    with pytest.raises(TimedOut, match=r"^sleep "):
        await run(["sleep", "60"], writes=True, timeout=0.01)
    assert (await run(["sh", "-c", "echo $0 $1", "a", "--b"], writes=True)).stdout == b"a --b\n"


def test_a_program_is_looked_for_where_its_own_environment_says() -> None:
    with pytest.raises(CannotStart):
        bound(["sleep"], {"PATH": "/nowhere"})
    assert bound(["sleep", "-x"])[-2:] == ["sleep", "-x"]


@pytest.mark.parametrize("writes", [True, False])
def test_only_what_writes_dies_with_the_daemon(writes: bool) -> None:
    argv = ["writes" if writes else "other", "sleep", "60"]
    daemon = subprocess.Popen([sys.executable, "-c", DAEMON, *argv], stdout=subprocess.PIPE)
    assert daemon.stdout is not None
    child = os.pidfd_open(runs(int(daemon.stdout.readline())))
    try:
        daemon.kill()
        daemon.wait()
        if writes:
            assert ended(child, 10)
        else:
            assert not ended(child, 0.1)
    finally:
        daemon.stdout.close()
        if not ended(child, 0):
            signal.pidfd_send_signal(child, signal.SIGKILL)
        os.close(child)


def ended(pidfd: int, patience: float) -> bool:
    return bool(select.select([pidfd], [], [], patience)[0])
