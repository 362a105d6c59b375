"""The two volumes of a merge: named by a client, kept from other hosts, and only opened when they may be."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from attrs import evolve, frozen

from virgate.errors import InvalidParameter
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.errors.jobs import NotInChain, SharedNotWritable, UnexpectedState, WrongParent
from virgate.node.storage.formats.volume_metadata import Legality, VolumeRole
from virgate.node.storage.images.chain import Image, Volume
from virgate.node.storage.images.trust import check_headers
from virgate.node.storage.repository import part
from virgate.node.storage.sdm.volumes import Target, leased
from virgate.node.storage.values import VolumeAddress


@frozen
class Subchain:
    """Two volumes, the second based on the first. The generation is the base's."""

    base: Target
    top: str

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "Subchain":
        """From `{sd_id, img_id, base_id, top_id, base_generation}`; `InvalidParameter` (1000)."""
        for name in ("sd_id", "img_id", "base_id", "top_id"):
            if name not in given:
                raise InvalidParameter("subchain_info", f"without {name}")
        ids = {"sd_id": given["sd_id"], "img_id": given["img_id"], "vol_id": given["base_id"]}
        return cls(Target.read({**ids, "generation": given.get("base_generation")}), part(given["top_id"]))

    @property
    def address(self) -> VolumeAddress:
        return self.base.address

    def found_in(self, survey: Image) -> tuple[Volume, Volume]:
        """Base and top; 920, 921, 219."""
        for id in (self.address.volume, self.top):
            if id not in survey.volumes:
                raise NotInChain(id, survey.id)
        base, top = survey.volume(self.address.volume), survey.volume(self.top)
        if top.metadata.parent != base.id:
            raise WrongParent(top.id, base.id, top.metadata.parent)
        for volume in (base, top):
            if volume.metadata.role is VolumeRole.SHARED or volume.metadata.image != survey.id:
                raise SharedNotWritable(volume.id)
        return base, top


@asynccontextmanager
async def alone(domain: Domain, wanted: Subchain) -> AsyncIterator[None]:
    """Inside, no other host merges into the base, nor runs a machine from the image: that holds the leaf's lease."""
    survey = await domain.images.survey(wanted.address.image)
    wanted.found_in(survey)
    async with AsyncExitStack() as held:
        for volume in dict.fromkeys((wanted.address.volume, survey.leaf().id)):
            await held.enter_async_context(leased(domain, evolve(wanted.address, volume=volume)))
        yield


async def trusted(domain: Domain, survey: Image, base: Volume, top: Volume) -> int:
    """That the chain may be opened; answers the bytes that a guest sees in the top.

    The base alone may be ILLEGAL: a merge into it was cut off.
    """
    if top.id not in {volume.id for volume in survey.chain()}:
        raise NotInChain(top.id, survey.id)
    chain = survey.chain(top.id)
    for volume in chain:
        legality = volume.metadata.legality
        if legality is not Legality.LEGAL and (volume.id != base.id or legality is Legality.FAKE):
            raise UnexpectedState(volume.id, f"is {legality.value}, so nothing is merged")
    sizes = await check_headers(domain, survey, chain)
    return max(top.metadata.capacity.bytes, sizes.get(top.id, 0))
