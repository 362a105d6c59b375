"""Disks made of sparse files, and a private corner for `lvm` on the machine itself.

Device mapper is missing here: volume groups, volumes, tags and sizes are real, the devices of volumes do not appear.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from lab.process import run

GIB = 1 << 30


@contextmanager
def disks(folder: Path, sizes: list[int]) -> Iterator[list[str]]:
    """Loop devices, one per size."""
    devices: list[str] = []
    try:
        for number, size in enumerate(sizes):
            file = folder / f"disk{number}"
            with file.open("wb") as disk:
                disk.truncate(size)
            devices.append(run(["losetup", "--show", "--find", str(file)]).stdout.strip())
        yield devices
    finally:
        for device in devices:
            run(["losetup", "--detach", device])


def private_lvm(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Programs started from now on do not share settings, archives or device lists with the machine's LVM."""
    folder.mkdir()
    (folder / "lvm.conf").write_text(f'global {{ activation = 0 locking_dir = "{folder}/lock" }}\n')
    monkeypatch.setenv("LVM_SYSTEM_DIR", str(folder))
