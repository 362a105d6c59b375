"""Making a file domain at a connected place (spec storage-format 1.3)."""

from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.domains.making import NewDomain
from virgate.node.storage.domains.record import new_record
from virgate.node.storage.errors import NoDirectIo, NotEmpty, NotMounted, StorageUnusable
from virgate.node.storage.file.domain import lay_out
from virgate.node.storage.formats.mount_name import normalize


async def make(domains: Domains, wanted: NewDomain) -> None:
    """A failure leaves nothing there."""
    mount = domains.repository.mount_point(wanted.remote)
    files = domains.helpers[str(mount)]
    if await domains.repository.files.call("read_link", str(mount)) is None and not await files.call(
        "list_folder", str(mount)
    ):
        raise NotMounted(wanted.remote)
    if problem := await files.call("check_folder", str(mount)):
        raise StorageUnusable(wanted.remote, problem)
    if not await files.call("direct_io_works", str(mount)):
        raise NoDirectIo(wanted.remote)
    if await files.call("anything_there", str(mount)):
        raise NotEmpty(wanted.remote)
    record = new_record(
        wanted.id, wanted.name, wanted.type.name, wanted.domain_class, wanted.version, normalize(wanted.remote)
    )
    path = mount / wanted.id
    await lay_out(files, path, record, domains.owner)
    domains.drop_lease(wanted.id)
    lease = await domains.lease(record, path, wanted.type)
    await lease.initialize()
    domains.forget()
