"""Bitmaps of volumes: what incremental backups go by, kept in the header of a qcow2 volume (spec xmlrpc-storage 11).

They are changed while the volume is in its place: nobody sees other data meanwhile, so it stays legal.
"""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.errors import IncorrectFormat, ProgramFailed
from virgate.node.storage.errors.jobs import CannotChangeBitmaps, NoSuchBitmap, SharedNotWritable
from virgate.node.storage.formats.volume_metadata import VolumeFormat, VolumeRole
from virgate.node.storage.images.bitmap import Bitmap, bitmap_name
from virgate.node.storage.images.jobs import on_image
from virgate.node.storage.images.qemu_img import QemuImg
from virgate.node.storage.images.trust import legal_chain
from virgate.node.storage.sdm.registry import Job
from virgate.node.storage.sdm.sdm import Sdm
from virgate.node.storage.sdm.volumes import Target, checked, leased

Change = Callable[[Path, tuple[Bitmap, ...]], Awaitable[None]]
"""Gets the data of the volume and the bitmaps that it has."""


@frozen
class Bitmaps:
    sdm: Sdm

    async def add(self, job_id: str, volume: Mapping[str, Any], name: str) -> None:
        """Starts a job that makes an empty bitmap, which records from then on. One that is there already stays."""
        qemu, wanted = self.sdm.qemu, Bitmap(bitmap_name(name))

        async def change(path: Path, known: tuple[Bitmap, ...]) -> None:
            if not any(bitmap.name == name and bitmap.valid for bitmap in known):
                await qemu.add_bitmap(path, wanted)

        await self._start("add_bitmap", job_id, volume, change)

    async def remove(self, job_id: str, volume: Mapping[str, Any], name: str) -> None:
        """Starts a job that removes a bitmap; `NoSuchBitmap` (946) ends it."""
        target = Target.read(volume)

        async def change(path: Path, known: tuple[Bitmap, ...]) -> None:
            if name not in (bitmap.name for bitmap in known):
                raise NoSuchBitmap(target.address.volume, name)
            await self.sdm.qemu.remove_bitmap(path, name)

        await self._start("remove_bitmap", job_id, volume, change)

    async def clear(self, job_id: str, volume: Mapping[str, Any]) -> None:
        """Starts a job that removes all bitmaps."""

        async def change(path: Path, known: tuple[Bitmap, ...]) -> None:
            await keep(self.sdm.qemu, path, known, ())

        await self._start("clear_bitmaps", job_id, volume, change)

    async def _start(self, description: str, job_id: str, volume: Mapping[str, Any], change: Change) -> None:
        target = Target.read(volume)
        domain = await self.sdm.domains.find(target.address.domain)

        async def work(job: Job) -> None:
            async with (
                self.sdm.locks.hold(*on_image(target.address.domain, target.address.image)),
                leased(domain, target.address),
            ):
                await self._change(domain, target, change)

        self.sdm.jobs.start(job_id, description, work)

    async def _change(self, domain: Domain, target: Target, change: Change) -> None:
        image, volume = target.address.image, target.address.volume
        metadata = await checked(domain, target)
        if metadata.format is not VolumeFormat.COW:
            raise IncorrectFormat(metadata.format.name)
        if metadata.role is VolumeRole.SHARED:
            raise SharedNotWritable(volume)
        await legal_chain(domain, await domain.images.survey(image), volume)
        path = domain.images.path(image, volume)
        async with domain.images.used(image, volume):
            try:
                await change(path, (await self.sdm.qemu.look(path)).bitmaps)
                await domain.images.flush(image, volume)
            except (OSError, ProgramFailed) as problem:
                raise CannotChangeBitmaps(volume, str(problem)) from problem
        await domain.images.write(image, volume, metadata.next_generation())


async def keep(qemu: QemuImg, path: Path, known: tuple[Bitmap, ...], wanted: tuple[str, ...]) -> None:
    """Removes the bitmaps of a volume that are not wanted, and those that are not valid."""
    for bitmap in known:
        if bitmap.name not in wanted or not bitmap.valid:
            await qemu.remove_bitmap(path, bitmap.name)


async def merge_down(qemu: QemuImg, source: Path, target: Path) -> None:
    """Adds what the valid bitmaps of a volume say to those of the one that took its data. Doing it again is fine."""
    known = {bitmap.name: bitmap for bitmap in (await qemu.look(target)).bitmaps}
    for bitmap in (await qemu.look(source)).bitmaps:
        if not bitmap.valid:
            continue
        if bitmap.name in known and not known[bitmap.name].valid:
            await qemu.remove_bitmap(target, bitmap.name)
            del known[bitmap.name]
        if bitmap.name not in known:
            await qemu.add_bitmap(target, bitmap)
        await qemu.merge_bitmap(source, target, bitmap.name)
