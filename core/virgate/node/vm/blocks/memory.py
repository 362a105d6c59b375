"""A snapshot's memory: two volumes as hibernation has them, of which the first holds what libvirt writes."""

from typing import TYPE_CHECKING

from attrs import define
from twisted.logger import Logger

from virgate.errors import VirgateError
from virgate.hookspecs.storage import Kind
from virgate.libvirt import blocks
from virgate.node.vm.hibernation import conf_file

if TYPE_CHECKING:
    from virgate.node.storage.manager import Storage
    from virgate.node.vm.hibernation.handle import Handle
    from virgate.node.vm.machine import Machine

log = Logger()


@define(eq=False)
class Memory:
    """Used once: `prepare`, what the hypervisor does, `complete`; `release` in any case."""

    handle: "Handle"
    storage: "Storage"
    _document: str = ""

    async def prepare(self, machine: "Machine") -> str:
        """Where the memory is to be written."""
        source = await machine.means.disks.prepare(self.handle.memory.disk)
        await machine.means.disks.prepare(self.handle.conf.disk)
        self._document = await blocks.migratable_xml(machine.means.domains, machine.id)
        return source.path

    async def complete(self, machine: "Machine") -> None:
        """Writes what the memory is woken up with beside it, and lets the volume be as long as its metadata say."""
        saved = {
            "restoreFromSnapshot": True,
            "_srcDomXML": self._document,
            "elapsedTimeOffset": machine.means.wall() - machine.record.started,
        }
        conf, memory = self.handle.conf, self.handle.memory
        found = await self.storage.domains.find(conf.domain)
        await found.images.write_data(conf.image, conf.volume, 0, conf_file.padded(conf_file.write(saved)))
        found = await self.storage.domains.find(memory.domain)
        if found.kind is Kind.FILE:
            capacity = (await found.images.survey(memory.image)).volume(memory.volume).metadata.capacity.bytes
            size, _ = await found.images.measure(memory.image, memory.volume)
            await found.images.grow(
                memory.image, memory.volume, max(capacity, -(-size // conf_file.BLOCK) * conf_file.BLOCK)
            )

    async def release(self, machine: "Machine") -> None:
        for volume in (self.handle.memory, self.handle.conf):
            try:
                await machine.means.disks.teardown(volume.disk)
            except VirgateError as failure:
                log.warn("{vm}: {volume} stays prepared: {why}", vm=machine.id, volume=volume.volume, why=str(failure))
