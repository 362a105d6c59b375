"""An image as it lies on a domain: its volumes, and the chain that their parents make. Pure.

A chain runs from a base to one leaf. A base that belongs to another image is a template, linked into this image's
folder (spec xmlrpc-storage 8.1).
"""

from collections.abc import Iterator, Mapping

from attrs import frozen

from virgate.errors import VirgateError
from virgate.node.storage.errors import IllegalChain, NoSuchImage, VolumeDoesNotExist
from virgate.node.storage.formats import volume_metadata
from virgate.node.storage.formats.volume_metadata import Legality, VolumeMetadata, VolumeRole


@frozen
class Volume:
    """One volume. Its metadata, or why they cannot be read."""

    id: str
    found: VolumeMetadata | VirgateError
    size: int
    """Bytes of the data file as it appears; -1 if it is gone."""
    allocated: int
    """Bytes it occupies."""

    @property
    def metadata(self) -> VolumeMetadata:
        """Raises what was wrong with them."""
        if isinstance(self.found, VirgateError):
            raise self.found
        return self.found

    @property
    def readable(self) -> bool:
        return not isinstance(self.found, VirgateError)


@frozen
class Image:
    """Every volume that the image's folder holds, a template's included."""

    domain: str
    id: str
    volumes: Mapping[str, Volume]

    @classmethod
    def surveyed(cls, domain: str, image: str, found: Mapping[str, tuple[bytes | None, int, int]]) -> "Image":
        """From what the operation `survey_image` saw. Data without metadata are a creation that did not end."""
        volumes = {
            name: Volume(name, _decoded(metadata), size, allocated)
            for name, (metadata, size, allocated) in found.items()
            if metadata is not None
        }
        return cls(domain, image, volumes)

    def volume(self, volume: str) -> Volume:
        if volume not in self.volumes:
            raise VolumeDoesNotExist(volume)
        return self.volumes[volume]

    def own(self) -> tuple[Volume, ...]:
        """The volumes that belong to this image: a linked template does not."""
        return tuple(volume for volume in self._readable() if volume.metadata.image == self.id)

    def children(self, volume: str) -> tuple[str, ...]:
        """Who is based on the volume, within this image."""
        return tuple(other.id for other in self._readable() if other.metadata.parent == volume)

    def leaf(self) -> Volume:
        """The one volume that nothing is based on; of a template, the template itself."""
        if not self.volumes:
            raise NoSuchImage(self.id, self.domain)
        ends = [volume for volume in self._readable() if not self.children(volume.id)]
        own = [volume for volume in ends if volume.metadata.image == self.id]
        leaves = [volume for volume in own if volume.metadata.role in (VolumeRole.LEAF, VolumeRole.SHARED)]
        if len(leaves) != 1:
            raise IllegalChain(self.id, "it has no leaf" if not leaves else "it has several leaves")
        return leaves[0]

    def chain(self, last: str | None = None) -> tuple[Volume, ...]:
        """From the base up to `last` (the leaf if not said)."""
        if not self.volumes:
            raise NoSuchImage(self.id, self.domain)
        volume = self.leaf() if last is None else self.volume(last)
        found = [volume]
        while volume.metadata.has_parent:
            parent = volume.metadata.parent
            if parent not in self.volumes:
                raise IllegalChain(self.id, f"the parent {parent} of {volume.id} is missing")
            volume = self.volumes[parent]
            if volume in found:
                raise IllegalChain(self.id, "its volumes form a ring")
            found.append(volume)
        return tuple(reversed(found))

    def illegal(self) -> tuple[str, ...]:
        """Volumes whose data are not to be trusted."""
        return tuple(volume.id for volume in self._readable() if volume.metadata.legality is Legality.ILLEGAL)

    def unreal(self) -> bool:
        """Whether something in it is illegal or stands in for a missing template: it may be overwritten."""
        return any(volume.metadata.legality is not Legality.LEGAL for volume in self.own())

    def _readable(self) -> Iterator[Volume]:
        return (volume for volume in self.volumes.values() if volume.readable)


def _decoded(metadata: bytes | None) -> VolumeMetadata | VirgateError:
    try:
        return volume_metadata.decode(metadata or b"")
    except VirgateError as problem:
        return problem
