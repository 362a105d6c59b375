"""The life of a machine in the operator's words (spec xmlrpc-host-vm 4.1): states, what moves between them, no I/O.

`Life(vitals)` makes one; call its inputs as things happen. Every change of state sets the status in the vitals and
tells it once. After Down nothing changes any more.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Protocol

from attrs import define
from automat import TypeMachineBuilder

from virgate.node.vm.exits import Exit


class Status(StrEnum):
    """The literal words on every wire."""

    WAIT_FOR_LAUNCH = "WaitForLaunch"
    RESTORING = "Restoring state"
    ARRIVING = "Migration Destination"
    UP = "Up"
    PAUSED = "Paused"
    POWERING_DOWN = "Powering down"
    SAVING = "Saving State"
    LEAVING = "Migration Source"
    DOWN = "Down"
    POWERING_UP = "Powering up"  # reported only
    REBOOTING = "RebootInProgress"  # reported only


@define
class Vitals:
    """What the life leaves behind. Only the state machine writes it; everybody may read."""

    clock: Callable[[], float]
    """Monotonic seconds, the one clock of statusTime and notify_time."""
    tell: Callable[[], None] = lambda: None
    status: Status = Status.WAIT_FOR_LAUNCH
    pause_code: str = ""
    exit: Exit | None = None

    @property
    def now(self) -> int:
        """Milliseconds, as statusTime and notify_time give them."""
        return int(self.clock() * 1000)

    @property
    def alive(self) -> bool:
        return self.status is not Status.DOWN

    def enter(self, status: Status) -> None:
        self.status = status
        self.tell()


class Life(Protocol):
    """The inputs: what can happen to a machine."""

    def restore(self) -> None:
        """It was created from saved memory."""

    def arrive(self) -> None:
        """It was created to receive a guest from another host."""

    def launched(self) -> None:
        """Start, restore or arrival is complete and the guest's CPUs run."""

    def launched_paused(self, code: str) -> None:
        """Start, restore or arrival is complete and the CPUs stand still."""

    def running(self) -> None:
        """The guest's CPUs run."""

    def halted(self, code: str) -> None:
        """The guest's CPUs stand still; `code` says why (NOERR, EIO, ENOSPC, ...)."""

    def leave(self) -> None:
        """It began to move to another host."""

    def save(self) -> None:
        """Its memory is being written to storage."""

    def ending(self) -> None:
        """The guest is gone or about to go; what it used is being released."""

    def down(self, exit: Exit) -> None:
        """All is released; `exit` is the final word."""


build = TypeMachineBuilder(Life, Vitals)

launching = build.state("WaitForLaunch")
restoring = build.state("Restoring state")
arriving = build.state("Migration Destination")
up = build.state("Up")
paused = build.state("Paused")
saving = build.state("Saving State")
leaving = build.state("Migration Source")
powering_down = build.state("Powering down")
gone = build.state("Down")


def _restore(life: Life, vitals: Vitals) -> None:
    vitals.enter(Status.RESTORING)


def _arrive(life: Life, vitals: Vitals) -> None:
    vitals.enter(Status.ARRIVING)


def _up(life: Life, vitals: Vitals) -> None:
    vitals.pause_code = ""
    vitals.enter(Status.UP)


def _paused(life: Life, vitals: Vitals, code: str) -> None:
    vitals.pause_code = code
    vitals.enter(Status.PAUSED)


def _note_running(life: Life, vitals: Vitals) -> None:
    vitals.pause_code = ""


VAGUE = ("", "NOERR", "EOTHER")


def _note_halted(life: Life, vitals: Vitals, code: str) -> None:
    """A pause comes with several events in any order; the one that says most about the reason is kept."""
    known = VAGUE.index(vitals.pause_code) if vitals.pause_code in VAGUE else len(VAGUE)
    if (VAGUE.index(code) if code in VAGUE else len(VAGUE)) >= known:
        vitals.pause_code = code


def _leave(life: Life, vitals: Vitals) -> None:
    vitals.enter(Status.LEAVING)


def _save(life: Life, vitals: Vitals) -> None:
    vitals.enter(Status.SAVING)


def _ending(life: Life, vitals: Vitals) -> None:
    vitals.enter(Status.POWERING_DOWN)


def _down(life: Life, vitals: Vitals, exit: Exit) -> None:
    vitals.exit = exit
    vitals.enter(Status.DOWN)


STARTING = (launching, restoring, arriving)
MOVING = (saving, leaving)
LIVING = (up, paused, *MOVING)
STATES = (*STARTING, *LIVING, powering_down, gone)

Row = tuple[tuple[Any, ...], Callable[..., None], Any, Callable[..., None]]
TABLE: tuple[Row, ...] = (
    # in these states  upon     go to, and do
    ((launching,), Life.restore, restoring, _restore),
    ((launching,), Life.arrive, arriving, _arrive),
    ((*STARTING, *MOVING), Life.launched, up, _up),  # from MOVING: the move or the save was given up
    ((*STARTING, *MOVING), Life.launched_paused, paused, _paused),
    ((paused,), Life.running, up, _up),
    ((up,), Life.halted, paused, _paused),
    ((*STARTING, *MOVING), Life.running, None, _note_running),
    ((*STARTING, *MOVING, paused), Life.halted, None, _note_halted),
    ((up, paused), Life.leave, leaving, _leave),
    ((up, paused), Life.save, saving, _save),
    ((*STARTING, *LIVING), Life.ending, powering_down, _ending),
    ((*STARTING, *LIVING, powering_down), Life.down, gone, _down),
)
"""Everything that moves a machine. None as target stays. What is not in the table is ignored."""

INPUTS = (Life.restore, Life.arrive, Life.launched, Life.launched_paused, Life.running, Life.halted)
INPUTS += (Life.leave, Life.save, Life.ending, Life.down)  # type: ignore[assignment]


def _declare() -> None:
    declared = set()
    for states, happening, target, effect in TABLE:
        for state in states:
            upon = state.upon(happening)
            (upon.loop() if target is None else upon.to(target))(effect)
            declared.add((state, happening))
    for state in STATES:
        for happening in INPUTS:
            if (state, happening) not in declared:
                state.upon(happening).loop().returns(None)


_declare()
new_life: Callable[[Vitals], Life] = build.build()
