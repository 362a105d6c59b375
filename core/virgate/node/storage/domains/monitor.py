"""Watching the active domains of a pool, each for itself (spec xmlrpc-storage 7.7).

Told on the event bus at the first result and at each change between valid and invalid: `storage.domain` (domain,
valid, code).
"""

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, cast

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, gatherResults
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from virgate.errors import VirgateError
from virgate.events import EventBus
from virgate.node.storage.domains.domain import Domain, Health
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.domains.probing import Probes
from virgate.node.storage.errors import StaleMount, StorageError
from virgate.node.storage.values import Class, Clock
from virgate.run.fence import unfenced

UNKNOWN_VERSION = -1
GOLDEN = 0.618
"""Multiples of it, without their whole parts, lie evenly between 0 and 1, however many there are."""


JOIN_AGAIN = 60.0
"""Seconds after which a host id that was had is asked for again: it may be lost without a word."""

FAREWELL = 15.0
"""Seconds that giving back a host id may take: a domain that nobody reaches must not keep a host in its pool."""

Mend = Callable[[Path], Awaitable[None]]


@define(eq=False)
class Monitor:
    """Looks at one domain, waits, looks again. The host id of this host is joined beside that if it is missing."""

    log = Logger()

    domains: Domains
    domain: str
    host: int
    events: EventBus
    clock: Clock
    interval: float
    probes: Probes | None = None
    """Where looks are made; None: where the domain's other work is done."""
    mend: Mend | None = None
    """Connects a mount point anew."""
    first: float | None = None
    """The pause after the first look, if another one: so the looks at many domains spread over the interval."""
    code: int = 0
    health: Health | None = None
    version: int = UNKNOWN_VERSION
    checked: float | None = None
    """When the last check ended; None before the first."""
    _running: "Deferred[None] | None" = None
    _joining: "Deferred[None] | None" = None
    _asked: float | None = None
    """When the host id was asked for last."""

    @property
    def valid(self) -> bool:
        return self.code == 0

    @property
    def acquired(self) -> bool:
        """Whether this host has its id in the domain."""
        found = self.domains.known().get(self.domain)
        return found is not None and found.lease.joined is not None

    def start(self) -> None:
        self._running = unfenced(self._run())
        self._running.addErrback(_ended)

    async def stop(self, *, leave: bool = True) -> None:
        """Ends it; with `leave` the host id is given back."""
        running, self._running = self._running, None
        joining, self._joining = self._joining, None
        for work in (running, joining):
            if work is not None:
                work.cancel()
        found = self.domains.known().get(self.domain)
        if leave and found is not None and not found.lease.held:
            try:
                await Deferred.fromCoroutine(found.lease.leave()).addTimeout(FAREWELL, cast(Any, self.clock))
            except (VirgateError, OSError, TimeoutError) as problem:
                self.log.warn("domain {domain} is left as it is: {problem!r}", domain=self.domain, problem=problem)

    async def check(self) -> None:
        """One look now."""
        before = (self.checked is not None, self.valid)
        try:
            found = await self.domains.find(self.domain)
            if self.probes is not None:
                found.probes = self.probes.of(found.id, _server(found))
            self.health = await found.look()
            self.version = found.version
            self.code = 0
        except (VirgateError, OSError) as problem:
            self.code = _code(problem)
            self.log.warn("domain {domain}: {problem}", domain=self.domain, problem=problem)
            if isinstance(problem, StaleMount):
                await self._mend()
        else:
            self._join(found)
        self.checked = self.clock.seconds()
        if before != (True, self.valid):
            self.events.tell("storage.domain", domain=self.domain, valid=self.valid, code=self.code)

    async def _mend(self) -> None:
        found = self.domains.known().get(self.domain)
        if self.mend is not None and found is not None:
            try:
                await self.mend(found.path.parent)
            except (VirgateError, OSError) as problem:
                self.log.warn("domain {domain} is not mounted again: {problem}", domain=self.domain, problem=problem)

    def _join(self, found: Domain) -> None:
        """Joining takes long on shared storage: looks go on meanwhile."""
        now = self.clock.seconds()
        missing = found.lease.joined is None
        due = self._asked is None or now - self._asked >= JOIN_AGAIN
        if found.record.domain_class is not Class.Iso and self._joining is None and (missing or due):
            self._asked = now
            self._joining = Deferred.fromCoroutine(self._joined(found))
            if self._joining.called:
                self._joining = None

    async def _joined(self, found: Domain) -> None:
        try:
            await found.lease.join(self.host)
        except (VirgateError, OSError, CancelledError) as problem:
            self.log.warn("domain {domain}: {problem}", domain=self.domain, problem=problem)
        finally:
            self._joining = None

    async def _run(self) -> None:
        pause = self.interval if self.first is None else self.first
        while True:
            await self.check()
            await deferLater(self.clock, pause)  # type: ignore[arg-type]
            pause = self.interval

    def entry(self) -> dict[str, Any]:
        """The domain in repoStats (spec xmlrpc-storage 4.7)."""
        age = self.clock.seconds() - self.checked if self.checked is not None else 0.0
        return {
            "code": self.code,
            "lastCheck": f"{age:.1f}",
            "delay": str(self.health.delay if self.health else 0.0),
            "valid": self.valid,
            "version": self.version,
            "acquired": self.acquired,
            "actual": self.checked is not None,
        }


