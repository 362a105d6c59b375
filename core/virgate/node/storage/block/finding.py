"""Volume groups that are storage domains."""

from typing import Protocol

from virgate.errors import VirgateError
from virgate.node.storage.block.domain import METADATA, helper_of
from virgate.node.storage.block.first_version import read_text
from virgate.node.storage.domains.record import DomainRecord
from virgate.node.storage.errors import DomainAccess
from virgate.node.storage.formats import domain_metadata
from virgate.node.storage.formats.domain_metadata import TAG_PREFIX
from virgate.node.storage.lvm.commands import DOMAIN_TAG
from virgate.node.storage.lvm.lvm import Lvm
from virgate.node.storage.lvm.reports import VolumeGroup
from virgate.node.storage.repository import part
from virgate.node.storage.values import Files


class FilesByKey(Protocol):
    def __getitem__(self, key: str) -> Files: ...


async def find_groups(lvm: Lvm, helpers: FilesByKey) -> dict[str, DomainRecord | VirgateError]:
    """What each domain says of itself, or what is wrong with it. Groups that are no domains are left out."""
    found: dict[str, DomainRecord | VirgateError] = {}
    for name, group in (await lvm.groups(fresh=True)).items():
        if DOMAIN_TAG in group.tags:
            try:
                found[part(name)] = await _record(lvm, helpers, group)
            except VirgateError as problem:
                found[name] = problem
    return found


async def _record(lvm: Lvm, helpers: FilesByKey, group: VolumeGroup) -> DomainRecord:
    if any(tag.startswith(TAG_PREFIX) for tag in group.tags):
        return DomainRecord.of(domain_metadata.decode_tags(group.tags))
    try:
        await lvm.activate(group.name, METADATA)
        text = await read_text(lvm, helpers[helper_of(group.name)], group.name)
    except OSError as problem:
        raise DomainAccess(f"{group.name} ({problem})") from None
    return DomainRecord.of(text)
