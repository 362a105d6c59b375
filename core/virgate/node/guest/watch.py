"""What belongs together for one machine: its agent, its channel, and what the machine shows of both."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from virgate.domxml import metadata, tree
from virgate.errors import VirgateError
from virgate.node.guest import luggage, mapping, places
from virgate.node.guest.agent import GuestAgent
from virgate.node.guest.channel import Channel, Readers
from virgate.node.vm import inscription
from virgate.node.vm.life import Status

if TYPE_CHECKING:
    from virgate.node.guest.settings import GuestSettings
    from virgate.node.vm.machine import Machine


class Watch:
    """From when a machine runs until it is gone."""

    log = Logger()

    def __init__(
        self, machine: "Machine", settings: "GuestSettings", folders: Iterable[Path | str], readers: Readers
    ) -> None:
        means, record = machine.means, machine.record
        self.machine = machine
        self._unwritten = False
        """Names of disks are known that the domain does not have yet."""
        self.agent = GuestAgent(
            machine.id, reactor=means.reactor, monotonic=means.monotonic, wall=means.wall, moved=self._moved
        )
        root = tree.parse(record.xml or "<domain/>")
        luggage.unpack(self.agent, {**metadata.read(root).values, **record.conf})
        found = places.find(root)
        self.agent.qemu.present = found.qemu
        self.channel = self._channel(found.path, folders, settings.timeout, readers)
        machine.agent = self.agent
        machine.shown.append(self.shown)

    def _channel(self, path: str, folders: Iterable[Path | str], timeout: float, readers: Readers) -> Channel | None:
        if not path:
            return None
        if not places.allowed(path, folders):
            self.log.warn("the channel of {vm} is no socket of a guest: {path}", vm=self.machine.id, path=path)
            return None
        means = self.machine.means
        clock = {"reactor": means.reactor, "monotonic": means.monotonic}
        return Channel(self.agent, path, **clock, readers=readers, timeout=timeout)

    @property
    def may_be_asked(self) -> bool:
        """Whether QEMU's agent may: not while somebody needs it who must not wait, to freeze and to thaw."""
        return self.machine.vitals.status is Status.UP and not self.machine.changing.locked

    def tick(self, now: float) -> None:
        """About once a second."""
        if self.channel is not None:
            self.channel.tick(now)
        if self.agent.news:
            self.agent.news = False
            self.note_disks()
            self.machine.means.events.tell("guest.info", vm=self.machine.id)
        if self._unwritten and self.may_be_asked:  # nobody changes devices, which are written at the same place
            self._unwritten = False
            Deferred.fromCoroutine(self._write_names()).addErrback(
                lambda problem: self.log.failure("names of disks of {vm} are not kept", problem, vm=self.machine.id)
            )

    def note_disks(self) -> None:
        """Lets `list` tell the guest's names of disks, and newer clients find them in the domain."""
        if mapping.note_names(self.machine.record.conf.get("devices", ()), self.agent.disks):
            self._unwritten = True

    async def _write_names(self) -> None:
        machine = self.machine
        async with machine.changing:
            try:
                await machine.document()
                await inscription.keep_devices(machine)
            except VirgateError as problem:
                self.log.info("names of disks of {vm} are not kept: {why}", vm=machine.id, why=str(problem))

    def end(self) -> None:
        self.machine.agent = None
        self.machine.shown.remove(self.shown)
        if self.channel is not None:
            self.channel.close()

    def shown(self) -> dict[str, Any]:
        """What the agents add to the machine's statistics."""
        figures = self.machine.figures
        memory = int(self.machine.record.conf.get("memSize") or 0)
        return self.agent.shown(memory, figures.guest_memory, figures.hash)

    def _moved(self) -> None:
        """The status that clients see may be another one: they are told, with what the guest says of itself."""
        record = self.machine.record
        if record.guest is not None and record.guest.status is Status.POWERING_UP:
            record.guest = None  # it is up for good, also when its agent falls silent
        self.machine.tell(**self.shown())
