"""The life of a task from its place in the queue to its end, with the rollback when the end is a bad one.

Nothing is undone twice in one process, but a rollback that was interrupted starts over in the next one: the journal
is written when a task ends, not after each undone step.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from itertools import chain, repeat
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.task import deferLater
from twisted.logger import Logger

from virgate.errors import InvalidParameter, VirgateError
from virgate.node.tasks.errors import TaskAborted
from virgate.node.tasks.recoveries import Recoveries
from virgate.node.tasks.settings import TaskSettings
from virgate.node.tasks.states import ABORTABLE, State
from virgate.node.tasks.task import COMPLETED, RUNNING_TEXT, Task
from virgate.node.tasks.verdict import verdict

Job = Callable[[Task], Awaitable[Any]]


class Worker:
    """Runs jobs and rollbacks, `parallel` at a time, in the order they came."""

    log = Logger()

    def __init__(self, recoveries: Recoveries, settings: TaskSettings, clock: Any) -> None:
        self._recoveries = recoveries
        self._settings = settings
        self._clock = clock
        self._slots = DeferredSemaphore(settings.parallel)
        self._current: dict[str, Deferred[Any]] = {}
        self._seated: set[str] = set()

    def seat(self, task: Task) -> bool:
        """Gives a task its place at once, before `run`, if one is free: it will wait for no other task then."""
        if not self._slots.tokens:
            return False
        self._slots.acquire()
        self._seated.add(task.id)
        return True

    def unseat(self, task: Task) -> None:
        if task.id in self._seated:
            self._seated.discard(task.id)
            self._slots.release()

    async def run(self, task: Task, job: Job) -> None:
        """From queued to done."""
        if await self._turn(task):
            try:
                await self._job(task, job)
            finally:
                self._slots.release()
        else:
            await self._abort(task)

    async def revert(self, task: Task) -> None:
        """Rolls a finished task back, when its turn comes. From then on no crash lets it look like a success again."""
        await self._slots.acquire()
        try:
            await self._save(task)
            await self._undo(task)
        finally:
            self._slots.release()

    async def recover(self, task: Task) -> None:
        """Brings a loaded task that is not done to its end: it is never continued, always undone."""
        match task.state:
            case State.WAITRECOVER:
                return  # somebody wanted to look at it first
            case State.RABORTING:
                await self._end(task, State.FAILED)
            case _:
                await self._slots.acquire()
                try:
                    await self._recover(task)
                finally:
                    self._slots.release()

    def stop(self, task: Task, *, force: bool = False) -> None:
        """Asks for the end. Too late, or asked already, does nothing; `force` also ends a rollback that hangs."""
        if task.ending is not None or task.concluded:
            return
        if task.state in ABORTABLE:
            task.stopping = True
            task.go(State.ABORTING)
            self._cancel(task)
        elif force and task.state in (State.RACQUIRING, State.RECOVERING):
            task.go(State.RABORTING)
            self._cancel(task)

    def abandon(self, task: Task) -> None:
        """The journal belongs to somebody else now: ends the work, writes and undoes nothing."""
        task.store = None
        task.changed = _nobody
        task.recoveries.clear()
        task.stopping = True
        if task.state in ABORTABLE and task.ending is None and not task.concluded:
            task.go(State.ABORTING)
        self._cancel(task)

    async def _turn(self, task: Task) -> bool:
        """Waits for a slot; False when the task was stopped meanwhile."""
        if task.id in self._seated:
            self._seated.discard(task.id)
            return True
        try:
            await self._cancellable(task, self._slots.acquire())
        except CancelledError:
            return False
        return True

    async def insist(self, task: Task, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """Does what may not be left out, again while storage fails; whatever `work` raises when that takes too long."""
        pauses, ends = chain((1.0, 2.0, 4.0), repeat(8.0)), self._clock.seconds() + self._settings.patience
        while True:
            try:
                await work()
                return
            except (OSError, VirgateError) as problem:
                pause = next(pauses)
                over = self._clock.seconds() + pause > ends
                if over or isinstance(problem, InvalidParameter) or not _owns_journal(task):
                    raise
                again = "{what} of task {task} is tried again in {pause:g} s: {problem}"
                self.log.warn(again, what=what, task=task.id, pause=pause, problem=str(problem))
            await deferLater(self._clock, pause)

    async def _job(self, task: Task, job: Job) -> None:
        task.message = RUNNING_TEXT
        try:
            task.go(State.RUNNING)
            task.result = await self._cancellable(task, Deferred.fromCoroutine(_called(job, task)))
            if task.stopping and not task.concluded:
                raise TaskAborted(task.id)
            await self._succeed(task)
        except Exception as problem:
            if task.concluded and task.state is State.RUNNING:
                if not task.stopping:
                    self.log.failure("{verb} task {task} is done, but not tidy", verb=task.verb, task=task.id)
                await self._succeed(task)
                return
            self._blame(task, problem)
            await self._abort(task)

    async def _succeed(self, task: Task) -> None:
        task.code, task.message, task.percent = 0, COMPLETED, 100
        await self._end(task, State.FINISHED)

    async def _abort(self, task: Task) -> None:
        if task.state is not State.ABORTING:
            task.go(State.ABORTING)
        if task.stopping:
            task.code, task.message = TaskAborted.code, str(TaskAborted(task.id))
        if task.recovery_policy == "none":
            await self._end(task, State.FAILED)
        elif task.recovery_policy == "manual":
            task.go(State.WAITRECOVER)
            await self._save(task)
        else:
            await self._undo(task)

    async def _recover(self, task: Task) -> None:
        if task.state in (State.RACQUIRING, State.RECOVERING):
            task.go(State.RACQUIRING, by_force=True)
            await self._undo(task)
        else:
            task.go(State.ABORTING, by_force=task.state not in ABORTABLE)
            await self._abort(task)

    async def _undo(self, task: Task) -> None:
        if task.state is not State.RACQUIRING:
            task.go(State.RACQUIRING)
        task.go(State.RECOVERING)
        kept = []
        while task.recoveries and task.state is State.RECOVERING:
            recovery = task.recoveries.pop()
            try:
                step = self.insist(task, recovery.name, partial(self._recoveries.run, recovery))
                await self._cancellable(task, Deferred.fromCoroutine(step))
            except Exception:
                self.log.failure("recovery {name} of task {task} failed", name=recovery.name, task=task.id)
                kept.append(recovery)
        task.recoveries.extend(reversed(kept))
        await self._end(task, State.FAILED if kept or task.recoveries else State.RECOVERED)

    async def _end(self, task: Task, state: State) -> None:
        """On disk first, so that nobody is told of an end that a crash could take back.

        What cannot be undone has happened, and is told as it is even when it cannot be written down.
        """
        task.ending = state
        if state is State.FINISHED and task.recoveries:
            await task.save()  # if that fails all is undone
        else:
            await self._save(task)
        task.go(state)
        task.ending = None
        await task.settle()

    async def _save(self, task: Task) -> None:
        """Saves if that is possible: what is on disk undoes at least as much."""
        try:
            await task.save()
        except Exception:
            self.log.failure("task {task} cannot be saved", task=task.id)

    async def _cancellable(self, task: Task, work: "Deferred[Any]") -> Any:
        self._current[task.id] = work
        try:
            return await work
        finally:
            del self._current[task.id]

    def _cancel(self, task: Task) -> None:
        work = self._current.get(task.id)
        if work is not None:
            work.cancel()

    def _blame(self, task: Task, problem: Exception) -> None:
        task.result = None
        task.ending = None
        if task.stopping:
            return
        task.code, task.message = verdict(problem, keep_codes=self._settings.keep_codes)
        if isinstance(problem, VirgateError):
            self.log.warn("{verb} task {task} failed: {problem}", verb=task.verb, task=task.id, problem=str(problem))
        else:
            self.log.failure("{verb} task {task} failed", verb=task.verb, task=task.id)


def _owns_journal(task: Task) -> bool:
    return task.store is not None and task.state in (State.RUNNING, State.RECOVERING)


def _nobody(task: Task) -> None:
    """Listens to a task whose end is not its real one."""


async def _called(job: Job, task: Task) -> Any:
    return await job(task)
