"""Stand-ins for templates on backup domains, where machines come without theirs (spec storage-format 1.5)."""

from contextlib import suppress

from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.domains.store import NewData
from virgate.node.storage.errors import NoSuchImage
from virgate.node.storage.formats.volume_metadata import (
    Allocation,
    Legality,
    VolumeFormat,
    VolumeMetadata,
    VolumeRole,
)
from virgate.node.storage.images.chain import Volume
from virgate.node.storage.images.volume_making import Wanted
from virgate.units import Size

DESCRIPTION = "Fake volume"


def stand_in(template: Volume) -> Wanted:
    """A volume that has nothing of the template but name and size."""
    metadata = template.metadata
    return Wanted(
        image=metadata.image,
        volume=template.id,
        capacity=metadata.capacity,
        format=VolumeFormat.COW,
        allocation=Allocation.SPARSE,
        disk_type=metadata.disk_type,
        description=DESCRIPTION,
        role=VolumeRole.SHARED,
        created=metadata.created,
        legality=Legality.FAKE,
    )


async def leave_stand_in(domain: Domain, template: Volume) -> None:
    """Deletes a template that other images need, and leaves a stand-in for it in all of them.

    They keep the template's data until they have the stand-in. The deletion is the first step: one that is interrupted
    afterwards leaves images that are based on a template without an image of its own, and these are whole.
    """
    wanted, images = stand_in(template), domain.images
    users = [image for image in await images.images_with(template.id) if image != wanted.image]
    await images.delete(wanted.image)
    await images.make_image(wanted.image)
    data = NewData(wanted.format, wanted.allocation, wanted.capacity.bytes)
    capacity = await images.create_data(wanted.image, wanted.volume, data)
    metadata = VolumeMetadata(
        domain=domain.id,
        image=wanted.image,
        capacity=Size(capacity),
        format=wanted.format,
        allocation=wanted.allocation,
        role=wanted.role,
        legality=wanted.legality,
        disk_type=wanted.disk_type,
        description=wanted.description,
        created=wanted.created,
    )
    await images.commit(wanted.image, wanted.volume, metadata)
    for user in users:
        await images.share(wanted.image, wanted.volume, user)


async def share_again(domain: Domain, template: str) -> None:
    """Images that were based on a stand-in for these volumes are based on the volumes."""
    for volume in (await domain.images.survey(template)).own():
        if volume.metadata.role is VolumeRole.SHARED:
            for user in await domain.images.images_with(volume.id):
                if user != template:
                    await domain.images.share(template, volume.id, user)


async def volumes_of(domain: Domain, image: str) -> frozenset[str]:
    """None if there is no such image."""
    with suppress(NoSuchImage):
        return frozenset((await domain.images.survey(image)).volumes)
    return frozenset()
