"""Reads a domain for a check. Nothing is changed, no lease is taken: what a task changes may show as a finding."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

from attrs import frozen

from virgate.errors import VirgateError
from virgate.hookspecs.storage import Kind
from virgate.node.storage.checking import chains, leases, trees
from virgate.node.storage.checking.findings import Finding, Severity, error
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.formats import qcow2
from virgate.node.storage.formats.layout import XLEASES_INDEX, sdm_offset
from virgate.node.storage.formats.removal import REMOVED
from virgate.node.storage.formats.sanlock import SDM
from virgate.node.storage.formats.volume_metadata import VolumeFormat
from virgate.node.storage.images.chain import Image
from virgate.node.storage.repository import part
from virgate.node.storage.values import ISO_IMAGE
from virgate.node.tasks.locks import Locks, storage

SECTOR = 512
GONE_MEANWHILE = "check again; if it stays, see the log of the storage server"


@frozen
class Report:
    """`images` and `volumes` count what was looked at."""

    findings: tuple[Finding, ...]
    images: int
    volumes: int

    @property
    def sound(self) -> bool:
        """Nothing worse than a note was found."""
        return all(finding.severity is Severity.NOTE for finding in self.findings)


async def check(domains: Domains, locks: Locks, domain_id: str) -> Report:
    """`NoSuchDomain` (358). A domain whose metadata are broken has that as its finding.

    What is done at once, such as an attachment, is over or not begun while this looks; tasks are not waited for.
    """
    async with locks.hold(storage(part(domain_id))):
        return await _checked(domains, domain_id)


async def _checked(domains: Domains, domain_id: str) -> Report:
    try:
        domain = await domains.find(domain_id)
        await domain.refresh()
    except VirgateError as problem:
        await domains.folder_of(domain_id)
        mend = "restore dom_md/metadata from a copy; every host of the pool keeps none"
        return Report((error("dom_md/metadata", str(problem), mend),), 0, 0)
    findings = [finding async for finding in _around(domain)]
    images = [image for image in sorted(await domain.images.all()) if image != ISO_IMAGE]
    volumes = 0
    for image in images:
        try:
            survey = await domain.images.survey(image)
            found = await _headers(domain, survey)
        except (VirgateError, OSError) as problem:
            findings.append(error(image, str(problem), GONE_MEANWHILE))
            continue
        volumes += len(survey.own())
        findings += chains.examine(survey, found)
    return Report(tuple(findings), len(images), volumes)


async def _headers(domain: Domain, survey: Image) -> dict[str, Any]:
    """Of the image's own qcow2 volumes; a broken header is its own value."""
    layered = [volume.id for volume in survey.own() if volume.metadata.format is VolumeFormat.COW and volume.size >= 0]
    async with domain.images.used(survey.id, *layered):
        starts = await domain.images.starts(survey.id, layered, qcow2.START)
    return {volume: _decoded(start) for volume, start in zip(layered, starts, strict=True)}


def _decoded(start: bytes) -> qcow2.Header | VirgateError | None:
    try:
        return qcow2.decode(start)
    except VirgateError as problem:
        return problem


async def _around(domain: Domain) -> AsyncIterator[Finding]:
    """What a domain has besides its images."""
    async for finding in _tree(domain) if domain.kind is Kind.FILE else _group(domain):
        yield finding
    if domain.lease.volume_leases:
        async for finding in _special_leases(domain):
            yield finding


async def _tree(domain: Domain) -> AsyncIterator[Finding]:
    entries = [trees.Entry(*entry) for entry in await domain.files.call("list_tree", str(domain.path), ["master"])]
    for finding in trees.examine(entries, _shape(domain)):
        yield finding
    if not domain.lease.volume_leases:
        return
    paths = [entry.path for entry in entries if entry.kind == "file" and _is_lease(entry.path)]
    starts = await domain.files.call("read_starts", [str(domain.path / path) for path in paths], SECTOR)
    for path, start in zip(paths, starts, strict=True):
        volume = path.rpartition("/")[2].removesuffix(".lease")
        for finding in leases.examine_lease(path, start, domain.id, volume):
            yield finding


def _shape(domain: Domain) -> trees.Shape:
    return trees.Shape(domain.version, domain.record.alignment, domain.lease.volume_leases)


async def _group(domain: Any) -> AsyncIterator[Finding]:
    from virgate.node.storage.block import first_version, tags
    from virgate.node.storage.checking import groups

    group = await domain.lvm.group(domain.id, fresh=True)
    volumes = await domain.lvm.volumes(domain.id, fresh=True)
    if domain.version:
        found = tags.entries(volumes)
    else:
        found = await first_version.entries(domain.lvm, domain.id, domain.record.values, volumes)
    for finding in groups.examine(group, volumes, _shape(domain), found):
        yield finding
    for finding in groups.examine_parents(found.values(), await domain.images.parents()):
        yield finding
    if not domain.lease.volume_leases:
        return
    for entry in found.values():
        if entry.known and (place := await domain.images.lease_of(entry.image, entry.name)):
            data = await domain.files.call("read_data", str(place[0]), place[1], SECTOR)
            for finding in leases.examine_lease(f"{entry.image}/{entry.name}", data, domain.id, entry.name):
                yield finding


def _is_lease(path: str) -> bool:
    return path.startswith("images/") and path.endswith(".lease") and REMOVED not in path


async def _special_leases(domain: Domain) -> AsyncIterator[Finding]:
    folder, align = domain.path / "dom_md", domain.record.alignment
    wanted: Iterable[tuple[str, int, str]] = (("ids", 0, ""), ("leases", sdm_offset(align), SDM))
    for name, offset, resource in wanted:
        data = await domain.files.call("read_data", str(folder / name), offset, SECTOR)
        for finding in leases.examine_lease(f"dom_md/{name}", data, domain.id, resource):
            yield finding
    if domain.version >= 4:
        data = await domain.files.call("read_data", str(folder / "xleases"), align, XLEASES_INDEX)
        for finding in leases.examine_index("dom_md/xleases", data, domain.id):
            yield finding
