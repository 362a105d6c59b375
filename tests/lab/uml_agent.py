"""Runs commands inside a user-mode Linux host for the lab outside. Standard library only; the host's first process.

Requests and answers are JSON files in a shared folder; a serial line rings the bell with their number, so that it works
whatever happens to the network (the line itself is no way for data: it locks up when some kilobytes wait in it):
    N.request   {"argv": ["lvs"], "input": "", "timeout": 60}
    N.answer    {"code": 0, "stdout": "...", "stderr": "...", "timed_out": false}
Commands run side by side, each in a process group of its own that is killed at its timeout. Number 0 says "ready".
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import tty
from pathlib import Path
from typing import Any, BinaryIO

KEPT = 1 << 20  # characters per stream

_ringing = threading.Lock()


def ring(line: BinaryIO, number: int) -> None:
    with _ringing:
        line.write(b"%d\n" % number)
        line.flush()


def serve(line: BinaryIO, folder: Path, number: int) -> None:
    answer = work(json.loads((folder / f"{number}.request").read_text()))
    (folder / f"{number}.answer").write_text(json.dumps(answer))
    ring(line, number)


def work(request: dict[str, Any]) -> dict[str, Any]:
    try:
        child = subprocess.Popen(
            request["argv"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as problem:
        return {"code": 127, "stdout": "", "stderr": str(problem), "timed_out": False}
    timed_out = False
    try:
        stdout, stderr = child.communicate(request["input"], request["timeout"])
    except subprocess.TimeoutExpired:
        timed_out = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        stdout, stderr = after_kill(child)
    code = -signal.SIGKILL if child.returncode is None else child.returncode
    return {"code": code, "stdout": stdout[-KEPT:], "stderr": stderr[-KEPT:], "timed_out": timed_out}


def after_kill(child: "subprocess.Popen[str]") -> tuple[str, str]:
    """A process that waits for dead storage does not die; the answer does not wait for it."""
    try:
        return child.communicate(timeout=2)
    except subprocess.TimeoutExpired:
        return "", "still hanging in the kernel after SIGKILL"


def main(device: str, folder: Path) -> None:
    descriptor = os.open(device, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(descriptor)
    with open(descriptor, "rb", closefd=False) as requests, open(descriptor, "wb", closefd=False) as answers:
        ring(answers, 0)
        for number in requests:
            threading.Thread(target=serve, args=(answers, folder, int(number)), daemon=True).start()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
