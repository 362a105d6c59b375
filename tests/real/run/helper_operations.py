"""What the helper tests let a worker do."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

from attrs import frozen

from virgate.errors import VirgateError, error


@error
class Refused(VirgateError):
    code: ClassVar[int] = 16
    text: ClassVar[str] = "{self.who} may not touch {self.path}"
    who: str
    path: Path


@error
class Unspeakable(VirgateError):
    text: ClassVar[str] = "it is {self.thing}"
    thing: object


@frozen
class Extent:
    start: int
    length: int


def refuse(who: str, path: Path) -> None:
    raise Refused(who, path)


def refuse_unspeakably() -> None:
    raise Unspeakable({1, 2})


def read_fifo(path: str) -> bytes:
    return Path(path).read_bytes()


def noise() -> str:
    print("to standard output")
    os.write(1, b"and again\n")
    subprocess.run(["/bin/echo", "from a child"], check=True)
    return sys.stdin.read() + "quiet"


def spin(seconds: float) -> str:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return "done"


def divide(one: int, other: int) -> float:
    return one / other


def note(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


OPERATIONS: dict[str, Any] = {
    "echo": lambda *given: given,
    "pid": os.getpid,
    "refuse": refuse,
    "refuse_unspeakably": refuse_unspeakably,
    "read_fifo": read_fifo,
    "listdir": os.listdir,
    "rename": os.rename,
    "noise": noise,
    "spin": spin,
    "divide": divide,
    "note": note,
    "leave": os._exit,
    "suicide": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "set": lambda: {1},
    "modules": lambda: sorted(sys.modules),
    "cwd": os.getcwd,
    "lambda_extent": lambda extent: Extent(extent.start + 1, extent.length),
}
