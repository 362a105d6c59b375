"""What to do when a move does not come to its end: the convergence schedule (spec migration 6.1). Pure."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from virgate.node.vm.migration.errors import BadOrder

KNOWN = frozenset({"setDowntime", "postcopy", "abort"})


@frozen
class Action:
    """`setDowntime` with milliseconds, `postcopy` or `abort`."""

    name: str
    value: int = 0

    @classmethod
    def read(cls, given: Any) -> "Action | None":
        """None for an action of another name, which is no mistake."""
        if not isinstance(given, Mapping) or given.get("name") not in KNOWN:
            return None
        name = str(given["name"])
        if name != "setDowntime":
            return cls(name)
        try:
            return cls(name, int(given["params"][0]))
        except (KeyError, IndexError, TypeError, ValueError):
            raise BadOrder("convergenceSchedule", f"setDowntime with {given.get('params')!r}") from None


@frozen
class Entry:
    """Done in the iteration after the one of number `limit`; -1: in the next one, whatever its number."""

    limit: int
    action: Action | None


@frozen
class Schedule:
    init: tuple[Action, ...] = ()
    stalling: tuple[Entry, ...] = ()

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "Schedule":
        """Raises `BadOrder` for what is no schedule."""
        init, stalling = given.get("init") or [], given.get("stalling") or []
        if not isinstance(init, list | tuple) or not isinstance(stalling, list | tuple):
            raise BadOrder("convergenceSchedule", "init and stalling are lists")
        actions = [Action.read(one) for one in init]
        return cls(tuple(one for one in actions if one is not None), tuple(_entry(one) for one in stalling))

    @property
    def postcopy(self) -> bool:
        """Whether it may come to post-copy."""
        return any(entry.action is not None and entry.action.name == "postcopy" for entry in self.stalling)


def _entry(given: Any) -> Entry:
    try:
        return Entry(int(given["limit"]), Action.read(given["action"]))
    except (KeyError, TypeError, ValueError):
        raise BadOrder("convergenceSchedule", f"an entry of stalling is {given!r}") from None


class Convergence:
    """One run of a schedule. It hears the number of the memory iteration and says what to do, one thing at a time."""

    def __init__(self, schedule: Schedule) -> None:
        self._left = deque(schedule.stalling)
        self._first: int | None = None
        self._last = 0
        self.ended = False
        """Set once post-copy runs: nothing more is done then."""

    def sample(self, iteration: int) -> Action | None:
        """What to do now, if anything. The iterations of libvirt may begin anywhere."""
        if self._first is None:
            self._first = self._last = iteration
            return None
        if iteration <= self._last:
            return None
        self._last = iteration
        if self.ended or not self._left or self._left[0].limit >= iteration - self._first:
            return None
        return self._left.popleft().action
