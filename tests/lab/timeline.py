"""What happened in a scenario, in the order of time, from several sources.

    timeline = Timeline()
    timeline.note("east", "the power fails")
    timeline.logs(nodes, "spm", "task")         # lines of the daemons' logs that speak of those
    timeline.keep("failover")

All hosts have the machine's clock.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from lab.guests import PROJECT
from lab.nodes import Node


@dataclass(order=True)
class Happening:
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
            for at, said in {found for word in words for found in node.said(word)}:
                if at >= self.began:
                    self.note(node.name, said, at)

    def keep(self, name: str) -> None:
        """Prints it, and leaves it in build/lab/timelines/NAME.txt."""
        print(self)
        folder = PROJECT / "build" / "lab" / "timelines"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.txt").write_text(f"{self}\n")

    def __str__(self) -> str:
        lines = [f"{self.title}", *(self._line(each) for each in sorted(self.happenings))]
        return "\n".join(lines)

    def _line(self, happening: Happening) -> str:
        return f"{happening.at - self.began:9.2f} s  {happening.host:<8} {happening.what}"
