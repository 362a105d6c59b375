"""A domain that is a volume group (spec storage-format 2)."""

from typing import ClassVar

from virgate.hookspecs.storage import Kind
from virgate.node.storage.domains.domain import Domain


class BlockDomain(Domain):
    """`path` is its skeleton `mnt/blockSD/<domain>`, whose `dom_md` links the special logical volumes."""

    kind: ClassVar[Kind] = Kind.BLOCK
