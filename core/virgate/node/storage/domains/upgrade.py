"""Bringing a domain to a newer version (spec storage-format 8). No version goes back."""

from typing import TYPE_CHECKING, cast

from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.hookspecs.storage import Kind
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.errors import UnsupportedVersion

if TYPE_CHECKING:
    from virgate.node.storage.block.domain import BlockDomain

log = Logger()


async def upgrade(domain: Domain, version: int) -> None:
    """Writes the domain in the form of `version`; a newer or equal domain is left alone.

    The caller holds the domain's lease. Volumes whose metadata cannot be read stay as they are. The version is raised
    when every volume can be read by hosts of both versions, so an interruption leaves a domain that works.
    """
    if version not in (3, 4, 5):
        if version > domain.version:
            raise UnsupportedVersion(version)
        return
    if version > domain.version and domain.type.lease(domain.version) != domain.type.lease(version):
        # Whoever holds the old lock would not see the new one.
        raise UnsupportedVersion(f"{version} ({domain.id} has another kind of lock: copy its images to a new domain)")
    for step in (3, 4):
        if domain.version < step <= version:
            await domain.prepare_version(step)
            await domain.change({"VERSION": step})
    if domain.version < 5 <= version:
        if domain.kind is Kind.BLOCK:
            from virgate.node.storage.block.upgrading import to_version_5

            await to_version_5(cast("BlockDomain", domain))
        else:
            await _to_version_5(domain)


async def _to_version_5(domain: Domain) -> None:
    volumes = [(image, volume) for image, found in (await domain.images.all()).items() for volume in found]
    await _rewrite(domain, volumes, 4, converting=True)
    changes = {"VERSION": 5, "BLOCK_SIZE": 512, "ALIGNMENT": 1 << 20, "LOGBLKSIZE": None, "PHYBLKSIZE": None}
    await domain.change(changes)
    try:
        await _rewrite(domain, volumes, 5, converting=False)
    except (VirgateError, OSError):
        log.failure("domain {domain} keeps volume metadata of an older form", domain=domain.id)


async def _rewrite(domain: Domain, volumes: list[tuple[str, str]], version: int, *, converting: bool) -> None:
    for image, volume in volumes:
        found = (await domain.images.survey(image)).volumes.get(volume)
        if found is None or not found.readable or found.metadata.image != image:
            continue
        await domain.images.write(image, volume, found.metadata, version=version, converting=converting)
