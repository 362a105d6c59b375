"""The tasks of this host: started by storage verbs, watched and cleared by clients (spec xmlrpc-storage 3.7 and 5)."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import uuid4

from twisted.internet.defer import DeferredList
from twisted.logger import Logger

from virgate.errors import InvalidParameter, VirgateError
from virgate.events import EventBus
from virgate.node.storage.formats.task_files import Recovery
from virgate.node.tasks.errors import (
    TaskNotClearable,
    TaskNotFinished,
    TaskNotRemoved,
    TaskNotSaved,
    TooManyTasks,
    UnknownTask,
)
from virgate.node.tasks.life import Job, Worker
from virgate.node.tasks.recoveries import Recoveries
from virgate.node.tasks.settings import DEFAULTS, TaskSettings
from virgate.node.tasks.states import State
from virgate.node.tasks.store import TaskStore
from virgate.node.tasks.task import Task
from virgate.run.background import background
from virgate.run.loop import reactor

Early = Callable[[Task], Awaitable[Sequence[Recovery] | None]]

SPM = "spm"
HSM = "hsm"


class Tasks:
    """Told on the event bus: `task.status` (id, verb, tag, state, result, code, message, progress) at each change;
    `state` and `result` are the words of getTaskStatus, so `state == "finished"` is the end."""

    log = Logger()

    def __init__(
        self,
        recoveries: Recoveries,
        events: EventBus | None = None,
        settings: TaskSettings | None = None,
        clock: Any = reactor,
    ) -> None:
        self._settings = settings or DEFAULTS
        self._events = events or EventBus()
        self._worker = Worker(recoveries, self._settings, clock)
        self._tasks: dict[str, Task] = {}
        self._loaded: list[Task] = []

    async def start(
        self,
        verb: str,
        job: Job,
        *,
        tag: str = SPM,
        store: TaskStore | None = None,
        holding: Sequence[AbstractAsyncContextManager[Any]] = (),
        recoveries: Sequence[Recovery] = (),
        early: Early | None = None,
        command: str = "",
    ) -> Task:
        """Queues `job(task)`; returns once the task would survive a crash (`store`) and its locks (`holding`) are held.

        What is held is given back when the task is done, its rollback included. `recoveries` known beforehand save a
        write; `early` is asked for them when the task can run at once, and may answer None: not now. Raises what
        `holding` raises, TooManyTasks, TaskNotSaved: then nothing was started.
        """
        insist = self._worker.insist
        task = Task(
            id=str(uuid4()), verb=verb, tag=tag, store=store, changed=self._tell, insist=insist, command=command
        )
        task.go(State.PREPARING)
        saving = False
        try:
            for context in holding:
                await task.enter(context)
            task.recoveries.extend(recoveries)
            if early is not None:
                await self._begin_early(task, early)
            self._admit(task)
            saving = True
            await _save_first(task)
        except Exception:
            self._tasks.pop(task.id, None)
            self._worker.unseat(task)
            await task.release()
            if saving and task.store is not None:
                self._spawn(_sweep(task.id, task.store))
            raise
        self._spawn(self._worker.run(task, job))
        return task

    def find(self, task_id: str) -> Task:
        if not task_id or "." in task_id:
            raise InvalidParameter("taskID", task_id)
        try:
            return self._tasks[task_id]
        except KeyError:
            raise UnknownTask(task_id) from None

    def status(self, task_id: str) -> dict[str, Any]:
        return self.find(task_id).status()

    def info(self, task_id: str) -> dict[str, str]:
        task = self.find(task_id)
        return {"id": task.id, "verb": task.verb}

    def statuses(self, tag: str = SPM) -> dict[str, dict[str, Any]]:
        return {task.id: task.status() for task in self.tagged(tag)}

    def infos(self, tag: str = SPM) -> dict[str, dict[str, str]]:
        return {task.id: self.info(task.id) for task in self.tagged(tag)}

    def all(self) -> dict[str, dict[str, Any]]:
        """Every task, whatever its tag, with its internal state."""
        return {task.id: task.details() for task in self._tasks.values()}

    def tagged(self, tag: str) -> list[Task]:
        return [task for task in self._tasks.values() if task.tag == tag]

    def busy(self, tag: str = SPM) -> list[Task]:
        """Tasks that are not done: while there is one, giving up the SPM role is refused."""
        return [task for task in self.tagged(tag) if not task.state.done]

    def stop(self, task_id: str, *, force: bool = False) -> None:
        """Asks for an abort and returns; nothing happens to a task that is done. `force` also ends a rollback.

        A task of another host that waits for somebody to recover it by hand ends as failed.
        """
        task = self.find(task_id)
        if task.state is State.WAITRECOVER:
            task.go(State.RABORTING)
            self._spawn(self._worker.recover(task))
        else:
            self._worker.stop(task, force=force)

    async def clear(self, task_id: str) -> None:
        """Forgets a task that is done, here and on disk."""
        task = self.find(task_id)
        if not task.state.done:
            raise TaskNotClearable(task.id, task.state.value)
        if task.store is not None:
            try:
                await task.store.remove(task.id)
            except (OSError, VirgateError) as problem:
                raise TaskNotRemoved(task.id, str(problem)) from problem
        self._tasks.pop(task.id, None)

    def revert(self, task_id: str) -> None:
        """Starts undoing a finished task with the steps it kept; `Task.done` tells when that is over."""
        task = self.find(task_id)
        if not task.state.done:
            raise TaskNotFinished(task.id, task.state.value)
        task.go(State.RACQUIRING)
        self._spawn(self._worker.revert(task))

    async def load(self, store: TaskStore) -> list[Task]:
        """Lists the tasks that an earlier SPM left in `store`. Those we know already stay as they are."""
        found = [
            Task.loaded(record, store, self._tell) for record in await store.load() if record.id not in self._tasks
        ]
        self._tasks.update((task.id, task) for task in found)
        self._loaded += [task for task in found if not task.state.done]
        return found

    def recover(self) -> list[Task]:
        """Starts undoing what `load` found unfinished; answers those tasks (`Task.done` tells the end of each)."""
        unfinished, self._loaded = self._loaded, []
        for task in unfinished:
            self._spawn(self._worker.recover(task))
        return unfinished

    def forget_done(self, tag: str = SPM) -> None:
        """Takes done tasks out of memory and leaves them on disk: the next SPM, perhaps this host, lists them again."""
        for task in self.tagged(tag):
            if task.state.done:
                del self._tasks[task.id]

    async def abandon(self, tag: str | None = SPM) -> None:
        """Ends all tasks (of `tag`) without undoing or writing anything: the journal is not ours any more.

        Returns when the last job has left. The next SPM undoes what was begun.
        """
        going = [task for task in self._tasks.values() if tag in (None, task.tag)]
        idle = {task.id for task in self._loaded} | {task.id for task in going if task.state is State.WAITRECOVER}
        ends = [task.done() for task in going if not task.state.done and task.id not in idle]
        self._loaded.clear()
        for task in going:
            self._tasks.pop(task.id, None)
            self._worker.abandon(task)
        await DeferredList(ends, consumeErrors=True)

    async def _begin_early(self, task: Task, early: Early) -> None:
        """With its place taken: a task that holds what others wait for must not wait for their places."""
        if self._worker.seat(task):
            found = await early(task)
            if found is None:
                self._worker.unseat(task)
            else:
                task.recoveries.extend(found)

    def _admit(self, task: Task) -> None:
        waiting = sum(other.state is State.QUEUED for other in self._tasks.values())
        if waiting >= self._settings.queue:
            raise TooManyTasks(task.verb, waiting)
        task.go(State.ACQUIRING)
        task.go(State.QUEUED)
        self._tasks[task.id] = task

    def _tell(self, task: Task) -> None:
        status = task.status()
        self._events.tell(
            "task.status",
            id=task.id,
            verb=task.verb,
            tag=task.tag,
            state=status["taskState"],
            result=status["taskResult"],
            code=task.code,
            message=task.message,
            progress=task.percent,
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        background(work, self.log, "a task came to no proper end")


async def _save_first(task: Task) -> None:
    try:
        await task.save()
    except (OSError, VirgateError) as problem:
        raise TaskNotSaved(task.id, str(problem)) from problem


async def _sweep(task_id: str, store: TaskStore) -> None:
    """A first save that failed or was given up may have left a folder: nobody was told of that task."""
    try:
        await store.remove(task_id)
    except (OSError, VirgateError) as problem:
        Tasks.log.warn("the folder of task {task} may be left: {problem}", task=task_id, problem=str(problem))
