"""Images of payloads: files that a guest finds on a CD or a floppy of its own (spec xmlrpc-host-vm 3.4).

The image's name tells the machine and the content, so making it twice is one image. It may hold passwords: only its
owner can read it, and libvirt hands it to the guest's process.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import ClassVar

from virgate.domxml.facts import DiskSource, PayloadRequest
from virgate.errors import VirgateError, error
from virgate.run.process import run

FLOPPY_KIB = 1440
UNFINISHED = ".making-"
PATIENCE = 60.0
"""Seconds that one of the programs may take."""
SURROUNDINGS = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "MTOOLSRC": os.devnull,
    "MTOOLS_SKIP_CHECK": "1",
}


@error
class PayloadFailed(VirgateError):
    """The image of a payload cannot be made; nothing of it is left."""

    code: ClassVar[int] = 9
    text: ClassVar[str] = "Payload of drive {self.target} cannot be made: {self.detail}"
    target: str
    detail: str


def folder(run_dir: Path) -> Path:
    """Where a daemon with this run folder keeps the images."""
    return run_dir / "payload"


def digest(files: Mapping[str, bytes]) -> str:
    """md5 over all names, then all contents."""
    import hashlib

    return hashlib.md5("".join(files).encode() + b"".join(files.values()), usedforsecurity=False).hexdigest()


class PayloadImages:
    """The images in one folder, named `<machine>.<md5>.img`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, vm: str, payload: PayloadRequest) -> Path:
        return self._folder / f"{vm}.{digest({payload.target: payload.image} if payload.image else payload.files)}.img"

    async def make(self, vm: str, payload: PayloadRequest) -> DiskSource:
        """Makes the image and says where it is. Raises `PayloadFailed`, or what starting the programs raises."""
        target = self.path(vm, payload)
        try:
            self._folder.mkdir(mode=0o711, parents=True, exist_ok=True)
            work = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self._folder))
        except OSError as failure:
            raise PayloadFailed(payload.target, failure.strerror or str(failure)) from None
        image = work / "image"
        try:
            if payload.image:
                image.write_bytes(payload.image)
            else:
                lay_out(work / "files", payload.files)
                make = floppy if payload.kind == "floppy" else cdrom
                await make(image, work / "files", payload)
            image.chmod(0o600)
            image.replace(target)
        except OSError as failure:
            raise PayloadFailed(payload.target, failure.strerror or str(failure)) from None
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return DiskSource(str(target), "raw", "file")

    async def remove(self, vm: str) -> None:
        """Deletes every image of the machine; none is no error."""
        if not self._folder.is_dir():
            return
        for image in self._folder.iterdir():
            if image.name.startswith(f"{vm}.") and image.name.endswith(".img"):
                image.unlink(missing_ok=True)


def lay_out(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes the files below `folder`. `ValueError` for a name that points out of it."""
    folder.mkdir(mode=0o700)
    for name, content in files.items():
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts:
            raise ValueError(f"a payload file cannot be called {name!r}")
        path = folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


async def cdrom(image: Path, files: Path, payload: PayloadRequest) -> None:
    """An ISO 9660 image with Rock Ridge and Joliet names."""
    options = ["-quiet", "-rational-rock", "-joliet", "-joliet-long", "-input-charset", "utf-8"]
    label = ["-V", payload.label] if payload.label else []
    await _program(payload, ["genisoimage", *options, *label, "-o", str(image), str(files)])


async def floppy(image: Path, files: Path, payload: PayloadRequest) -> None:
    """A FAT file system of 1440 KiB."""
    label = ["-n", payload.label] if payload.label else []
    await _program(payload, ["mkfs.fat", *label, "-C", str(image), str(FLOPPY_KIB)])
    if found := sorted(f"{files}/{name}" for name in {PurePosixPath(name).parts[0] for name in payload.files}):
        await _program(payload, ["mcopy", "-s", "-Q", "-i", str(image), *found, "::/"])


async def _program(payload: PayloadRequest, argv: list[str]) -> None:
    done = await run(argv, env=SURROUNDINGS, timeout=PATIENCE, umask=0o077)
    if done.code != 0:
        lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
        raise PayloadFailed(payload.target, f"{argv[0]}: {lines[-1] if lines else f'exit code {done.code}'}")
