"""The journal of tasks on a master domain: one folder per task, written in one stroke (spec storage-format 7.1)."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Protocol

from twisted.logger import Logger

from virgate.node.storage.formats import task_files
from virgate.node.storage.formats.errors import UnreadableMetadata
from virgate.node.storage.formats.task_files import TaskRecord
from virgate.node.tasks import folders
from virgate.node.tasks.errors import TasksNotLoaded


class Files(Protocol):
    """File operations where they may hang; `folders` has the functions, a helper process runs them."""

    async def read_folders(self, root: str) -> Mapping[str, Mapping[str, bytes]]: ...

    async def write_folder_atomically(self, folder: str, files: Mapping[str, bytes]) -> None: ...

    async def remove_folder(self, folder: str) -> None: ...


class DirectFiles:
    """Runs them on the spot: for tests, and for a store that is known to be in memory."""

    async def read_folders(self, root: str) -> Mapping[str, Mapping[str, bytes]]:
        return folders.read_folders(root)

    async def write_folder_atomically(self, folder: str, files: Mapping[str, bytes]) -> None:
        folders.write_folder_atomically(folder, files)

    async def remove_folder(self, folder: str) -> None:
        folders.remove_folder(folder)


class Helper(Protocol):
    """What runs a named blocking function in a worker process: `virgate.run.helper.Helper`."""

    async def call(self, operation: str, *arguments: Any) -> Any: ...


class HelperFiles:
    """Runs them in a helper whose operations include `folders.OPERATIONS`."""

    def __init__(self, helper: Helper) -> None:
        self._helper = helper

    async def read_folders(self, root: str) -> Mapping[str, Mapping[str, bytes]]:
        found: Mapping[str, Mapping[str, bytes]] = await self._helper.call("read_folders", root)
        return found

    async def write_folder_atomically(self, folder: str, files: Mapping[str, bytes]) -> None:
        await self._helper.call("write_folder_atomically", folder, files)

    async def remove_folder(self, folder: str) -> None:
        await self._helper.call("remove_folder", folder)


class TaskStore:
    """`<master>/tasks`. Each method is one call of `files`, so one round trip to its helper."""

    log = Logger()

    def __init__(self, folder: str | PurePath, files: Files) -> None:
        self.folder = str(folder)
        self._files = files

    async def save(self, record: TaskRecord) -> None:
        await self._files.write_folder_atomically(self._place(record.id), task_files.encode(record))

    async def remove(self, task_id: str) -> None:
        await self._files.remove_folder(self._place(task_id))

    async def load(self) -> list[TaskRecord]:
        """Every task that is readable under one of its names; the others stay on disk and are logged."""
        try:
            found = await self._files.read_folders(self.folder)
        except OSError as problem:
            raise TasksNotLoaded(self.folder, problem.strerror or str(problem)) from problem
        ids = sorted({name.partition(".")[0] for name in found} - {""})
        records = [self._choose(task_id, found) for task_id in ids]
        return [record for record in records if record is not None]

    def _choose(self, task_id: str, found: Mapping[str, Mapping[str, bytes]]) -> TaskRecord | None:
        for name in (task_id, task_id + folders.TEMP, task_id + folders.BACKUP):
            if name not in found:
                continue
            try:
                return task_files.decode(task_id, found[name])
            except UnreadableMetadata as problem:
                self.log.warn("task folder {name} is not usable: {problem}", name=name, problem=str(problem))
        return None

    def _place(self, task_id: str) -> str:
        return str(PurePath(self.folder) / task_id)
