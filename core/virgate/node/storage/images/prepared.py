"""Whether a volume was prepared on this host and not torn down since: only folders of this host are looked at."""

from virgate.hookspecs.storage import Kind
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.repository import Repository
from virgate.node.storage.values import VolumeAddress


async def is_prepared(repository: Repository, domain: Domain, address: VolumeAddress) -> bool:
    """Of a file domain the whole image is; of a block domain each volume for itself."""
    folder = repository.prepared(address.domain, address.image)
    if address.image not in await repository.files.call("list_folder", str(folder.parent)):
        return False
    return domain.kind is not Kind.BLOCK or address.volume in await repository.files.call("list_folder", str(folder))
