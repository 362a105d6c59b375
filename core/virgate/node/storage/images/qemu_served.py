"""qemu-img with what other programs serve: urls where files would be."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from virgate.node.storage.errors import ProgramFailed
from virgate.node.storage.formats.volume_metadata import VolumeFormat
from virgate.node.storage.images.qemu_img import NAMES, QemuImg, Report
from virgate.run.errors import TimedOut
from virgate.run.process import run


@frozen
class QemuServed(QemuImg):
    """Urls were checked by others: QEMU opens far more than should be opened."""

    @classmethod
    def like(cls, qemu: QemuImg) -> "QemuServed":
        return cls(qemu.program, qemu.fallocate, qemu.limits)

    async def size(self, url: str, seconds: float) -> int:
        """The bytes that are served; `ProgramFailed` when nobody tells within so many seconds."""
        argv = self.limits.around([self.program, "info", "-f", "raw", "--output=json", url])
        try:
            done = await run(argv, cwd="/", env={**os.environ, "LC_ALL": "C"}, timeout=seconds)
        except TimedOut:
            raise ProgramFailed(self.program, f"no answer from {url} within {seconds:g} seconds") from None
        if done.code:
            last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise ProgramFailed(self.program, last or f"exit code {done.code}")
        return int(json.loads(done.stdout)["virtual-size"])

    async def fill(
        self,
        source: tuple[str, VolumeFormat],
        target: tuple[str, VolumeFormat],
        *,
        folder: Path,
        report: Report,
        flags: Sequence[str] = (),
    ) -> None:
        """Copies into what is there already, zeros included. Each end is a path or url, and its format."""
        formats = ["-f", NAMES[source[1]], "-O", NAMES[target[1]]]
        argv = [self.program, "convert", "-p", "-n", "-T", "none", *formats, *flags, source[0], target[0]]
        await self._follow(argv, folder, report)
