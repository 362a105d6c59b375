"""Daemons for the command line: a cheap one on libvirt's test driver, one with real guests."""

import json
import os
import pty
import re
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.guests import GUEST, build_guest
from lab.libvirtd import PrivateLibvirtd
from lab.virgated import BIN, Running


class Commands(Running):
    """A daemon, and `virgate` speaking to it."""

    def do(self, *arguments: str, code: int = 0) -> str:
        """What the command prints; its exit code is checked."""
        done = self.virgate(*arguments)
        assert done.returncode == code, f"virgate {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout if code == 0 else done.stderr

    def json(self, *arguments: str):
        return json.loads(self.do("--json", *arguments))


class Terminal:
    """`virgate` on a terminal of its own."""

    def __init__(self, port: int, *arguments: str) -> None:
        self.ours, theirs = pty.openpty()
        argv = [BIN / "virgate", "--server", f"127.0.0.1:{port}", *arguments]
        self.process = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        os.close(theirs)
        self.text = ""

    def until(self, pattern: str, seconds: float = 90) -> None:
        ends = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            ready = select.select([self.ours], [], [], max(0, ends - time.monotonic()))[0]
            assert ready, f"waited in vain for {pattern}: {self.text}"
            self.text += os.read(self.ours, 4096).decode(errors="replace")

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def close(self) -> int:
        try:
            return self.process.wait(10)
        finally:
            self.process.kill()
            os.close(self.ours)


@pytest.fixture
def terminal() -> type[Terminal]:
    return Terminal


@pytest.fixture(scope="module")
def cheap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    running = Commands(tmp_path_factory.mktemp("cheap"))
    try:
        yield running.start()
    finally:
        running.end()


@pytest.fixture(scope="session")
def libvirtd() -> Iterator[PrivateLibvirtd]:
    with tempfile.TemporaryDirectory(prefix="cli-") as root, PrivateLibvirtd(Path(root)) as running:
        yield running


@pytest.fixture(scope="module")
def real(libvirtd: PrivateLibvirtd) -> Iterator[Commands]:
    with tempfile.TemporaryDirectory(prefix="cli-") as home:  # a socket's path must be short
        running = Commands(Path(home), uri=libvirtd.uri)
        try:
            yield running.start()
        finally:
            running.end()


@pytest.fixture(scope="session")
def boot() -> tuple[str, ...]:
    """The words that let a machine boot the small guest, which has a shell on its console."""
    build_guest()
    append = "console=ttyS0 quiet virgate.shell=1"
    return ("--kernel", str(GUEST / "vmlinuz"), "--initrd", str(GUEST / "initrd.img"), "--append", append)
