"""A task manager over a real journal folder, with rollback functions that only remember their calls."""

import pytest
from attrs import define, field
from twisted.internet.task import Clock

from virgate.events import EventBus
from virgate.node.storage.formats.task_files import Recovery
from virgate.node.tasks.manager import Tasks
from virgate.node.tasks.recoveries import Recoveries
from virgate.node.tasks.settings import TaskSettings
from virgate.node.tasks.store import DirectFiles, TaskStore


@define
class Room:
    """Everything a test of tasks needs; `undone` lists the parameters of each rollback step in its order."""

    tasks: Tasks
    recoveries: Recoveries
    events: EventBus
    store: TaskStore
    clock: Clock
    healed: bool = False
    undone: list[tuple[str, ...]] = field(factory=list)
    told: list[dict] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        async def undo(*params: str) -> None:
            self.undone.append(params)

        async def fail(*params: str) -> None:
            self.undone.append(params)
            raise OSError(28, "No space left on device")

        self.recoveries.add("Test", "undo", undo)
        self.recoveries.add("Test", "fail", fail)
        self.events.listen("task.status", lambda **event: self.told.append(event))

    def another(self) -> "Room":
        """The same journal as seen by the next process."""
        return make(self.store)

    def states(self, task_id: str) -> list[tuple[str, str]]:
        return [(event["state"], event["result"]) for event in self.told if event["id"] == task_id]


def make(store: TaskStore, settings: TaskSettings | None = None) -> Room:
    recoveries, events, clock = Recoveries(), EventBus(), Clock()
    return Room(Tasks(recoveries, events, settings, clock), recoveries, events, store, clock)


def step(*params: str, name: str = "a step", function: str = "undo") -> Recovery:
    return Recovery(name, "test", "Test", function, params)


@pytest.fixture
def store(tmp_path):
    return TaskStore(tmp_path, DirectFiles())


@pytest.fixture
def room(store):
    return make(store)


@pytest.fixture
def a_step():
    return step


@pytest.fixture
def make_room(store):
    return lambda **settings: make(store, TaskSettings(**settings))
