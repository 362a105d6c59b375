"""The console between a terminal and a guest; the guest is a socket here."""

import os
import pty
import socket
import subprocess
import sys

import pytest

from virgate.cli.problems import Problem
from virgate.cli.terminal import attach

ATTACH = "import sys; from virgate.cli.terminal import attach; attach({'type': 'unix', 'path': sys.argv[1]}, 'first')"


@pytest.fixture
def guest(tmp_path):
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "console"))
        door.listen(1)
        door.settimeout(10)
        yield door


@pytest.fixture
def attached(tmp_path):
    """A process on a terminal of its own, and our end of that terminal."""
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-c", ATTACH, str(tmp_path / "console")]
    with subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE) as process:
        os.close(theirs)
        yield process, ours
        process.kill()
    os.close(ours)


def read(receive, count):
    found = b""
    while len(found) < count:
        found += receive(count - len(found))
    return found


def test_what_is_typed_goes_to_the_guest_and_what_it_says_is_shown_until_the_user_leaves(guest, attached):
    process, terminal = attached
    with guest.accept()[0] as far:
        far.settimeout(10)
        far.sendall(b"login: ")
        assert read(lambda count: os.read(terminal, count), 7) == b"login: "
        os.write(terminal, b"ro\x03ot\r")
        assert read(far.recv, 6) == b"ro\x03ot\r"
        os.write(terminal, b"\x1d")
        assert far.recv(10) == b""
    assert process.wait(10) == 0
    assert b"Ctrl-] leaves" in process.stderr.read()


def test_the_end_of_the_guest_is_the_end_of_the_console(guest, attached):
    process, _ = attached
    guest.accept()[0].close()
    assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("console", "said"), [({"type": "file", "path": "/x"}, "less /x"), ({"type": "pty", "path": "/nix"}, "by root")]
)
def test_a_console_that_cannot_be_opened_says_what_to_do(console, said):
    with pytest.raises(Problem) as refused:
        attach(console, "first")
    assert said in refused.value.hint
