"""Watching the active domains of a pool, each for itself (spec xmlrpc-storage 7.7).

Told on the event bus at the first result and at each change between valid and invalid: `storage.domain` (domain,
valid, code).
"""

from collections.abc import Iterable
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from virgate.errors import VirgateError
from virgate.events import EventBus
from virgate.node.storage.domains.domain import Domain, Health
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.errors import StorageError
from virgate.node.storage.values import Class, Clock
from virgate.run.fence import unfenced

UNKNOWN_VERSION = -1


@define(eq=False)
class Monitor:
    """Looks at one domain, waits, looks again. The host id of this host is joined in between if it is missing."""

    log = Logger()

    domains: Domains
    domain: str
    host: int
    events: EventBus
    clock: Clock
    interval: float
    code: int = 0
    health: Health | None = None
    version: int = UNKNOWN_VERSION
    checked: float | None = None
    """When the last check ended; None before the first."""
    _running: "Deferred[None] | None" = None
    _acquired: bool = False

    @property
    def valid(self) -> bool:
        return self.code == 0

    def start(self) -> None:
        self._running = unfenced(self._run())
        self._running.addErrback(_ended)

    async def stop(self, *, leave: bool = True) -> None:
        """Ends it; with `leave` the host id is given back."""
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
        found = self.domains.known().get(self.domain)
        if leave and found is not None and not found.lease.held:
            await found.lease.leave()

    async def check(self) -> None:
        """One look now."""
        before = (self.checked is not None, self.valid)
        try:
            found = await self.domains.find(self.domain)
            self.health = await found.look()
            self.version = found.version
            self.code = 0
        except (VirgateError, OSError) as problem:
            self.code = _code(problem)
            self.log.warn("domain {domain}: {problem}", domain=self.domain, problem=problem)
        else:
            await self._join(found)
        self.checked = self.clock.seconds()
        if before != (True, self.valid):
            self.events.tell("storage.domain", domain=self.domain, valid=self.valid, code=self.code)

    async def _join(self, found: Domain) -> None:
        if found.record.domain_class is Class.Iso or found.lease.joined is not None:
            self._acquired = found.lease.joined is not None
            return
        try:
            await found.lease.join(self.host)
        except VirgateError as problem:
            self.log.warn("domain {domain}: {problem}", domain=self.domain, problem=problem)
        self._acquired = found.lease.joined is not None

    async def _run(self) -> None:
        while True:
            await self.check()
            await deferLater(self.clock, self.interval)  # type: ignore[arg-type]

    def entry(self) -> dict[str, Any]:
        """The domain in repoStats (spec xmlrpc-storage 4.7)."""
        age = self.clock.seconds() - self.checked if self.checked is not None else 0.0
        return {
            "code": self.code,
            "lastCheck": f"{age:.1f}",
            "delay": str(self.health.delay if self.health else 0.0),
            "valid": self.valid,
            "version": self.version,
            "acquired": self._acquired,
            "actual": self.checked is not None,
        }


def _code(problem: Exception) -> int:
    """Errors of storage keep their code, all else counts as access to storage that failed."""
    if isinstance(problem, VirgateError) and problem.code != VirgateError.code:
        return problem.code
    return StorageError.code


def _ended(failure: Failure) -> None:
    failure.trap(CancelledError)  # type: ignore[no-untyped-call]


@define(eq=False)
class Monitors:
    """The monitors of this host, by domain. Those a pool wants and those asked for one by one are kept apart."""

    domains: Domains
    events: EventBus
    clock: Clock
    interval: float = 10.0
    _running: dict[str, Monitor] = field(factory=dict)
    _alone: set[str] = field(factory=set)

    def __getitem__(self, domain: str) -> Monitor:
        return self._running[domain]

    def get(self, domain: str) -> Monitor | None:
        return self._running.get(domain)

    def entries(self) -> dict[str, dict[str, Any]]:
        return {domain: monitor.entry() for domain, monitor in sorted(self._running.items())}

    async def watch(self, wanted: Iterable[str], host: int) -> None:
        """Exactly these domains are watched for the pool; those already watched go on undisturbed."""
        keep = set(wanted)
        await self._stop(set(self._running) - keep - self._alone)
        for domain in sorted(keep - set(self._running)):
            self._start(domain, host)

    def watch_alone(self, domain: str, host: int) -> None:
        """Watches a domain outside of any pool."""
        if domain not in self._running:
            self._alone.add(domain)
            self._start(domain, host)

    async def unwatch_alone(self, domain: str) -> bool:
        """False if it is a pool's and therefore goes on."""
        if domain in self._running and domain not in self._alone:
            return False
        self._alone.discard(domain)
        await self._stop({domain} & set(self._running))
        return True

    async def close(self, *, leave: bool) -> None:
        self._alone.clear()
        await self._stop(set(self._running), leave=leave)

    def _start(self, domain: str, host: int) -> None:
        monitor = Monitor(self.domains, domain, host, self.events, self.clock, self.interval)
        self._running[domain] = monitor
        monitor.start()

    async def _stop(self, domains: set[str], *, leave: bool = True) -> None:
        monitors = [self._running.pop(domain) for domain in domains]
        await gatherResults([Deferred.fromCoroutine(monitor.stop(leave=leave)) for monitor in monitors])
