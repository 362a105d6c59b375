"""One call to the hypervisor per period samples every machine."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.node.vm.means import Means
from virgate.node.vm.stats import Sample

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine


AT_ONCE = 3
"""Calls that may be under way. One that a hung guest holds up would otherwise leave all machines unwatched; the next
call passes that guest over. Each takes a thread that verbs want as well, so there are few."""

ANSWERED = "balloon.rss"
"""What libvirt tells of a machine only if its QEMU could be asked; other drivers than QEMU's never tell it."""


class Sampler:
    """Starts after recovery. A period in which too many calls have not come back is left out."""

    log = Logger()

    def __init__(self, means: Means, machines: "Iterable[Machine]") -> None:
        self._means = means
        self._machines = machines
        self._failing = False
        self._begun = 0
        self._latest = 0
        self._under_way = 0
        self._asked = False
        self._loop = LoopingCall(self._tick)
        self._loop.clock = means.reactor

    def start(self) -> None:
        self._loop.start(self._means.settings.sample_period)

    def stop(self) -> None:
        if self._loop.running:
            self._loop.stop()

    def _tick(self) -> None:
        """A defect in one sample does not end the sampling."""
        if self._under_way < AT_ONCE:
            sampling = Deferred.fromCoroutine(self.sample())
            sampling.addErrback(lambda failure: self.log.failure("no sample", failure))

    async def sample(self) -> None:
        """Samples now. Failures are logged once per run of failures; the age of the samples tells clients."""
        self._begun += 1
        number = self._begun
        self._under_way += 1
        try:
            found = await self._means.domains.statistics()
        except VirgateError as failure:
            if not self._failing:
                self.log.warn("machines cannot be sampled: {why}", why=str(failure))
            self._failing = True
            return
        finally:
            self._under_way -= 1
        self._failing = False
        if number < self._latest:
            return  # held up: these figures are older than those we have
        self._latest = number
        self._take(found)

    def _take(self, found: Mapping[str, Mapping[str, Any]]) -> None:
        """What is said of a machine that did not answer is not taken, so that its figures age."""
        at = self._means.monotonic()
        self._asked = self._asked or any(ANSWERED in values for values in found.values())
        for machine in self._machines:
            values = found.get(machine.id)
            if values is not None and machine.vitals.alive and (ANSWERED in values or not self._asked):
                machine.figures.take(Sample(at, values))
