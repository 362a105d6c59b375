"""Any history of storage operations with one file and one block domain, undisturbed, failing or cut off at any step.

What the histories of file domains claim is claimed here, too; and of the volume group: nothing half made stays, no
two volumes share a metadata slot, nothing stays active that nobody uses.
"""

import pytest
from attrs import define, field
from contract.storage.half_block import BlockDirect, MeasuringQemu, Storage, half_block
from contract.storage.light import begun, now
from contract.storage.played_lvm import EXTENT, SHORT
from contract.storage.room import Room, uuid
from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant
from twisted.internet.task import Clock
from unit.storage.test_histories import RAW, SIZE, Histories, House

import virgate.node.storage.domains.domains as domains
from virgate.node.storage.block import tags

BLOCK = 2


@define(eq=False)
class BlockHouse(House):
    storage: Storage | None = field(default=None)

    def open(self):
        if self.storage is None:
            self.storage = Storage.made(self.base / "lvm", uuid(2, BLOCK), self.steps)
        helpers, qemu = BlockDirect(self.steps), MeasuringQemu(steps=self.steps)
        domains.FileDomain = half_block(self.storage)
        self.room = Room(self.base, clock=Clock(), helpers=helpers, qemu=qemu)
        now(self.room.start())

    def entries(self):
        return tags.entries(now(self.storage.disks.lvm().volumes(uuid(2, BLOCK))))

    def allocation(self, domain, form):
        return 1 if domain == BLOCK and form is RAW else 2

    def capacities(self, place):
        return {SIZE, EXTENT, SHORT}  # a copy in a file is as short as the played logical volume

    def is_played(self, what):
        """Logical volumes are shorter than they are."""
        return super().is_played(what) or what.startswith("its data end at")

    def folder(self, place):
        return self.storage.disks.store if place[0] == BLOCK else super().folder(place)

    def shown(self, domain):
        if domain != BLOCK:
            return super().shown(domain)
        return set(tags.images(self.entries()))

    def names(self, place):
        if place[0] != BLOCK:
            return super().names(place)
        found = self.entries()
        own = {entry.name for entry in found.values() if entry.image == uuid(3, place[1]) and not entry.removed}
        return own | {entry.parent for entry in found.values() if entry.name in own and entry.parent in found}

    def files_of(self, place, volumes):
        return {uuid(4, number) for number in volumes} if place[0] == BLOCK else super().files_of(place, volumes)


class BlockHistories(Histories):
    def make(self, base):
        self.patch.setattr(domains, "FileDomain", domains.FileDomain)  # put back at the end
        return BlockHouse(base)

    @invariant()
    def the_group_is_tidy(self):
        found = self.house.entries()
        assert not [entry.name for entry in found.values() if entry.half]
        slots = [entry.slot for entry in found.values()]
        assert None not in slots and len(set(slots)) == len(slots)
        assert 0 not in slots


def test_the_machine_ends_its_rooms():
    machine = BlockHistories()
    machine.open()
    assert machine.house.entries() == {}
    begun(machine.house.room.stop())
    machine.teardown()


TestBlockHistories = pytest.mark.timeout(240)(BlockHistories.TestCase)
TestBlockHistories.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
