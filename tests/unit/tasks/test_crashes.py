"""Any order of starts, ends, stops, reverts, clears and crashes: what was acknowledged holds.

The journal is a dictionary, `storage` is the set of things that jobs made and rollbacks removed. A job makes its
thing only after its rollback step is in the journal, as real jobs do.
"""

from attrs import define, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from twisted.internet.defer import Deferred

from virgate.node.storage.formats.task_files import Recovery
from virgate.node.tasks.errors import IllegalMove, TaskNotClearable, TaskNotFinished
from virgate.node.tasks.manager import Tasks
from virgate.node.tasks.recoveries import Recoveries
from virgate.node.tasks.store import TaskStore


@define
class Memory:
    """A file system of task folders; a crash does not touch it."""

    folders: dict = field(factory=dict)

    async def read_folders(self, root):
        return {path.removeprefix(f"{root}/"): dict(files) for path, files in self.folders.items()}

    async def write_folder_atomically(self, folder, files):
        self.folders[folder] = dict(files)

    async def remove_folder(self, folder):
        self.folders.pop(folder, None)


def now(coroutine):
    """The result of a coroutine that waits for nothing."""
    results = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    (result,) = results
    if hasattr(result, "raiseException"):
        result.raiseException()
    return result


class Crashes(RuleBasedStateMachine):
    ids = Bundle("ids")

    def __init__(self):
        super().__init__()
        self.store = TaskStore("/tasks", Memory())
        self.storage = set()
        self.ended = {}
        self.count = 0
        self.boot()

    def boot(self):
        self.gates = {}
        recoveries = Recoveries()
        recoveries.add("Test", "remove", self.remove)
        self.tasks = Tasks(recoveries)

    async def remove(self, thing):
        self.storage.discard(thing)

    @rule(target=ids, steps=st.integers(0, 2))
    def start(self, steps):
        self.count += 1
        things = [f"thing-{self.count}-{number}" for number in range(steps)]
        gate = Deferred()

        async def job(task):
            for thing in things:
                await task.recovery(Recovery("a thing", "test", "Test", "remove", (thing,)))
                self.storage.add(thing)
            await gate
            return {"uuid": "x"}

        task = now(self.tasks.start("make", job, store=self.store))
        self.gates[task.id] = gate
        return task.id, tuple(things)

    @rule(of=ids, succeeds=st.booleans())
    def end(self, of, succeeds):
        gate = self.gates.pop(of[0], None)
        if gate is None or gate.called:
            return
        if succeeds:
            gate.callback(None)
        else:
            gate.errback(OSError("the disk broke"))

    @rule(of=ids)
    def stop(self, of):
        self.tasks.stop(of[0])

    @rule(of=ids)
    def revert(self, of):
        try:
            self.tasks.revert(of[0])
        except (IllegalMove, TaskNotFinished):
            return
        assert self.ended.pop(of[0]) == "success"

    @rule(of=consumes(ids))
    def clear(self, of):
        try:
            now(self.tasks.clear(of[0]))
        except TaskNotClearable:
            now(self.finish_and_clear(of))
        self.ended.pop(of[0], None)

    async def finish_and_clear(self, of):
        self.tasks.stop(of[0])
        await self.tasks.clear(of[0])

    @rule()
    def crash(self):
        self.boot()
        now(self.tasks.load(self.store))
        self.tasks.recover()
        assert self.tasks.busy() == []

    @rule()
    def give_up_and_take_the_role_again(self):
        if not self.tasks.busy():
            self.tasks.forget_done()
            assert self.tasks.statuses() == {}
            now(self.tasks.load(self.store))

    @rule(of=ids)
    def nothing_acknowledged_is_lost(self, of):
        status = self.tasks.status(of[0])
        things = set(of[1])
        if status["taskResult"] == "success":
            assert things <= self.storage
        elif status["taskState"] == "finished":
            assert status["taskResult"] == "cleanSuccess"
            assert not things & self.storage

    @invariant()
    def an_end_that_was_told_never_changes_by_itself(self):
        for task_id, status in self.tasks.statuses().items():
            if status["taskState"] == "finished":
                assert self.ended.setdefault(task_id, status["taskResult"]) == status["taskResult"]
        assert set(self.ended) <= set(self.tasks.statuses())


TestCrashes = Crashes.TestCase
TestCrashes.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
