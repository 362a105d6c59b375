"""Finds the scripts of a point. Looked up anew for every event: a dropped file counts at once, nothing is cached.

The folders are local; listing one that is missing or empty takes a few microseconds.
"""

import os
from collections.abc import Iterable
from pathlib import Path


def scripts_of(point: str, directories: Iterable[Path]) -> tuple[str, ...]:
    """Absolute paths in running order: by file name (code points), then by directory in the order given.

    Scripts are regular files (links are followed) that this process may execute and whose names do not start with a
    dot. A folder that is missing or cannot be read has none.
    """
    found: list[tuple[str, str]] = []
    for directory in directories:
        folder = os.path.join(directory, _plain(point))  # noqa: PTH118 (pathlib costs ten times as much)
        try:
            names = os.listdir(folder)  # noqa: PTH208
        except OSError:
            continue
        for name in names:
            path = f"{folder}/{name}"
            if not name.startswith(".") and is_script(path):
                found.append((name, os.path.abspath(path)))  # noqa: PTH100
    found.sort(key=_name)
    return tuple(path for _, path in found)


def is_script(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)  # noqa: PTH113


def _name(found: tuple[str, str]) -> str:
    return found[0]


def _plain(point: str) -> str:
    """The name of a point is one folder's name and nothing that leads elsewhere."""
    if not point or "/" in point or ".." in point:
        raise ValueError(f"{point!r} is no name of a hook point")
    return point
