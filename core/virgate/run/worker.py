"""A worker process: runs the blocking functions of one module for the daemon, one after the other.

    python -P -m virgate.run.worker MODULE

Calls come as frames on standard input, answers leave on standard output. The main thread reads, so it answers the
sign of life while an operation hangs, and ends the process the moment the daemon is gone; the operations run in a
second thread. No Twisted here: a host with many mounts has many workers.
"""

import importlib
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from virgate.run.frames import HEARTBEAT, Answer, Frames, pack, pack_failure

CHUNK = 1 << 16


class Channel:
    """Our side of the two pipes. Both threads answer, so a frame is written whole."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._lock = threading.Lock()
        self._frames = Frames()

    def read(self) -> list[list[Any]]:
        """The next frames (perhaps none yet); raises EOFError when the daemon has gone."""
        data = os.read(self._reading, CHUNK)
        if not data:
            raise EOFError
        return list(self._frames.feed(data))

    def write(self, frame: bytes) -> None:
        with self._lock:
            rest = memoryview(frame)
            while rest:
                rest = rest[os.write(self._writing, rest) :]


def serve(module: str, calls: SimpleQueue[list[Any]], channel: Channel) -> None:
    """Gives a first sign of life when it is ready, then runs the calls as they come.

    A module that cannot be imported fails each of them.
    """
    operations: dict[str, Callable[..., Any]] = {}
    with suppress(BaseException):
        operations = importlib.import_module(module).OPERATIONS
    channel.write(pack([HEARTBEAT, Answer.RESULT, None]))
    while True:
        number, operation, arguments = calls.get()
        try:
            if not operations:
                operations = importlib.import_module(module).OPERATIONS
            frame = pack([number, Answer.RESULT, operations[operation](*arguments)])
        except BaseException as problem:
            frame = pack_failure(number, problem)
        channel.write(frame)


def main() -> None:
    channel = private_channel()
    calls: SimpleQueue[list[Any]] = SimpleQueue()
    threading.Thread(target=serve, args=(sys.argv[1], calls, channel), daemon=True).start()
    try:
        while True:
            for frame in channel.read():
                if frame[0] == HEARTBEAT:
                    channel.write(pack([HEARTBEAT, Answer.RESULT, None]))
                else:
                    calls.put(frame)
    except (EOFError, OSError):
        os._exit(0)  # whatever the other thread does: nobody is there to hear of it


def private_channel() -> Channel:
    """Takes the pipes away from descriptors 0 and 1, where an operation (or its child) could disturb them."""
    channel = Channel(os.dup(0), os.dup(1))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return channel


if __name__ == "__main__":
    main()
