"""The states of a task, the moves between them, and what old clients are told (spec xmlrpc-storage 5.1).

Pure. The table is written from the point of view of the state that is entered, as the specification does.
"""

from enum import Enum

from virgate.node.tasks.errors import IllegalMove


class State(Enum):
    """The value is the word stored in the journal and shown by getAllTasks."""

    UNKNOWN = "unknown"
    INIT = "init"
    PREPARING = "preparing"
    BLOCKED = "blocked"
    ACQUIRING = "acquiring"
    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    ABORTING = "aborting"
    WAITRECOVER = "waitrecover"
    RECOVERING = "recovering"
    RACQUIRING = "racquiring"
    RABORTING = "raborting"
    RECOVERED = "recovered"
    FAILED = "failed"

    @property
    def done(self) -> bool:
        return self in DONE

    @property
    def legacy(self) -> tuple[str, str]:
        """(taskState, taskResult) of getTaskStatus."""
        return LEGACY[self]

    @classmethod
    def named(cls, word: str) -> "State":
        """The state of a stored word; a word nobody knows is UNKNOWN."""
        try:
            return cls(word)
        except ValueError:
            return cls.UNKNOWN


S = State

CAME_FROM: dict[State, frozenset[State]] = {
    S.UNKNOWN: frozenset(),
    S.INIT: frozenset(),
    S.PREPARING: frozenset({S.INIT, S.BLOCKED}),
    S.BLOCKED: frozenset({S.PREPARING}),
    S.ACQUIRING: frozenset({S.PREPARING, S.ACQUIRING}),
    S.QUEUED: frozenset({S.ACQUIRING, S.RUNNING}),
    S.RUNNING: frozenset({S.QUEUED}),
    S.FINISHED: frozenset({S.RUNNING, S.PREPARING}),
    S.ABORTING: frozenset({S.PREPARING, S.BLOCKED, S.ACQUIRING, S.QUEUED, S.RUNNING}),
    S.WAITRECOVER: frozenset({S.ABORTING}),
    S.RACQUIRING: frozenset({S.ABORTING, S.FINISHED, S.RACQUIRING, S.WAITRECOVER}),
    S.RECOVERING: frozenset({S.RACQUIRING}),
    S.RABORTING: frozenset({S.RACQUIRING, S.RECOVERING, S.WAITRECOVER}),
    S.RECOVERED: frozenset({S.RECOVERING}),
    S.FAILED: frozenset({S.RECOVERING, S.ABORTING, S.RABORTING}),
}

DONE = frozenset({S.FINISHED, S.RECOVERED, S.FAILED})

ABORTABLE = CAME_FROM[S.ABORTING]

LEGACY: dict[State, tuple[str, str]] = {
    S.UNKNOWN: ("unknown", ""),
    S.INIT: ("init", ""),
    **dict.fromkeys((S.PREPARING, S.BLOCKED, S.ACQUIRING, S.QUEUED, S.RUNNING), ("running", "")),
    S.FINISHED: ("finished", "success"),
    **dict.fromkeys((S.ABORTING, S.RABORTING), ("aborting", "")),
    **dict.fromkeys((S.WAITRECOVER, S.RECOVERING, S.RACQUIRING), ("cleaning", "")),
    S.RECOVERED: ("finished", "cleanSuccess"),
    S.FAILED: ("finished", "cleanFailure"),
}


def move(before: State, after: State) -> State:
    """`after`, or IllegalMove."""
    if before not in CAME_FROM[after]:
        raise IllegalMove(before.value, after.value)
    return after
