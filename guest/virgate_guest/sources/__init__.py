"""Where the agent knows things from: files of the kernel and of the system, read again only when they changed."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def content(path: "str | bytes", limit: int = 1 << 20) -> bytes:
    """What a small file says; nothing when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(limit)
    except OSError:
        return b""


def signature(paths: "tuple[str, ...]") -> "tuple[object, ...]":
    """Changes whenever one of the files or folders does."""
    found: list[object] = []
    for path in paths:
        try:
            status = os.stat(path)
            found.append((status.st_mtime_ns, status.st_size, status.st_ino))
        except OSError:
            found.append(None)
    return tuple(found)


class Kept:
    """What a function finds in files, kept until one of them changes."""

    def __init__(self, paths: "tuple[str, ...]", find: "Callable[[], object]") -> None:
        self._paths = paths
        self._find = find
        self._seen: tuple[object, ...] | None = None
        self._found: object = None

    def get(self) -> object:
        seen = signature(self._paths)
        if seen != self._seen:
            self._found = self._find()
            self._seen = seen
        return self._found
