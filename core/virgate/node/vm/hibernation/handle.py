"""The handle of a saved machine: six ids that name the volumes of its memory and of its parameters (spec 11.1).

Clients give it as one text, newer ones as two maps. Hibernation and snapshots with memory use the same.
"""

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen

from virgate.domxml.facts import DiskRequest
from virgate.node.vm.hibernation.errors import BadHandle

PARTS = 6
IDS = ("domainID", "poolID", "imageID", "volumeID")


@frozen
class VolumeId:
    """A volume that storage knows."""

    domain: str
    pool: str
    image: str
    volume: str

    @property
    def drive(self) -> dict[str, str]:
        """As clients and `prepareImage` name it (spec migration, vectors L)."""
        return {**dict(zip(IDS, (self.domain, self.pool, self.image, self.volume), strict=True)), "device": "disk"}

    @property
    def disk(self) -> DiskRequest:
        """As storage is asked to make it ready."""
        return DiskRequest(
            target="", pool_id=self.pool, domain_id=self.domain, image_id=self.image, volume_id=self.volume
        )

    @classmethod
    def of(cls, drive: Any) -> Self:
        """Raises `BadHandle` for a map without one of the ids."""
        if not isinstance(drive, Mapping) or not all(isinstance(drive.get(name), str) and drive[name] for name in IDS):
            raise BadHandle(str(drive))
        return cls(*(drive[name] for name in IDS))


@frozen
class Handle:
    """Where a machine's memory and its parameters lie."""

    memory: VolumeId
    conf: VolumeId

    def __str__(self) -> str:
        memory, conf = self.memory, self.conf
        return ",".join((memory.domain, memory.pool, memory.image, memory.volume, conf.image, conf.volume))

    @classmethod
    def parse(cls, text: Any) -> Self:
        """`domainID,poolID,stateImageID,stateVolumeID,confImageID,confVolumeID`; raises `BadHandle`."""
        parts = [part.strip() for part in text.split(",")] if isinstance(text, str) else []
        if len(parts) != PARTS or not all(parts):
            raise BadHandle(str(text))
        domain, pool, *names = parts
        return cls(VolumeId(domain, pool, names[0], names[1]), VolumeId(domain, pool, names[2], names[3]))

    @classmethod
    def of_params(cls, params: Mapping[str, Any]) -> Self | None:
        """The handle in the parameters of `create`, in either form; None when the machine is to start afresh."""
        if memory := params.get("memoryDumpVolume"):
            return cls(VolumeId.of(memory), VolumeId.of(params.get("memoryConfVolume")))
        return cls.parse(text) if (text := params.get("hiberVolHandle")) else None
