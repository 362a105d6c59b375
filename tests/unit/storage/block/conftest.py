"""The images of one block domain without a room around them."""

from contextlib import contextmanager

import pytest
from attrs import define, evolve
from contract.storage.half_block import BlockDirect, MeasuringQemu, PlayedWiper
from contract.storage.light import Steps, now
from contract.storage.played_lvm import Disks
from contract.storage.room import uuid

from virgate.node.storage.block import tags
from virgate.node.storage.block.images import BlockImages
from virgate.node.storage.domains.store import NewData
from virgate.node.storage.formats.volume_metadata import (
    BLANK_UUID,
    Allocation,
    VolumeFormat,
    VolumeMetadata,
)
from virgate.node.storage.repository import Repository
from virgate.run.fence import Fence, leave
from virgate.units import Size

DOMAIN = uuid(2)


@define(eq=False)
class Block:
    """`images` is what one daemon has of them; `again` makes that of the next one."""

    base: object
    steps: Steps
    disks: Disks
    wiper: PlayedWiper
    images: BlockImages
    lvm: object

    @classmethod
    def made(cls, base):
        steps = Steps()
        disks = Disks(base / "lvm", DOMAIN, steps=steps)
        made = cls(base, steps, disks, PlayedWiper(steps=steps), None, None)
        made.again()
        return made

    def again(self, **options):
        files = BlockDirect(self.steps)
        self.lvm = self.disks.lvm()
        options = {"version": 5, "lease": 1 << 20, "fresh": lambda name: name.encode(), **options}
        tree = Repository(self.base / "data-center", self.base / "run", files)
        qemu = MeasuringQemu(steps=self.steps)
        self.images = BlockImages(DOMAIN, self.lvm, files, tree, qemu, wiper=self.wiper, **options)

    def make(self, image, volume, *, form=VolumeFormat.COW, parent=None, size=1 << 30, allocation=None):
        """A volume known to everybody; image and volume are numbers, the parent a volume's."""
        raw = form is VolumeFormat.RAW
        allocation = allocation or (Allocation.PREALLOCATED if raw else Allocation.SPARSE)
        above = uuid(4, parent) if parent else None
        data = NewData(form, allocation, size, above, VolumeFormat.COW)
        made = now(self.images.create_data(uuid(3, image), uuid(4, volume), data))
        metadata = VolumeMetadata(
            domain=DOMAIN,
            image=uuid(3, image),
            capacity=Size(made),
            format=form,
            allocation=allocation,
            parent=above or BLANK_UUID,
        )
        now(self.images.commit(uuid(3, image), uuid(4, volume), metadata))

    def entry(self, volume):
        return tags.entries(now(self.disks.lvm().volumes(DOMAIN)))[uuid(4, volume)]

    def names(self):
        return {int(name[33:36]) for name in self.disks.volumes if name.startswith(uuid(4)[:8])}

    def active(self):
        return {
            int(name[33:36])
            for name, volume in self.disks.volumes.items()
            if volume.active and name.startswith(uuid(4)[:8])
        }

    def change(self, image, volume, **changes):
        metadata = now(self.images.survey(uuid(3, image))).volume(uuid(4, volume)).metadata
        now(self.images.write(uuid(3, image), uuid(4, volume), evolve(metadata, **changes)))

    @contextmanager
    def spm(self):
        """What is done inside is the SPM's work."""
        Fence().enter()
        try:
            yield
        finally:
            leave()


@pytest.fixture
def block(tmp_path):
    return Block.made(tmp_path)
