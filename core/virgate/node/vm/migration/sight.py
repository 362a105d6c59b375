"""Disks that grow while their machine moves: the destination sees their new size before the guest can write there
(spec migration 13). A destination that cannot be told keeps them from growing until the move is over."""

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from virgate.node.vm.migration.errors import CannotSee, SeesLess

if TYPE_CHECKING:
    from virgate.node.vm.migration.peer import Peer
    from virgate.node.vm.thin.disks import ThinDisk


class Sight:
    """Of one destination, from when it begins to prepare until the guest is there or is known to stay."""

    log = Logger()

    def __init__(self, vm: str, peer: "Peer | None") -> None:
        """Without a peer nobody knows any more whom to tell: another daemon began the move."""
        self._vm, self._peer = vm, peer
        self._able: bool | None = None
        self._prepared = self._over = False
        self._waiting: list[Deferred[None]] = []

    def prepared(self) -> None:
        """The destination has the disks, and knows the machine."""
        self._prepared = True
        self._go_on()

    def over(self) -> None:
        """Nobody there uses the disks any more."""
        self._over = True
        self._go_on()

    def _go_on(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)

    async def require(self) -> None:
        """Raises `CannotSee` when the destination cannot be shown anything; it is asked once."""
        if self._able is None:
            self._able = self._peer is not None and await self._peer.sees_growth()
            if not self._able:
                self.log.warn(
                    "disks of {vm} do not grow until it has moved: its destination cannot be told", vm=self._vm
                )
        if not self._able:
            raise CannotSee()

    async def show(self, disk: "ThinDisk", size: int) -> None:
        """Comes back when the destination sees so many bytes, or has nothing to do with the disk any more."""
        if not (self._prepared or self._over):
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting
        if self._over or self._peer is None:
            return
        seen = await self._peer.refresh_disk(self._vm, disk)
        if seen < size and not self._over:
            raise SeesLess(disk.target, seen, size)
