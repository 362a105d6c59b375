"""Making a block domain of a volume group (spec storage-format 2.1, 2.2)."""

from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.domains.making import NewDomain
from virgate.node.storage.errors import WrongDomainType


async def make(domains: Domains, wanted: NewDomain) -> None:
    raise WrongDomainType(wanted.type.name)
