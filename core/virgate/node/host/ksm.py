"""Merging of same pages by the kernel (spec xmlrpc-host-vm 2.5, setKsmTune)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from virgate.errors import VirgateError, error
from virgate.run.thread import ThreadPool

FOLDER = Path("/sys/kernel/mm/ksm")
MOST = {"run": 2, "merge_across_nodes": 2, "sleep_millisecs": (1 << 32) - 1, "pages_to_scan": (1 << 32) - 1}
"""The files that may be written, and the largest number for each."""


@error
class CannotTune(VirgateError):
    """A key or value that does not exist, or a kernel that refuses."""

    code: ClassVar[int] = 71
    text: ClassVar[str] = "Failed to update KSM values: {self.detail}"
    detail: str


def checked(values: Mapping[str, Any]) -> dict[str, int]:
    """Numbers by file; `CannotTune` before anything is written."""
    found = {}
    for name, value in values.items():
        if name not in MOST:
            raise CannotTune(f"{name} is none of {', '.join(MOST)}")
        try:
            found[name] = int(str(value))
        except ValueError:
            raise CannotTune(f"{name} is no number: {value!r}") from None
        if not 0 <= found[name] <= MOST[name]:
            raise CannotTune(f"{name} is from 0 to {MOST[name]}, not {value}")
    return found


async def tune(values: Mapping[str, Any], folder: Path = FOLDER) -> None:
    """Unmerging (`run` 2) takes the kernel its time, so a thread waits for it."""
    wanted = checked(values)
    pool = ThreadPool("ksm", 1)
    try:
        await pool.call(_write, folder, wanted)
    except OSError as problem:
        raise CannotTune(f"{problem.filename}: {problem.strerror}") from None
    finally:
        pool.close()


def _write(folder: Path, wanted: Mapping[str, int]) -> None:
    for name, value in wanted.items():
        (folder / name).write_text(str(value))
