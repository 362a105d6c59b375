"""Volumes that a task takes out of their image before it is done, and deletes after that (spec xmlrpc-storage 8.5)."""

import secrets

from attrs import field, frozen
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.formats.removal import REMOVED, WIPED
from virgate.node.storage.images import rollback
from virgate.node.storage.images.volumes import Wipe
from virgate.node.tasks.task import Task


@frozen
class Hiding:
    log = Logger()

    domain: Domain
    pool: str
    """The folder of the pool, as recoveries have it."""
    image: str
    task: Task
    wipe: Wipe
    _names: list[str] = field(factory=list, init=False)

    @property
    def folder(self) -> str:
        """The folder of the image, as recoveries have it."""
        return f"{self.pool}/{self.domain.id}/images/{self.image}"

    async def hide(self, volume: str) -> None:
        """It gets its name back when the task is undone. The hidden one says whether it is to be wiped: who deletes it
        may be the next SPM, which knows nothing else of it."""
        name = f"{WIPED if self.wipe.zero else REMOVED}{secrets.token_hex(4)}_{volume}"
        await self.task.recovery(rollback.undo_rename(self.domain, self.folder, volume, name))
        await self.domain.images.rename(self.image, volume, name)
        self._names.append(name)

    async def delete(self) -> None:
        """There is no way back any more: what cannot be deleted now stays hidden, and goes with the next SPM."""
        for name in self._names:
            try:
                await self.domain.images.remove(self.image, name, zero=self.wipe.zero, discard=self.wipe.discard)
            except (OSError, VirgateError):
                self.log.failure("volume {name} is hidden and not deleted", name=name)
