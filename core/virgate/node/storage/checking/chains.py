"""Whether the volumes of an image fit together: metadata, chain, and the headers of the data."""

from collections.abc import Iterator, Mapping

from virgate.errors import VirgateError
from virgate.node.storage.checking.findings import Finding, error, note, warning
from virgate.node.storage.formats.qcow2 import Header
from virgate.node.storage.formats.volume_metadata import Legality, VolumeFormat, VolumeMetadata, VolumeRole
from virgate.node.storage.images.chain import Image, Volume

RECONCILE = "with no machine running from it, call reconcileVolumeChain for the image on the SPM"
REPEAT = (
    "ask for the merge again; or, if none was begun, for what the volumes above it show is whole, make it LEGAL with "
    "setVolumeLegality"
)
DELETE = "delete the volume on the SPM, with force if it is refused"


def examine(image: Image, headers: Mapping[str, Header | VirgateError | None]) -> Iterator[Finding]:
    """`headers` holds the header of each qcow2 volume that has data; None for data that are no qcow2."""
    for volume in image.volumes.values():
        place = f"{image.id}/{volume.id}"
        if not volume.readable:
            yield error(place, f"its metadata cannot be read: {volume.found}", DELETE)
            continue
        yield from _volume(image, volume, place)
        if volume.id in headers:
            yield from _header(image, volume.metadata, headers[volume.id], place)
    yield from _chain(image)


def _volume(image: Image, volume: Volume, place: str) -> Iterator[Finding]:
    metadata = volume.metadata
    if metadata.domain != image.domain:
        yield error(place, f"its metadata name the domain {metadata.domain}", "restore the metadata of the volume")
    if volume.size < 0:
        yield error(place, "it has metadata and no data", DELETE)
    elif metadata.format is VolumeFormat.RAW and volume.size < metadata.capacity.bytes:
        yield error(
            place,
            f"its data end at {volume.size} bytes, its capacity is {metadata.capacity.bytes}",
            "extend the volume to its capacity; what was behind the end is lost",
        )
    if metadata.image != image.id:
        return  # a template: its own image is where its state is judged
    children = image.children(volume.id)
    if metadata.legality is Legality.ILLEGAL:
        advice = REPEAT if children else f"{RECONCILE}, or {DELETE}"
        yield warning(place, "it is ILLEGAL: a copy, merge or deletion of it did not end", advice)
    if metadata.legality is Legality.FAKE:
        yield note(place, "it stands in for a template that is not here", "copy the template to this domain")
    if metadata.role is VolumeRole.LEAF and children:
        yield error(place, f"it is a LEAF and {children[0]} is based on it", RECONCILE)
    if metadata.role is VolumeRole.INTERNAL and not children:
        yield warning(place, "it is INTERNAL and nothing is based on it", RECONCILE)
    there = [child for child in children if image.volume(child).metadata.legality is not Legality.ILLEGAL]
    if len(there) > 1 and metadata.role is not VolumeRole.SHARED:
        yield error(place, f"several volumes are based on it: {', '.join(there)}", DELETE)


def _header(
    image: Image, metadata: VolumeMetadata, header: Header | VirgateError | None, place: str
) -> Iterator[Finding]:
    if isinstance(header, VirgateError):
        yield error(place, str(header), "restore the volume from a copy")
    elif header is None:
        yield error(place, "its metadata say COW and its data are no qcow2", "restore the volume from a copy")
    else:
        yield from _sound_header(image, metadata, header, place)


def _sound_header(image: Image, metadata: VolumeMetadata, header: Header, place: str) -> Iterator[Finding]:
    backing = header.backing.rpartition("/")[2]
    parent = metadata.parent if metadata.has_parent else ""
    if header.data_file:
        yield error(place, "it keeps its data in another file, which no volume may", "restore the volume from a copy")
    if backing != parent:
        is_, said = backing or "nothing", parent or "nothing"
        yield error(place, f"its data are based on {is_}, its metadata say {said}", RECONCILE)
    if metadata.capacity.bytes and header.virtual_size != metadata.capacity.bytes and metadata.image == image.id:
        yield warning(
            place,
            f"its disk has {header.virtual_size} bytes, its metadata say {metadata.capacity.bytes}",
            "call volumeSetSize with the size of the disk",
        )


def _chain(image: Image) -> Iterator[Finding]:
    readable = [volume for volume in image.volumes.values() if volume.readable]
    for volume in readable:
        if volume.metadata.has_parent and volume.metadata.parent not in image.volumes:
            yield error(
                f"{image.id}/{volume.id}",
                f"its parent {volume.metadata.parent} is missing",
                "restore the parent from a copy; without it the volume cannot be read",
            )
    if not image.own():
        if readable:
            yield note(image.id, "only a template of another image is left in it", "delete the image")
        return
    try:
        image.chain()
    except VirgateError as problem:
        yield error(image.id, str(problem), RECONCILE)
