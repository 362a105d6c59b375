"""The program as a whole: a pair of terminals is its port."""

import json
import os
import select
import subprocess
import sys
import tty
from pathlib import Path

import pytest

from virgate_guest.command import Wrong, main, parse

ROOT = Path(__file__).parents[2] / "guest"


class Process:
    """The agent as a process, on a terminal."""

    def __init__(self, folder):
        self.host, self.guest = os.openpty()
        tty.setraw(self.guest)
        config = folder / "conf"
        config.write_text(f"[virtio]\ndevice = {os.ttyname(self.guest)}\n")
        self.pid_file = folder / "pid"
        argv = [sys.executable, "-m", "virgate_guest", f"--config={config}", "-p", str(self.pid_file)]
        self.process = subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE)
        self.begun = b""
        self.heard = []

    def say(self, line):
        os.write(self.host, line + b"\n")

    def hear(self, name):
        """The next message of that name."""
        while True:
            while self.heard:
                message = self.heard.pop(0)
                if message["__name__"] == name:
                    return message
            assert select.select([self.host], [], [], 20)[0], f"no {name} came"
            *lines, self.begun = (self.begun + os.read(self.host, 65536)).split(b"\n")
            self.heard += [json.loads(line) for line in lines if line]

    def close(self):
        self.process.kill()
        self.process.wait()
        for end in (self.host, self.guest):
            os.close(end)


@pytest.fixture
def process(tmp_path):
    process = Process(tmp_path)
    yield process
    process.close()


def test_a_whole_life(process):
    process.hear("session-startup")
    assert process.pid_file.read_text() == f"{process.process.pid}\n"
    process.say(b'{"apiVersion": 3, "__name__": "refresh"}')
    process.hear("disks-usage")
    process.say(b'{"apiVersion": 3, "__name__": "api-version"}')
    assert process.hear("os-info")["type"] == "linux"
    process.say(b'nonsense\n{"__name__": "echo", "x": [1]}')
    assert process.hear("echo")["x"] == [1]
    process.say(b'{"__name__": "lifecycle-event", "type": "before_migration", "reply_id": "r"}')
    assert process.hear("completion") == {"__name__": "completion", "reply_id": "r", "done": True}
    beat = process.hear("heartbeat")
    assert beat["apiVersion"] == 0
    assert int(beat["free-ram"]) > 0
    process.process.terminate()
    process.hear("session-shutdown")
    assert process.process.wait(5) == 0


@pytest.mark.parametrize("arguments", [["-x"], ["--config"], ["-d=1"], ["file"], ["--help"]])
def test_arguments_that_are_none_are_told_how_it_goes(arguments, capsys):
    with pytest.raises(Wrong):
        parse(arguments)
    assert main(arguments) == 2
    assert "usage:" in capsys.readouterr().err


def test_arguments_may_be_written_in_both_ways():
    assert parse(["-c", "a", "--pidfile=b", "-v"]) == {"config": "a", "pidfile": "b", "verbose": ""}


def test_a_removal_without_ports_is_quiet(capfd):
    assert main(["--uninstalled"]) == 0
    assert capfd.readouterr() == ("", "")
