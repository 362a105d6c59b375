"""Making a file domain at a connected place (spec storage-format 1.3, 3.5)."""

import math
import time
from pathlib import Path

from virgate.errors import InvalidParameter
from virgate.hookspecs.leases import LeaseManager
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.domains.making import NewDomain
from virgate.node.storage.domains.record import DomainRecord, new_record
from virgate.node.storage.errors import BlockSizeMismatch, NoDirectIo, NotEmpty, NotMounted, StorageUnusable
from virgate.node.storage.formats import xleases
from virgate.node.storage.formats.layout import (
    BLOCK_4K,
    BLOCK_512,
    MAILBOX_FILE,
    alignment,
    xleases_file,
)
from virgate.node.storage.formats.mount_name import normalize
from virgate.node.storage.values import ISO_IMAGE, Class, Files

XLEASES = "xleases"
AUTOMATIC = 0
UNTOLD = 1
"""What a look at the storage answers when it takes writes of any size."""


async def make(domains: Domains, wanted: NewDomain) -> None:
    """A failure leaves nothing there."""
    _check_block_size(wanted)
    mount = domains.repository.mount_point(wanted.remote, below=getattr(wanted.type, "below", ""))
    files = domains.helpers[str(mount)]
    await _must_be_connected(domains, wanted.remote, mount)
    if problem := await files.call("check_folder", str(mount)):
        raise StorageUnusable(wanted.remote, problem)
    if await files.call("anything_there", str(mount)):
        raise NotEmpty(wanted.remote)
    block_size = await _block_size(files, mount, wanted)
    record = new_record(
        wanted.id,
        wanted.name,
        wanted.type.name,
        wanted.domain_class,
        wanted.version,
        normalize(wanted.remote),
        block_size,
        alignment(block_size, wanted.max_hosts),
    )
    await _lay_out(domains, files, mount / wanted.id, record, wanted)
    domains.forget()


def _check_block_size(wanted: NewDomain) -> None:
    """`InvalidParameter` (1000) for what no domain of this type and version may have, whatever the storage."""
    sizes = getattr(wanted.type, "block_sizes", (BLOCK_512,))
    any_size = wanted.version >= 5 and BLOCK_4K in sizes
    if wanted.block_size not in ((AUTOMATIC, *sizes) if any_size else (BLOCK_512,)):
        raise InvalidParameter("block_size", wanted.block_size)
    alignment(BLOCK_512 if wanted.block_size == AUTOMATIC else wanted.block_size, wanted.max_hosts)


async def _must_be_connected(domains: Domains, remote: str, mount: Path) -> None:
    linked = await domains.repository.files.call("read_link", str(mount)) is not None
    if not linked and domains.repository.mounted(mount) is None:
        raise NotMounted(remote)


async def _block_size(files: Files, mount: Path, wanted: NewDomain) -> int:
    found: int = await files.call("direct_block_size", str(mount))
    if not found:
        raise NoDirectIo(wanted.remote)
    if found == UNTOLD:
        return wanted.block_size or BLOCK_512
    if wanted.block_size not in (AUTOMATIC, found):
        raise BlockSizeMismatch(wanted.remote, found, wanted.block_size)
    return found


async def _lay_out(domains: Domains, files: Files, path: Path, record: DomainRecord, wanted: NewDomain) -> None:
    """The metadata come last: a domain that has some is complete."""
    domains.drop_lease(wanted.id)
    lease = await domains.lease(record, path, wanted.type)
    folders = ["dom_md", "images", *([f"images/{ISO_IMAGE}"] if wanted.domain_class is Class.Iso else [])]
    await files.call("lay_out_domain", str(path), folders, special_files(record, lease), domains.owner)
    try:
        if has_external_leases(record.version, lease):
            await format_xleases(files, path, record)
        await lease.initialize()
        metadata = str(path / "dom_md" / "metadata")
        await files.call("write_file", metadata, record.encoded(), 0o644, domains.owner)
    except BaseException:
        domains.drop_lease(wanted.id)
        await files.call("remove_tree", str(path), timeout=math.inf)
        raise


def special_files(record: DomainRecord, lease: LeaseManager) -> list[tuple[str, int]]:
    """Name and size; `ids` and `leases` get theirs when leases are written into them."""
    found = [("ids", 0), ("leases", 0), ("inbox", MAILBOX_FILE), ("outbox", MAILBOX_FILE)]
    if has_external_leases(record.version, lease):
        found.append((XLEASES, xleases_file(record.alignment)))
    return [(f"dom_md/{name}", size) for name, size in found]


def has_external_leases(version: int, lease: LeaseManager) -> bool:
    return version >= 4 and lease.volume_leases


async def format_xleases(files: Files, path: Path, record: DomainRecord) -> None:
    """An index without leases in a file that has the room for it."""
    place = str(path / "dom_md" / XLEASES)
    for block in xleases.formatting(record.id, int(time.time()), record.block_size):
        await files.call("write_blocks", place, record.alignment + block.offset, block.data)
