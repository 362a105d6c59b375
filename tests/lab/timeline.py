"""What happened in a scenario, in the order of time, from several sources.

timeline = Timeline()
timeline.note("east", "the power fails")
timeline.logs(nodes, "spm", "task")         # lines of the daemons' logs that speak of those
print(timeline)
"""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from lab.nodes import Node

_STAMP = re.compile(r"time=(\S+)")
_MESSAGE = re.compile(r'msg=("(?:[^"\\]|\\.)*"|\S+)')


@dataclass(order=True)
class Happening:
    """`at` is wall-clock time: hosts of user-mode Linux have the machine's."""

    at: float
    host: str
    what: str


@dataclass
class Timeline:
    """Sources may be threads. `title` stands above what is printed."""

    title: str = "timeline"
    began: float = field(default_factory=time.time)
    happenings: list[Happening] = field(default_factory=list)

    def note(self, host: str, what: str, at: float | None = None) -> float:
        """Something the test did or saw, now. Returns when that was."""
        at = time.time() if at is None else at
        self.happenings.append(Happening(at, host, what))
        return at

    def logs(self, nodes: Iterable[Node], *words: str) -> None:
        """Adds what daemons logged since the beginning, if it has one of the words in it."""
        for node in nodes:
            for line in node.log().splitlines():
                if (found := read(line)) and found[0] >= self.began and any(word in found[1] for word in words):
                    self.note(node.name, found[1], found[0])

    def since(self, at: float) -> float:
        return time.time() - at

    def __str__(self) -> str:
        lines = [f"{self.title}", *(self._line(each) for each in sorted(self.happenings))]
        return "\n".join(lines)

    def _line(self, happening: Happening) -> str:
        return f"{happening.at - self.began:9.2f} s  {happening.host:<8} {happening.what}"


def read(line: str) -> tuple[float, str] | None:
    """Time and message of a line of a daemon's log; None for what is not the beginning of a record."""
    stamp, message = _STAMP.match(line), _MESSAGE.search(line)
    if stamp is None or message is None:
        return None
    at = datetime.fromisoformat(stamp[1].replace("Z", "+00:00")).timestamp()
    text = message[1]
    return at, text[1:-1].replace('\\"', '"') if text.startswith('"') else text
