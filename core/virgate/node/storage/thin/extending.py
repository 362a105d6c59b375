"""The SPM gives a volume more room. It neither activates nor refreshes: that is for the host that uses the volume."""

from attrs import frozen

from virgate.errors import VirgateError
from virgate.hookspecs.storage import Kind
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.errors import CannotExtendVolume
from virgate.node.storage.repository import part
from virgate.units import MiB


@frozen
class Extending:
    domains: Domains

    async def extend(self, domain: str, volume: str, mib: int) -> None:
        """To at least `mib` MiB. `CannotExtendVolume` (206), or what is wrong with the domain."""
        found = await self.domains.find(part(domain))
        if found.kind is not Kind.BLOCK:
            raise CannotExtendVolume(volume, f"domain {domain} gives room by itself")
        lvm = self.domains.lvm
        known = (await lvm.volume(domain, part(volume))).size
        if known < mib * MiB:
            try:
                await lvm.extend(domain, volume, mib, refresh=False)
            except VirgateError as problem:
                raise CannotExtendVolume(volume, str(problem)) from problem
