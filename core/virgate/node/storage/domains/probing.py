"""Looking at many domains without many processes, and without one that hangs keeping the others waiting.

Healthy domains are looked at by one helper, one after the other. A domain that does not answer there soon is looked at
by a helper of its own until it answered for a while, and so are all of its server: they share its fate.
"""

from typing import TYPE_CHECKING, Any

from attrs import define, field
from twisted.internet.defer import DeferredLock

from virgate.node.storage.values import Files
from virgate.run.errors import HelperLost

if TYPE_CHECKING:
    from virgate.node.storage.domains.domains import FilesOf

SHARED = "monitor"
SOON = 2.0
"""Seconds that a look may take in the common helper."""
PROVEN = 6
"""Answers in a row after which a server's domains come back to the common helper."""


@define(eq=False)
class Probes:
    helpers: "FilesOf"
    patience: float = 30.0
    _turn: DeferredLock = field(factory=DeferredLock)
    _warm: bool = False
    _apart: dict[str, int] = field(factory=dict)
    """Servers with a domain that hung: how many more answers they have to give."""

    def of(self, domain: str, server: str) -> Files:
        return Probe(self, domain, server)

    async def call(self, probe: "Probe", operation: str, *args: Any) -> Any:
        if probe.server not in self._apart:
            try:
                return await self._together(operation, *args)
            except HelperLost:
                self._apart[probe.server] = PROVEN
        return await self._alone(probe, operation, *args)

    async def _together(self, operation: str, *args: Any) -> Any:
        """Only one call at a time is in the helper, so it is that one's own fault when the helper is lost."""
        await self._turn.acquire()
        try:
            if not self._warm:  # a process may take long to start; that is no domain's fault
                await self.helpers[SHARED].call("read_link", "/", timeout=self.patience)
                self._warm = True
            return await self.helpers[SHARED].call(operation, *args, timeout=min(SOON, self.patience / 2))
        except HelperLost:
            self._warm = False
            raise
        finally:
            self._turn.release()

    async def _alone(self, probe: "Probe", operation: str, *args: Any) -> Any:
        try:
            answer = await self.helpers[f"{probe.domain}#monitor"].call(operation, *args, timeout=self.patience)
        except HelperLost:
            self._apart[probe.server] = PROVEN
            raise
        left = self._apart.get(probe.server, 1) - 1
        if left > 0:
            self._apart[probe.server] = left
        else:
            self._apart.pop(probe.server, None)
        return answer


@define(eq=False)
class Probe:
    """The common helpers as one domain sees them."""

    probes: Probes
    domain: str
    server: str

    def call(self, operation: str, *args: Any, timeout: float | None = None) -> Any:
        return self.probes.call(self, operation, *args)
