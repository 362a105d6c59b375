"""Reads small files below /proc, /sys and /etc; what is not there reads as nothing."""

import os
from pathlib import Path

from attrs import frozen


@frozen
class Tree:
    """The files of a running system, or in tests of a folder that looks like one."""

    root: Path = Path("/")

    def text(self, path: str) -> str:
        """The content without white space around it; empty when it cannot be read."""
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""

    def lines(self, path: str) -> list[str]:
        return self.text(path).splitlines()

    def number(self, path: str, default: int = 0) -> int:
        try:
            return int(self.text(path))
        except ValueError:
            return default

    def names(self, path: str) -> list[str]:
        """The entries of a folder, sorted."""
        try:
            return sorted(os.listdir(self.root / path))  # noqa: PTH208  no Path objects: this runs for every sample
        except OSError:
            return []

    def exists(self, path: str) -> bool:
        return (self.root / path).exists()

    def target(self, path: str) -> str:
        """The last part of what a symbolic link points to; empty when it is none."""
        try:
            return (self.root / path).readlink().name
        except OSError:
            return ""


def number_list(text: str) -> list[int]:
    """The numbers of a kernel list such as `0-3,8`."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if first.isdigit():
            found.extend(range(int(first), int(last if last.isdigit() else first) + 1))
    return found
