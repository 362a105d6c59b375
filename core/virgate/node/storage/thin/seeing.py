"""How large a volume is on this host. A guest may be waiting: for a volume in use the kernel is asked, not `lvm`."""

from attrs import frozen

from virgate.hookspecs.storage import Kind
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.mailbox.places import HASTE, helper_key


@frozen
class Seeing:
    domains: Domains

    async def size(self, domain: Domain, image: str, volume: str) -> int:
        """Bytes that programs of this host find in the volume."""
        found = await self._in_use(domain, image, volume)
        return found if found is not None else (await domain.images.measure(image, volume))[0]

    async def again(self, domain: Domain, image: str, volume: str) -> int:
        """The same after another host may have changed it."""
        if await self._in_use(domain, image, volume) is None:
            await domain.images.refresh(image, volume)
        else:
            lvm = self.domains.lvm
            await lvm.refresh(domain.id, volume)
            lvm.invalidate(domain.id)
        return await self.size(domain, image, volume)

    async def _in_use(self, domain: Domain, image: str, volume: str) -> int | None:
        """None for a volume that is not active here, or no logical volume."""
        if domain.kind is not Kind.BLOCK:
            return None
        files, path = self.domains.helpers[helper_key(domain.id)], str(domain.images.path(image, volume))
        found: int | None = await files.call("length_of_device", path, timeout=HASTE)
        return found
