"""The launch flags file, which hook scripts may rewrite between its writing and the start (spec hooks 2.7).

A few bytes in the daemon's own run folder, so it is read and written in place.
"""

from contextlib import suppress
from pathlib import Path

from virgate.node.vm.errors import BadLaunchFlags

START_PAUSED = 1


def path(run_dir: Path, vm: str) -> Path:
    return run_dir / vm / "launchflags"


def write(run_dir: Path, vm: str, flags: int) -> None:
    file = path(run_dir, vm)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(str(flags))


def read(run_dir: Path, vm: str) -> int:
    """The flags as a script may have left them: 0 without a file. Raises `BadLaunchFlags`."""
    try:
        lines = path(run_dir, vm).read_text().splitlines()
    except FileNotFoundError:
        return 0
    first = lines[0] if lines else ""
    try:
        return int(first)
    except ValueError:
        raise BadLaunchFlags(first) from None


def remove(run_dir: Path, vm: str) -> None:
    """Removes file and folder; either may be missing, and a folder that a script put more into stays."""
    file = path(run_dir, vm)
    file.unlink(missing_ok=True)
    with suppress(OSError):
        file.parent.rmdir()
