"""What file domains of newer versions have and older ones have not (spec storage-format 8).

Only for domains that several hosts see. Every step may be repeated: leases of volumes are in use from version 3 on,
external ones from version 4 on, so until the version is raised nobody holds one.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from virgate.node.storage.file.making import XLEASES, format_xleases
from virgate.node.storage.formats.layout import xleases_file

if TYPE_CHECKING:
    from virgate.node.storage.file.domain import FileDomain

SPECIAL = ("ids", "leases", "inbox", "outbox")


async def add_volume_leases(domain: "FileDomain", owner: Sequence[int] | None) -> None:
    """Volumes whose metadata cannot be read, and those seen in an image that is not theirs, are passed over."""
    await domain.files.call("set_modes", [str(domain.path / "dom_md" / name) for name in SPECIAL], 0o660)
    for image in await domain.images.all():
        for id, volume in (await domain.images.survey(image)).volumes.items():
            if volume.readable and volume.metadata.image == image:
                await domain.images.add_lease(image, id)


async def add_external_leases(domain: "FileDomain", owner: Sequence[int] | None) -> None:
    """A file that is there is used, its index is always made anew."""
    place = str(domain.path / "dom_md" / XLEASES)
    await domain.files.call("make_file", place, xleases_file(domain.record.alignment), 0o660, owner)
    await format_xleases(domain.files, domain.path, domain.record)
