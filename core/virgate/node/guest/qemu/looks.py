"""One look at all QEMU agents after the other, and none as long as nobody has one."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from virgate.node.guest.agent import GuestAgent
    from virgate.node.guest.qemu.poller import QemuPoller
    from virgate.node.guest.settings import GuestSettings
    from virgate.node.vm.means import Means


class Looks:
    """`tick` about once a second."""

    log = Logger()

    def __init__(self, means: "Means", settings: "GuestSettings") -> None:
        self._means, self._settings = means, settings
        self._poller: QemuPoller | None = None
        self._next = 0.0
        self._looking: Deferred[None] | None = None

    def tick(self, now: float, agents: "Iterable[GuestAgent]") -> None:
        """`agents` are those of machines that run."""
        if now < self._next or self._looking is not None or not self._settings.ask_qemu_agent:
            return
        self._next = now + self._settings.poll_period
        if self._poller is None:
            from virgate.node.guest.qemu.poller import QemuPoller

            self._poller = QemuPoller(self._means.domains, self._settings, self._means.monotonic)
        self._looking = Deferred.fromCoroutine(self._poller.look(agents))
        self._looking.addBoth(self._looked)

    def stop(self) -> None:
        if self._looking is not None:
            self._looking.cancel()

    def _looked(self, result: object) -> None:
        self._looking = None
        if isinstance(result, Failure) and not isinstance(result.value, CancelledError):
            self.log.failure("QEMU agents were not asked", result)