def _code(problem: Exception) -> int:
    """Errors of storage keep their code, all else counts as access to storage that failed."""
    if isinstance(problem, VirgateError) and problem.code != VirgateError.code:
        return problem.code
    return StorageError.code


def _server(domain: Domain) -> str:
    """What domains have in common that fail together: the server of a mount, the device of a volume group."""
    place = domain.path.parent.name
    return place.rpartition(":")[0] or domain.id


def _ended(failure: Failure) -> None:
    failure.trap(CancelledError)  # type: ignore[no-untyped-call]


@define(eq=False)
class Monitors:
    """The monitors of this host, by domain. Those a pool wants and those asked for one by one are kept apart."""

    domains: Domains
    events: EventBus
    clock: Clock
    interval: float = 10.0
    probes: Probes | None = None
    mend: Mend | None = None
    _started: int = 0
    _running: dict[str, Monitor] = field(factory=dict)
    _alone: set[str] = field(factory=set)
    _wanted: frozenset[str] = frozenset()
    """Those the pool wants; one may be watched for both."""

    def __getitem__(self, domain: str) -> Monitor:
        return self._running[domain]

    def get(self, domain: str) -> Monitor | None:
        return self._running.get(domain)

    def entries(self) -> dict[str, dict[str, Any]]:
        return {domain: monitor.entry() for domain, monitor in sorted(self._running.items())}

    async def watch(self, wanted: Iterable[str], host: int) -> None:
        """Exactly these domains are watched for the pool; those already watched go on undisturbed."""
        keep = self._wanted = frozenset(wanted)
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
        self._alone.discard(domain)
        if domain in self._wanted:
            return False
        await self._stop({domain} & set(self._running))
        return True

    async def close(self, *, leave: bool) -> None:
        self._alone.clear()
        self._wanted = frozenset()
        await self._stop(set(self._running), leave=leave)

    def _start(self, domain: str, host: int) -> None:
        spread = self._started * GOLDEN % 1
        self._started += 1
        monitor = Monitor(
            self.domains, domain, host, self.events, self.clock, self.interval, self.probes, self.mend,
            first=self.interval * (1 - spread / 2),
        )  # fmt: skip
        self._running[domain] = monitor
        monitor.start()

    async def _stop(self, domains: set[str], *, leave: bool = True) -> None:
        monitors = [self._running.pop(domain) for domain in domains]
        await gatherResults([Deferred.fromCoroutine(monitor.stop(leave=leave)) for monitor in monitors])
        if leave and monitors:
            await self.domains.close_groups()
