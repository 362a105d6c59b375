"""What can go wrong with a task or a lock; codes of spec xmlrpc-storage 10."""

from typing import ClassVar

from virgate.errors import VirgateError, error


@error
class UnknownTask(VirgateError):
    code: ClassVar[int] = 401
    text: ClassVar[str] = "There is no task {self.task}"
    task: str


@error
class TaskNotRemoved(VirgateError):
    """The task is done, its journal folder cannot be removed; it stays listed."""

    code: ClassVar[int] = 402
    text: ClassVar[str] = "Task {self.task} cannot be cleared: {self.detail}"
    task: str
    detail: str


@error
class TaskNotFinished(VirgateError):
    """Only finished tasks can be reverted."""

    code: ClassVar[int] = 403
    text: ClassVar[str] = "Task {self.task} is still {self.state}"
    task: str
    state: str


@error
class TooManyTasks(VirgateError):
    """The queue is full; nothing was started."""

    code: ClassVar[int] = 405
    text: ClassVar[str] = "{self.waiting} tasks are waiting already, {self.verb} was not added"
    verb: str
    waiting: int


@error
class TaskNotSaved(VirgateError):
    """The journal cannot be written; the task was not started."""

    code: ClassVar[int] = 407
    text: ClassVar[str] = "Task {self.task} cannot be saved: {self.detail}"
    task: str
    detail: str


@error
class TasksNotLoaded(VirgateError):
    """The journal cannot be read."""

    code: ClassVar[int] = 408
    text: ClassVar[str] = "Tasks cannot be loaded from {self.folder}: {self.detail}"
    folder: str
    detail: str


@error
class TaskNotClearable(VirgateError):
    """Only a task that is done can be cleared."""

    code: ClassVar[int] = 410
    text: ClassVar[str] = "Task {self.task} is {self.state} and cannot be cleared"
    task: str
    state: str


@error
class TaskAborted(VirgateError):
    """Somebody asked for it."""

    code: ClassVar[int] = 411
    text: ClassVar[str] = "Task {self.task} was stopped"
    task: str


@error
class NoSuchRecovery(VirgateError):
    """A job named a rollback step that it never added."""

    code: ClassVar[int] = 430
    text: ClassVar[str] = "Task {self.task} has no recovery named {self.name!r}"
    task: str
    name: str


@error
class IllegalMove(VirgateError):
    code: ClassVar[int] = 441
    text: ClassVar[str] = "A task cannot go from {self.before} to {self.after}"
    before: str
    after: str


@error
class LockTimeout(VirgateError):
    """Somebody else held the resource all the time."""

    code: ClassVar[int] = 851
    text: ClassVar[str] = "Resource {self.resource} was not free within {self.seconds} seconds"
    resource: str
    seconds: float


@error
class InvalidLockName(VirgateError):
    code: ClassVar[int] = 853
    text: ClassVar[str] = "Resource name {self.name!r} is not valid"
    name: str
