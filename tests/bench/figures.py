"""A measured figure, and how several runs become one."""

import statistics
import time
from collections.abc import Callable, Sequence

from attrs import asdict, frozen


@frozen
class Figure:
    """One line of the table. `value` and `other` are in `unit`; the texts are for people."""

    what: str
    value: float
    unit: str
    target: str
    other: float | None = None

    @property
    def measured(self) -> str:
        ratio = f" ({self.value / self.other:.2f}x)" if self.other else ""
        return f"{self.value:.4g} {self.unit}{ratio}"

    @property
    def reference(self) -> str:
        return "" if self.other is None else f"{self.other:.4g} {self.unit}"

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def timed(step: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def in_turn(rounds: int, first: Callable[[], float], second: Callable[[], float]) -> tuple[float, float]:
    """Medians of two measurements made A B A B; one unmeasured round warms both."""
    first(), second()
    pairs = [(first(), second()) for _ in range(rounds)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def percentile(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]
