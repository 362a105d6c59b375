"""The functions a rollback may name: (object, function) as stored in the journal -> coroutine function.

Names come from disk and may have been written by an oVirt host, so nothing is imported by name: what nobody
registered is skipped with a log line, as the specification asks.
"""

from collections.abc import Awaitable, Callable

from twisted.logger import Logger

from virgate.node.storage.formats.task_files import Recovery

Undo = Callable[..., Awaitable[None]]


class Recoveries:
    """Registered by the rooms that know how to undo; asked by the tasks."""

    log = Logger()

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Undo] = {}

    def add(self, objects: str | tuple[str, ...], function: str, undo: Undo) -> None:
        """`undo` is called with the stored parameters as strings; it must bear that there is nothing left to undo."""
        for name in (objects,) if isinstance(objects, str) else objects:
            self._known[name, function] = undo

    def __contains__(self, recovery: Recovery) -> bool:
        return (recovery.object, recovery.function) in self._known

    async def run(self, recovery: Recovery) -> None:
        """Whatever the function raises passes through."""
        undo = self._known.get((recovery.object, recovery.function))
        if undo is None:
            self.log.warn(
                "skipping unknown recovery {module}.{object}.{function} ({name})",
                name=recovery.name,
                module=recovery.module,
                object=recovery.object,
                function=recovery.function,
            )
            return
        await undo(*recovery.params)
