"""Removing volumes: marked, wiped if asked for, removed; and what others did not finish (spec 2.4, 2.6)."""

from collections.abc import Collection, Iterable

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.node.storage.block import tags
from virgate.node.storage.block.activation import Activation
from virgate.node.storage.block.catalog import Catalog
from virgate.node.storage.block.creation import Creation
from virgate.node.storage.block.tags import Entry
from virgate.node.storage.block.wiping import Wiper
from virgate.node.storage.errors import NoSuchImage, NotSpm
from virgate.node.storage.lvm.lvm import Lvm


@define(eq=False)
class Removing:
    """Only on the SPM."""

    log = Logger()

    group: str
    lvm: Lvm
    catalog: Catalog
    creation: Creation
    activation: Activation
    wiper: Wiper
    _wiping: "Deferred[None] | None" = field(default=None)

    async def volume(self, image: str, volume: str, *, zero: bool = False, discard: bool = False) -> None:
        """Nothing happens to a volume of another image, such as a template."""
        found = await self.catalog.entries()
        entry = found.get(volume)
        if entry is None or (entry.half and self.creation.is_making(volume, image)):
            return
        if not entry.half and entry.image != image:
            return
        await self._correct_children(found, volume)
        if zero or discard:
            await self._mark([entry], zero=zero)
        await self._purge([entry], zero=zero, discard=discard)
        self.creation.forget(volume)
        await self.activation.forget(image, volume)

    async def hide(self, image: str, *, zero: bool) -> None:
        """Takes the image out of sight in one step; `NoSuchImage` (268) if nobody sees it."""
        own = tags.of_image(await self.catalog.entries(), image)
        if not own:
            raise NoSuchImage(image, self.group)
        await self._mark(own, zero=zero)

    async def image(self, image: str, *, zero: bool = False, discard: bool = False) -> None:
        """`NoSuchImage` (268) if there is nothing of it."""
        found = await self.catalog.entries()
        own = [entry for entry in found.values() if entry.image == image]
        if not own:
            raise NoSuchImage(image, self.group)
        if seen := [entry for entry in own if not entry.removed]:
            await self._mark(seen, zero=zero)
        await self._purge(own, zero=zero or any(entry.zero for entry in own), discard=discard)
        await self.activation.forget(image, *(entry.name for entry in own))

    async def garbage(self, *, volumes: bool) -> None:
        """Half made volumes, deleted images and, if asked for, what merges left. Wiping goes on afterwards."""
        found = (await self.catalog.entries(fresh=True)).values()
        over = [entry for entry in found if entry.removed or (volumes and entry.renamed and not entry.half)]
        gone = [entry for entry in over if not entry.zero]
        gone += [entry for entry in found if entry.half and not self.creation.is_making(entry.name)]
        await self.lvm.remove(self.group, *(entry.name for entry in gone))
        wiped = [entry for entry in over if entry.zero]
        if wiped and self._wiping is None:
            self._wiping = Deferred.fromCoroutine(self._wipe_later(wiped))
            self._wiping.addBoth(self._wiped)

    async def stop(self) -> None:
        """Ends the wiping that `garbage` left behind; the next SPM goes on with it."""
        if self._wiping is not None:
            self._wiping.cancel()

    async def _wipe_later(self, entries: Iterable[Entry]) -> None:
        try:
            for entry in entries:
                await self._purge([entry], zero=True)
        except (VirgateError, OSError) as problem:
            self.log.warn("volumes of {domain} are not wiped yet: {problem}", domain=self.group, problem=problem)

    def _wiped(self, _: object) -> None:
        self._wiping = None

    async def _mark(self, entries: Collection[Entry], *, zero: bool) -> None:
        """Volumes of one image, all at once."""
        image = next(iter(entries)).image
        names = [entry.name for entry in entries]
        await self.lvm.change_tags(
            self.group, *names, delete=[f"{tags.IMAGE}{image}"], add=[tags.mark(image, zero=zero)]
        )

    async def _purge(self, entries: Collection[Entry], *, zero: bool = False, discard: bool = False) -> None:
        names = [entry.name for entry in entries]
        if zero or discard:
            await self.lvm.activate(self.group, *names)
            epoch = self.catalog.epoch()

            def go_on(percent: float) -> None:
                """Blocks that another SPM may give to somebody else are not written any more."""
                if self.catalog.epoch() is not epoch:
                    raise NotSpm(self.group)

            for entry in entries:
                path = self.lvm.path(self.group, entry.name)
                if zero:
                    await self.wiper.zero(path, entry.size, report=go_on)
                if discard:
                    await self.wiper.discard(path)
        await self.lvm.remove(self.group, *names)

    async def _correct_children(self, found: dict[str, Entry], volume: str) -> None:
        """A merge on another host gave a volume another parent and left its tag: the SPM mends that before it deletes
        the parent that was."""
        stale = [entry for entry in found.values() if entry.known and entry.parent == volume]
        if not stale:
            return
        parents = await self.catalog.parents()
        for entry in stale:
            parent = parents.get(entry.name, volume)
            if parent != volume:
                delete, add = [f"{tags.PARENT}{volume}"], [f"{tags.PARENT}{parent}"]
                await self.lvm.change_tags(self.group, entry.name, delete=delete, add=add)
