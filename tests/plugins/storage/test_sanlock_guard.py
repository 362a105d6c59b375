"""The process that holds the leases of a machine's disks: without sanlock, with any program as the machine's QEMU."""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from virgate_plugins.leases.sanlock.holding import GUARD
from virgate_plugins.leases.sanlock_programs import guard

MACHINE = "11111111-1111-4111-8111-111111111111"
SANLOCK = """
import os
class SanlockException(Exception):
    pass
def register():
    return os.dup(int(os.environ["CONNECTION"]))
def killpath(path, args, slkfd):
    with open(os.environ["KILLPATH"], "w") as file:
        file.write(" ".join([path, *args]))
"""


def qemu() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(["sh", "-c", "sleep 60 & wait", "-name", "one", "-uuid", MACHINE], start_new_session=True)


class Guard:
    """A guard, its line to a daemon and its connection to sanlock."""

    def __init__(self, folder: Path) -> None:
        (folder / "sanlock.py").write_text(SANLOCK)
        self.killpath = folder / "killpath"
        self.line, theirs = socket.socketpair()
        self.line.settimeout(10)
        self.sanlock, theirs_there = socket.socketpair()
        connected = theirs_there.fileno()
        path = os.pathsep.join([str(folder), *(entry for entry in sys.path if entry.startswith("/"))])
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(GUARD), MACHINE],
            stdin=theirs,
            pass_fds=(connected,),
            env={"PYTHONPATH": path, "CONNECTION": str(connected), "KILLPATH": str(self.killpath)},
        )
        theirs.close()
        theirs_there.close()
        assert self.line.recv(100) == b"ready\n"

    def registered(self, patience: float = 0.0) -> bool:
        return not select.select([self.sanlock], [], [], patience)[0]

    def watches(self, patience: float = 10.0) -> None:
        """Comes back when the guard has found QEMU: then it has a twin."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        poll = select.poll()
        for _ in range(int(patience / 0.02)):
            if children.read_text():
                return
            poll.poll(20)
        raise TimeoutError

    def wanted_back(self) -> None:
        """What sanlock does when it loses the lockspace."""
        subprocess.run(self.killpath.read_text().split(), check=True)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self.line.close()
        self.sanlock.close()


@pytest.fixture
def guarding(tmp_path: Path) -> Iterator[Guard]:
    running = Guard(tmp_path)
    yield running
    running.close()


@pytest.fixture
def guest() -> Iterator["subprocess.Popen[bytes]"]:
    running = qemu()
    yield running
    with suppress(ProcessLookupError):  # it has perhaps not become the first of its group yet
        os.killpg(running.pid, signal.SIGKILL)
    running.kill()
    running.wait(10)


def test_it_goes_when_the_guest_was_not_started(guarding: Guard) -> None:
    guarding.line.send(b"x")
    assert not guarding.registered(10)
    assert guarding.process.wait(10) == 0


@pytest.mark.parametrize("daemon", ["told", "died"])
def test_it_holds_as_long_as_the_guest_lives(guarding: Guard, guest: "subprocess.Popen[bytes]", daemon: str) -> None:
    if daemon == "told":
        guarding.line.send(b"s")
    guarding.line.close()
    guarding.watches()
    guarding.process.terminate()  # as a service manager does
    assert guarding.registered(0.1)
    guest.kill()
    assert not guarding.registered(10)
    assert guarding.process.wait(10) == 0


def test_it_ends_the_guest_when_sanlock_wants_the_leases_back(
    guarding: Guard, guest: "subprocess.Popen[bytes]"
) -> None:
    guarding.line.send(b"s")
    guarding.watches()
    guarding.wanted_back()
    assert guest.wait(10) == -signal.SIGKILL
    assert not guarding.registered(10)


def test_it_ends_the_guest_when_sanlock_has_died(guarding: Guard, guest: "subprocess.Popen[bytes]") -> None:
    guarding.line.send(b"s")
    guarding.watches()
    guarding.sanlock.close()
    assert guest.wait(10) == -signal.SIGKILL
    assert guarding.process.wait(10) == 0


def test_it_ends_the_guest_also_when_that_was_just_being_started(
    guarding: Guard, guest: "subprocess.Popen[bytes]"
) -> None:
    guarding.wanted_back()
    guarding.line.send(b"s")
    assert guest.wait(10) == -signal.SIGKILL
    assert not guarding.registered(10)


def test_killed_its_twin_holds_until_the_guest_is_gone(guarding: Guard, guest: "subprocess.Popen[bytes]") -> None:
    guarding.line.send(b"s")
    guarding.watches()
    guarding.process.kill()
    guarding.process.wait(10)
    assert guarding.registered(0.1)
    guest.kill()
    assert not guarding.registered(10)


def test_a_machine_is_found_by_its_id_and_no_other_process_is(
    guest: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    pidfd = guard.find(MACHINE)
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    assert guest.wait(10) == -signal.SIGKILL
    os.close(pidfd)
    monkeypatch.setattr(guard, "PATIENCE", 0.0)
    assert guard.find(MACHINE) == -1


@pytest.mark.parametrize(
    ("words", "expected"),
    [([b"-uuid", MACHINE.encode()], True), ([MACHINE.encode()], False), ([b"-uuid", b"-uuid", b"x"], False)],
)
def test_the_id_must_stand_behind_its_option(tmp_path: Path, words: list[bytes], expected: bool) -> None:
    (tmp_path / "cmdline").write_bytes(b"\0".join([b"qemu", *words, b""]))
    assert guard.runs(tmp_path, MACHINE) is expected
