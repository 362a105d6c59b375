"""What an idle daemon knows of imports: where they would be, and that there are none."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from virgate.events import EventBus
    from virgate.node.v2v.imports import Imports


LOGS = "logs"
"""Of conversions that failed: the only thing that outlives the daemon."""


class Images(Protocol):
    """The part of storage that makes volumes usable on this host."""

    async def prepare(self, pool: str, domain: str, image: str, volume: str) -> Any: ...

    async def teardown(self, pool: str, domain: str, image: str, volume: str) -> Any: ...


class Door:
    """`folder` is for what need not survive a reboot, `work` for large temporary files."""

    def __init__(self, folder: Path, work: Path, images: Images, events: "EventBus") -> None:
        self._make: Callable[[], Imports] = lambda: _imports(folder, work, images, events)
        self._leftovers = (folder, work)
        self._imports: Imports | None = None

    @property
    def imports(self) -> "Imports":
        """Made when somebody first asks."""
        if self._imports is None:
            self._imports = self._make()
        return self._imports

    def told(self) -> dict[str, Any]:
        """`v2vJobs` of the host's statistics."""
        return {} if self._imports is None else self._imports.told()

    def start(self) -> None:
        """Takes away what a daemon left that was killed: passwords and half-made files. Its jobs are lost."""
        left = [one for folder in self._leftovers if folder.exists() for one in folder.iterdir() if one.name != LOGS]
        if left:
            import shutil

            for one in left:
                shutil.rmtree(one, ignore_errors=True)

    async def stop(self) -> None:
        """Ends the conversions that run."""
        if self._imports is not None:
            await self._imports.stop()


def _imports(folder: Path, work: Path, images: Images, events: "EventBus") -> "Imports":
    from virgate.node.v2v.imports import Imports

    return Imports(folder, work, images, events)
