"""Domains made of logical volumes: what a later version has to say about them.

The place of the metadata differs (tags of the volume group instead of a file) and the images are logical volumes;
pools, SPM, tasks, chains and everything above `Domain` and `ImageStore` stay as they are.
"""

from typing import ClassVar

from virgate.hookspecs.storage import Kind
from virgate.node.storage.domain import Domain, ImageStore


class BlockImages(ImageStore):
    """Volumes as logical volumes, known by their tags MD_, PU_, IU_ (spec storage-format 2.4)."""


class BlockDomain(Domain):
    """One volume group (spec storage-format 2). `path` is its skeleton `mnt/blockSD/<domain>`."""

    kind: ClassVar[Kind] = Kind.BLOCK
