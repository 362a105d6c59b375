"""The process that holds leases, without sanlock: a module of that name registers it with nobody.

Its connection is one end of a socket pair; the test has the other one, and sees when the connection is closed.
"""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from virgate_plugins.leases.sanlock import holding, reasons

SANLOCK = """
import os
class SanlockException(Exception):
    pass
def register():
    if "REFUSE" in os.environ:
        raise SanlockException(2, "Sanlock register failed", "No such file or directory")
    return os.dup(int(os.environ["CONNECTION"]))
"""


class Running:
    """A holder with its lines to a daemon, to writers and to sanlock. What is inherited by it is closed here."""

    def __init__(self, folder: Path, **environment: str) -> None:
        (folder / "sanlock.py").write_text(SANLOCK)
        self.line, theirs = socket.socketpair()
        self.line.settimeout(10)
        writers, self.writing = os.pipe()
        self.sanlock, theirs_there = socket.socketpair()
        connected = theirs_there.fileno()
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(holding.PROGRAM), str(writers)],
            stdin=theirs,
            pass_fds=(writers, connected),
            env={"PYTHONPATH": str(folder), "CONNECTION": str(connected), **environment},
        )
        theirs.close()
        os.close(writers)
        theirs_there.close()

    def hears(self) -> bytes:
        return self.line.recv(100)

    def registered(self, patience: float = 0) -> bool:
        return not select.select([self.sanlock], [], [], patience)[0]

    def close(self) -> None:
        self.line.close()
        if self.writing >= 0:
            os.close(self.writing)
        self.process.wait(10)
        if self.sanlock.fileno() >= 0:
            assert not self.registered(10)
            self.sanlock.close()


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    assert running.hears() == b"ready\n"
    yield running
    running.close()


def test_it_holds_until_the_daemon_says_so(holder: Running) -> None:
    assert holder.registered(0.05)
    holder.line.send(b"x")
    assert not holder.registered(10)
    assert holder.process.wait(10) == 0


def test_it_outlives_the_daemon_as_long_as_somebody_writes(holder: Running) -> None:
    holder.line.close()
    assert holder.registered(0.1)
    os.close(holder.writing)
    holder.writing = -1
    assert not holder.registered(10)


def test_it_tells_when_sanlock_wants_its_leases_and_keeps_them(holder: Running) -> None:
    holder.process.send_signal(signal.SIGTERM)
    assert holder.hears() == b"lost sanlock could not renew the host id\n"
    assert holder.registered(0.1)


def test_it_tells_when_sanlock_has_died(holder: Running) -> None:
    holder.sanlock.close()
    assert holder.hears() == b"lost sanlock has died\n"
    assert holder.process.poll() is None
    holder.line.send(b"x")
    assert holder.process.wait(10) == 0


def test_killed_its_twin_keeps_the_leases_until_the_daemon_says_so(holder: Running) -> None:
    holder.process.kill()
    holder.process.wait(10)
    assert holder.registered(0.1)
    holder.line.send(b"x")
    assert not holder.registered(10)


def test_killed_its_twin_keeps_the_leases_of_a_dead_daemon_while_somebody_writes(holder: Running) -> None:
    holder.process.kill()
    holder.line.close()
    assert holder.registered(0.1)
    os.close(holder.writing)
    holder.writing = -1
    assert not holder.registered(10)


def test_one_that_sanlock_refuses_says_why_and_ends(tmp_path: Path) -> None:
    running = Running(tmp_path, REFUSE="1")
    try:
        word, number, text = running.hears().split(b" ", 2)
        assert (word, text) == (b"error", b"Sanlock register failed: No such file or directory\n")
        assert "start it" in reasons.reason(OSError(int(number), text.decode()))
    finally:
        running.close()
