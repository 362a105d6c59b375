"""The file system on LV `master`: mounted on the SPM, with the journal of tasks in it (spec storage-format 2.9)."""

from collections.abc import Sequence
from pathlib import Path

from twisted.logger import Logger

from virgate.node.storage.errors.master import MasterNotChecked, MasterNotMounted, MasterNotUnmounted
from virgate.node.storage.lvm.lvm import Lvm
from virgate.node.storage.repository import Repository
from virgate.node.storage.values import Files
from virgate.run.process import run

log = Logger()

VOLUME = "master"
FOLDERS = ("vms", "tasks")
CHECK_PATIENCE = 600.0
"""Seconds; the file system has 1 GiB and a journal."""
MOUNT_PATIENCE = 60.0
BROKEN = 4
"""From this exit code on `fsck` left errors behind."""


async def mount(
    lvm: Lvm, group: str, place: Path, repository: Repository, files: Files, owner: Sequence[int] | None
) -> None:
    """Checks and mounts it, unless it is mounted. `MasterNotChecked` (367), `MasterNotMounted` (368)."""
    if repository.mounted(place) is None:
        await lvm.activate(group, VOLUME)
        device = str(lvm.path(group, VOLUME))
        await repository.files.call("make_path", str(place))
        await _check(device)
        finished = await run(["mount", "-t", "ext3", device, str(place)], timeout=MOUNT_PATIENCE)
        if finished.code:
            raise MasterNotMounted(device, _said(finished.stderr))
    await files.call("own_folder", str(place), owner)
    await files.call("make_folders", [str(place / name) for name in FOLDERS], 0o755, owner)


async def unmount(lvm: Lvm, group: str, place: Path, repository: Repository) -> None:
    """Every write is on the disk when this comes back. `MasterNotUnmounted` (366): it must not be used elsewhere."""
    if repository.mounted(place) is not None:
        finished = await run(["umount", str(place)], timeout=MOUNT_PATIENCE)
        if finished.code and repository.mounted(place) is not None:
            raise MasterNotUnmounted(str(place), _said(finished.stderr))
    await lvm.deactivate(group, VOLUME)


async def _check(device: str) -> None:
    """Repairs what can be repaired unasked, and gives an ext2 its journal."""
    finished = await run(["fsck", "-p", device], timeout=CHECK_PATIENCE)
    if finished.code >= BROKEN:
        raise MasterNotChecked(device, _said(finished.stdout + finished.stderr))
    journal = await run(["tune2fs", "-j", device], timeout=MOUNT_PATIENCE)
    if journal.code:
        log.debug("{device}: {said}", device=device, said=_said(journal.stderr))  # usually that it has one


def _said(output: bytes) -> str:
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    return "; ".join(lines[-3:])
