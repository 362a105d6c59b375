"""The SPM gives a volume more room. It neither activates nor refreshes: that is for the host that uses the volume."""

from attrs import frozen

from virgate.errors import VirgateError
from virgate.hookspecs.storage import Kind
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.errors import CannotExtendVolume
from virgate.node.storage.repository import part


@frozen
class Extending:
    domains: Domains

    async def extend(self, domain: str, volume: str, mib: int, *, refresh: bool = False) -> None:
        """To at least `mib` MiB; with `refresh` this host sees them if it uses the volume.

        `CannotExtendVolume` (206), or what is wrong with the domain. `lvm` is not asked before: a guest is waiting.
        """
        found = await self.domains.find(part(domain))
        if found.kind is not Kind.BLOCK:
            raise CannotExtendVolume(volume, f"domain {domain} gives room by itself")
        try:
            await self.domains.lvm.extend(domain, part(volume), mib, refresh=refresh)
        except VirgateError as problem:
            raise CannotExtendVolume(volume, str(problem)) from problem
