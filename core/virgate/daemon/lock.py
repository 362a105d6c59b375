"""One daemon per state folder: an advisory lock that dies with its process."""

import fcntl
import os
from pathlib import Path


class AlreadyRunning(Exception):
    """Another daemon holds the state folder; says which."""


class InstanceLock:
    """Held from `take` until the process ends or `release`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "virgated.lock"
        self._file: int | None = None

    def take(self) -> None:
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(file, 32).decode(errors="replace").strip() or "unknown"
            os.close(file)
            raise AlreadyRunning(
                f"another virgated (pid {holder}) uses {self._path.parent}; "
                "stop it, or give --set daemon.state_dir=FOLDER"
            ) from None
        os.truncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
