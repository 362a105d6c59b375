"""How a hook point is declared: what its failure does, what becomes of the answers, what a script may change.

A point is one pluggy hookspec carrying a `Point` in its attribute `point`. `virgate.plugins.Hooks` calls by it and
the script plugin serves by it, so no table of points is kept anywhere else.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar

import pluggy
from attrs import frozen

F = TypeVar("F", bound=Callable[..., Any])

_hookspec = pluggy.HookspecMarker("virgate")


class Failure(Enum):
    """What an exception in one implementation does."""

    ABORT = "abort"  # the operation fails with it; later implementations are not called
    LOG = "log"  # it is logged and the next implementation is called


class Answers(Enum):
    """What the awaited call gives back."""

    NONE = "none"  # implementations act; their return values are dropped
    FIRST = "first"  # the first answer that is not None; later implementations are not asked
    ALL = "all"  # a list of every answer that is not None, in calling order


@frozen
class Point:
    """The contract of one hook point beside its signature and docstring."""

    name: str
    failure: Failure
    answers: Answers = Answers.NONE
    scripts: bool = False  # drop-in scripts in a folder of this name are run here
    changes: bool = False  # what the implementations leave in the document is used
    event: bool = False  # fired by an event of the hypervisor: nobody waits for it, so its scripts may queue


def point(
    failure: Failure,
    *,
    answers: Answers = Answers.NONE,
    scripts: bool = False,
    changes: bool = False,
    event: bool = False,
) -> Callable[[F], F]:
    def declare(function: F) -> F:
        made = Point(function.__name__, failure, answers, scripts, changes, event)
        function.point = made  # type: ignore[attr-defined]
        return _hookspec(function)

    return declare
