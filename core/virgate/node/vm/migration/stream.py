"""The move itself: libvirt is asked for it, watched at it and stopped (spec migration 5.3 to 5.5, 5.7)."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.task import deferLater
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.libvirt import moving
from virgate.libvirt.errors import DomainNotFound, HypervisorAway, HypervisorFailed
from virgate.node.vm.migration import documents, downtime, options
from virgate.node.vm.migration.convergence import Schedule
from virgate.node.vm.migration.errors import MigrationFailed, NothingToCancel, NotUnderWay
from virgate.node.vm.migration.monitoring import Monitor
from virgate.node.vm.migration.progress import is_outgoing
from virgate.node.vm.migration.timing import Patience

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine
    from virgate.node.vm.migration.order import Order
    from virgate.node.vm.migration.standing import Standing
    from virgate.node.vm.migration.traffic import Traffic

WATCH, HURRY = 10.0, 0.5
"""Seconds between two looks at a move that somebody else began; when it was stopped."""
ABORT_PATIENCE = 5.0
"""Seconds in which libvirt's job begins once it is asked for."""
TICKET = 120
"""Seconds that a screen's password stays good for clients that follow the guest."""


class Stream:
    """One per departure; `tell` puts its progress on the bus."""

    log = Logger()

    def __init__(self, machine: "Machine", traffic: "Traffic", standing: "Standing", tell: Callable[[], None]) -> None:
        self._machine, self._means = machine, machine.means
        self._traffic, self._standing, self._tell = traffic, standing, tell
        self._news: Deferred[None] | None = None
        self._aborted = False
        self.active = False
        """Whether libvirt has been asked and has not answered yet."""

    async def run(self, order: "Order", there: dict[str, Any], check: Callable[[], None]) -> None:
        """Comes back when the guest runs on the other side. `there` is the machine as the destination told it."""
        machine, settings = self._machine, self._traffic.settings
        domains, vm = self._means.domains, machine.id
        schedule = order.schedule or Schedule.read(
            downtime.schedule(order.downtime or settings.downtime, settings.downtime_steps)
        )
        text = await moving.document(domains, vm)
        devices = there.get("devices")
        text = documents.adapted(text, order, devices if isinstance(devices, list) else ())
        flags = options.flags(
            order,
            options.version(documents.cluster(text)),
            postcopy=schedule.postcopy,
            trust_storage=settings.trust_storage,
        )
        asked = options.parameters(order, settings.bandwidth, text, documents.screens(text))
        await self._keep_screen()
        check()
        by_time = settings.time_limits and order.schedule is None
        patience = Patience(int(machine.record.conf.get("memSize") or 0)) if by_time else None
        monitor = Monitor(
            machine, self._standing, schedule, settings.monitor_interval, self._tell, self.abort, patience
        )
        self.active = True
        try:
            monitor.start()
            await moving.migrate(domains, vm, self._traffic.uri(order.destination.host), asked, flags)
        finally:
            self.active = False
            await monitor.stop()

    async def watch(self) -> None:
        """Comes back when the guest has left; raises `MigrationFailed` when it stays."""
        domains, vm = self._means.domains, self._machine.id
        self.active = True
        try:
            while True:
                self._news = Deferred()
                try:
                    await self._news.addTimeout(HURRY if self._aborted else WATCH, self._means.reactor)
                except TimeoutError:
                    pass
                try:
                    state, reason = await domains.state(vm)
                    if state == "shutoff" and reason == "migrated":
                        return
                    if state == "shutoff" or (
                        (state, reason) != ("paused", "postcopy") and not is_outgoing(await moving.job(domains, vm))
                    ):
                        raise MigrationFailed("it did not come to its end")
                except DomainNotFound:
                    return
                except HypervisorAway:
                    continue
        finally:
            self.active, self._news = False, None

    async def _keep_screen(self) -> None:
        """Best effort: a client that must log in again is no reason to stay."""
        if not self._machine.record.client:
            return
        until = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self._means.wall() + TICKET))
        try:
            await moving.keep_spice_ticket(self._means.domains, self._machine.id, until)
        except VirgateError as problem:
            self.log.warn("clients of {vm} may lose its screen: {why}", vm=self._machine.id, why=str(problem))

    def look(self) -> None:
        """There may be news of a move that is only watched."""
        if self._news is not None and not self._news.called:
            self._news.callback(None)

    async def limit_bandwidth(self, mebibytes: int) -> None:
        if not self.active:
            raise NotUnderWay()
        await moving.limit_bandwidth(self._means.domains, self._machine.id, mebibytes)

    async def abort(self) -> None:
        """libvirt may not have begun yet: it is asked again for a while."""
        ends = self._means.monotonic() + ABORT_PATIENCE
        while self.active:
            try:
                await moving.abort(self._means.domains, self._machine.id)
            except HypervisorAway:
                raise NothingToCancel() from None
            except DomainNotFound:
                raise NothingToCancel() from None
            except HypervisorFailed as refused:
                if not moving.is_too_late(refused) or self._means.monotonic() > ends:
                    raise NothingToCancel() from refused
                await deferLater(self._means.reactor, 0.1)
            else:
                self._aborted = True
                self.look()
                return
