"""The words for who is SPM, and what runs there."""

from enum import Enum
from typing import Protocol

from virgate.node.storage.domains.domain import Domain


class Role(Enum):
    """The words of getSpmStatus."""

    SPM = "SPM"
    CONTEND = "Contend"
    FREE = "Free"


class SpmService(Protocol):
    """What runs on the host that is the SPM, and nowhere else."""

    async def start(self, pool: str, master: Domain) -> None:
        """The lease is held, the master is mounted, the journal is read; a failure ends the start of the SPM.

        It runs behind the SPM's fence, with all that it starts.
        """

    async def stop(self) -> None:
        """The role is being given up, or is lost already. Nothing happens if it was not started."""
