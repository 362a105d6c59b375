"""One call to the hypervisor per period samples every machine."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.node.vm.means import Means
from virgate.node.vm.stats import Sample

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine


class Sampler:
    """Starts after recovery. A period in which the last call has not come back is left out."""

    log = Logger()

    def __init__(self, means: Means, machines: "Iterable[Machine]") -> None:
        self._means = means
        self._machines = machines
        self._failing = False
        self._loop = LoopingCall(self._tick)
        self._loop.clock = means.reactor

    def start(self) -> None:
        self._loop.start(self._means.settings.sample_period)

    def stop(self) -> None:
        if self._loop.running:
            self._loop.stop()

    def _tick(self) -> Deferred[None]:
        """A defect in one sample does not end the sampling."""
        return Deferred.fromCoroutine(self.sample()).addErrback(lambda failure: self.log.failure("no sample", failure))

    async def sample(self) -> None:
        """Samples now. Failures are logged once per run of failures; the age of the samples tells clients."""
        try:
            found = await self._means.domains.statistics()
        except VirgateError as failure:
            if not self._failing:
                self.log.warn("machines cannot be sampled: {why}", why=str(failure))
            self._failing = True
            return
        self._failing = False
        at = self._means.monotonic()
        for machine in self._machines:
            if machine.vitals.alive and (values := found.get(machine.id)) is not None:
                machine.figures.take(Sample(at, values))
