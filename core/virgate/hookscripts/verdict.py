"""How the scripts of one event ended."""

import signal

from attrs import frozen

TIMED_OUT = -signal.SIGKILL


@frozen
class Ended:
    """One script that was run. `code` as a shell knows it, or below 0: killed by signal `-code`."""

    script: str
    code: int
    stderr: str
    seconds: float
    note: str = ""
    """Why it did not end by itself: it could not be started, or its time was up."""

    @property
    def failed(self) -> bool:
        return self.code != 0

    @property
    def stops(self) -> bool:
        """No later script of the event is run."""
        return self.code == 2

    @property
    def how(self) -> str:
        """In words, to follow the script's name."""
        if self.note:
            return self.note
        if self.code < 0:
            return f"was killed by {_signal_name(-self.code)}"
        return f"ended with status {self.code}"


@frozen
class Verdict:
    """How an event went. Without any script: empty."""

    ended: tuple[Ended, ...] = ()
    text: str | None = None
    """What the scripts left in the data file; None when nothing was run or nothing can be read."""
    damage: str = ""
    """Why there is no text although scripts were run, to follow "left" or to stand alone."""

    @property
    def failed(self) -> bool:
        return self.culprit is not None

    @property
    def culprit(self) -> Ended | None:
        """The last script that failed."""
        return next((ended for ended in reversed(self.ended) if ended.failed), None)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
