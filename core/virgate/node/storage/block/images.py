"""Volumes as logical volumes, known by their tags MD_, PU_, IU_ (spec storage-format 2.4)."""

from virgate.node.storage.domains.store import ImageStore


class BlockImages(ImageStore):
    """Only the SPM changes the volume group; every host may activate and refresh."""
