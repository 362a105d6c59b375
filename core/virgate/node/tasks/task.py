"""One task: its record, and what the job that it runs may ask of it."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredLock

from virgate.node.storage.formats.task_files import JobRecord, Outcome, Recovery, TaskRecord
from virgate.node.tasks.errors import NoSuchRecovery, TaskAborted
from virgate.node.tasks.states import State, move
from virgate.node.tasks.store import TaskStore

T = TypeVar("T")

RUNNING_TEXT = "running job 1 of 1"
COMPLETED = "job completed"


Insist = Callable[["Task", str, Callable[[], Awaitable[None]]], Awaitable[None]]


async def _once(task: "Task", what: str, work: Callable[[], Awaitable[None]]) -> None:
    await work()


@define(eq=False, kw_only=True)
class Task:
    """Jobs use `report`, `recovery`, `replace_recoveries`, `forget_recoveries`, `conclude`, `enter`; the rest is the
    manager's."""

    id: str
    verb: str
    tag: str
    store: TaskStore | None = None
    """Where it is persisted; None keeps it in memory only."""
    changed: Callable[["Task"], None] = field(default=lambda task: None)
    """Called after each change of state or progress."""
    insist: Insist = field(default=_once)
    """Does what may not be left out, again while storage fails."""
    state: State = State.INIT
    code: int = 0
    message: str = ""
    result: Any = None
    percent: int = 0
    stopping: bool = False
    """Somebody asked for the end. A job that catches cancellation should look at this and leave."""
    ending: State | None = None
    """Set while the last save is under way: on disk the task is already in this state."""
    concluded: bool = False
    """Nothing can keep it from being a success any more; its job only tidies up."""
    command: str = ""
    recoveries: list[Recovery] = field(factory=list)
    recovery_policy: str = "auto"
    clean_policy: str = "manual"
    priority: str = "low"
    _held: AsyncExitStack = field(factory=AsyncExitStack)
    _saving: DeferredLock = field(factory=DeferredLock)
    _waiting: "list[Deferred[Task]]" = field(factory=list)

    # What a job may ask

    def report(self, percent: float | None = None, text: str | None = None) -> None:
        """Progress for people: listeners hear of each new whole per cent or text."""
        before = (self.percent, self.message)
        if percent is not None:
            self.percent = min(100, max(0, int(percent)))
        if text is not None:
            self.message = text
        if (self.percent, self.message) != before:
            self.changed(self)

    async def recovery(self, *recoveries: Recovery) -> None:
        """Adds rollback steps, the last one undone first. Returns when they are on disk: do the risky step after that.

        Steps that are known together cost one save together.
        """
        self.recoveries.extend(recoveries)
        await self.save()

    async def replace_recoveries(self, sentinel: str, *recoveries: Recovery) -> None:
        """Swaps the steps from the one named `sentinel` on for `recoveries`.

        Not saved by itself: until the next save, or the end of the task, the longer list on disk undoes the same.
        """
        for position in reversed(range(len(self.recoveries))):
            if self.recoveries[position].name == sentinel:
                self.recoveries[position:] = recoveries
                return
        raise NoSuchRecovery(self.id, sentinel)

    async def forget_recoveries(self) -> None:
        """The point of no return: on return no rollback can happen any more, in no process."""
        self.recoveries.clear()
        await self.save()

    async def conclude(self) -> None:
        """What the client asked for is there, and on disk the task is finished from now on.

        A crash, a stop or a failure in what follows leaves something untidy, and a success. TaskAborted if somebody
        asked for the end before. Storage that fails now is waited for: a task that is told as done must not be undone.
        """
        if self.stopping:
            raise TaskAborted(self.id)
        self.recoveries.clear()
        self.concluded = True
        await self.insist(self, "the end", self.save)

    async def enter(self, context: AbstractAsyncContextManager[T]) -> T:
        """Holds a lock, or whatever `context` holds, until the task is done, its rollback included."""
        return await self._held.enter_async_context(context)

    # What the manager does

    def go(self, state: State, *, by_force: bool = False) -> None:
        """Moves, or raises IllegalMove. Forced moves are for records that another program left in an odd state."""
        before, self.state = self.state, state if by_force else move(self.state, state)
        if not state.done and state.legacy != before.legacy:  # `settle` tells of the end
            self.changed(self)

    async def save(self) -> None:
        """One write of everything. Saves of one task never overtake each other."""
        store = self.store
        if store is None:
            return
        await self._saving.acquire()
        try:
            await store.save(self.record())
        finally:
            self._saving.release()

    async def release(self) -> None:
        """Gives back what `enter` took."""
        await self._held.aclose()

    async def settle(self) -> None:
        """The task is done: gives back what it held and wakes who waited."""
        await self.release()
        self.changed(self)
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(self)

    def done(self) -> "Deferred[Task]":
        """Fires with the task when it is done; cancelling it only ends the waiting."""
        waiter: Deferred[Task] = Deferred(self._waiting_ends)
        if self.state.done:
            waiter.callback(self)
        else:
            self._waiting.append(waiter)
        return waiter

    def _waiting_ends(self, waiter: "Deferred[Task]") -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)

    # How others see it

    def status(self) -> dict[str, Any]:
        """The five keys of getTaskStatus, and `progress` in per cent (old clients pass over it)."""
        state, result = self.state.legacy
        return {
            "taskID": self.id,
            "taskState": state,
            "taskResult": result,
            "code": self.code,
            "message": self.message,
            "progress": self.percent,
        }

    def details(self) -> dict[str, Any]:
        """The entry of getAllTasks."""
        return {
            "id": self.id,
            "verb": self.verb,
            "state": self.state.value,
            "code": self.code,
            "message": self.message,
            "result": "" if self.result is None else self.result,
            "tag": self.tag,
        }

    def record(self) -> TaskRecord:
        """What is persisted."""
        state = State.FINISHED if self.concluded else self.ending or self.state
        message = COMPLETED if self.concluded else self.message
        result = "" if self.result is None else str(self.result)
        return TaskRecord(
            id=self.id,
            verb=self.verb,
            tag=self.tag,
            store=self.store.folder if self.store else "",
            state=state.value,
            recovery_policy=self.recovery_policy,
            clean_policy=self.clean_policy,
            priority=self.priority,
            jobs=(JobRecord(self.verb, self.command),),
            recoveries=tuple(self.recoveries),
            outcome=Outcome(self.code, message, result) if state is State.FINISHED else None,
        )

    @classmethod
    def loaded(cls, record: TaskRecord, store: TaskStore, changed: Callable[["Task"], None]) -> "Task":
        """A task that another run, or another host, left on disk."""
        outcome = record.outcome or Outcome()
        state = State.named(record.state)
        return cls(
            id=record.id,
            verb=record.verb,
            tag=record.tag,
            store=store,
            changed=changed,
            state=state,
            code=outcome.code,
            message=outcome.message,
            result=outcome.result or None,
            percent=100 if state.done else 0,
            command=record.jobs[0].command if record.jobs else "",
            recoveries=list(record.recoveries),
            recovery_policy=record.recovery_policy,
            clean_policy=record.clean_policy,
            priority=record.priority,
        )
