"""The stored chain of an image that a machine runs from, after a merge on this host (spec storage-format 4).

Any host does this for what it runs, SPM or not: only volumes' metadata are written. The parent tag of a logical volume
is corrected by the SPM, when the merged volume is deleted.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from attrs import evolve, frozen
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.node.storage.formats.volume_metadata import Legality, VolumeMetadata, VolumeRole
from virgate.node.storage.images.chain import Image
from virgate.node.storage.images.jobs import Jobs, on_image


@frozen
class LiveChain:
    log = Logger()

    jobs: Jobs

    async def agree(self, domain: str, image: str, actual: Sequence[str], gone: Sequence[str]) -> None:
        """Lets the metadata say the `actual` chain, which has lost the volumes `gone`; both base first.

        A leaf that is gone becomes ILLEGAL, for its data are stale from now on; what was based on a volume that is gone
        is based on what took its data, and that is as large. The end of the actual chain is LEGAL again if it was not.
        Doing it again changes nothing.
        """
        found = await self.jobs.domains.find(domain)
        async with self.jobs.locks.hold(*on_image(domain, image)):
            survey = await found.images.survey(image)
            for volume, right in agreed(survey, actual, gone).items():
                await found.images.write(image, volume, right)

    async def let_go(self, domain: str, image: str, gone: Sequence[str]) -> None:
        """No machine of this host uses the volumes any more. What keeps one from being let go is only logged."""
        found = await self.jobs.domains.find(domain)
        try:
            await found.images.let_go(image, gone)
        except (OSError, VirgateError) as problem:
            self.log.warn("volumes of {image} stay in use here: {problem}", image=image, problem=problem)


def agreed(survey: Image, actual: Sequence[str], gone: Sequence[str]) -> dict[str, VolumeMetadata]:
    """The metadata that have to be written. A template is nobody's to change."""
    wanted: dict[str, dict[str, Any]] = {volume: {} for volume in (*gone, *actual)}
    merged = [survey.volumes[volume].metadata for volume in gone if volume in survey.volumes]
    for volume, metadata in zip((volume for volume in gone if volume in survey.volumes), merged, strict=True):
        if metadata.role is VolumeRole.LEAF:
            wanted[volume]["legality"] = Legality.ILLEGAL
    for parent, child in pairwise(actual):
        wanted[child]["parent"] = parent
    if actual:
        wanted[actual[-1]]["legality"] = Legality.LEGAL
    if merged and merged[0].parent in actual:
        base = survey.volume(merged[0].parent).metadata
        wanted[merged[0].parent]["capacity"] = max(base.capacity, *(one.capacity for one in merged))
    return dict(_changed(survey, wanted))


def _changed(survey: Image, wanted: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, VolumeMetadata]]:
    for volume, changes in wanted.items():
        if not changes:
            continue
        known = survey.volume(volume).metadata
        if known.image == survey.id and known.role is not VolumeRole.SHARED:
            right = evolve(known, **changes)
            if right != known:
                yield volume, right
