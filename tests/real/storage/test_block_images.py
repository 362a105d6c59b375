"""Images on a block domain and beside it on a local one: real LVM, real qemu-img, loop devices for logical volumes.

Volumes stay in one extent here, because such a device is one piece of a disk; the lab has the others.
"""

import pytest
import pytest_twisted
from attrs import define, evolve
from contract.storage.block_house import House
from contract.storage.disks import GIB
from contract.storage.loop_lvm import LoopLvm
from contract.storage.room import BLANK, POOL, uuid
from lab.process import run

from virgate.node.storage.block import tags

MIB = 1 << 20
EXTENT = 128 * MIB
SIZE = str(64 * MIB)
BLOCK, FILES = 1, 2
RAW, COW = 5, 4
IMG = uuid(3)


@define(eq=False)
class MovingLvm(LoopLvm):
    """Devices follow the names and sizes of their volumes."""

    async def _run(self, argv, patience):
        finished = await super()._run(argv, patience)
        if finished.code == 0 and argv[1] == "lvrename":
            group, old, new = argv[-3:]
            if f"{group}/{old}" in self.active:
                self._hide(f"{group}/{old}")
                await self._show(group, new)
        if finished.code == 0 and argv[1] in ("lvextend", "lvreduce") and argv[-1] in self.active:
            self._hide(argv[-1])
            await self._show(*argv[-1].split("/"))
        return finished


class Images(House):
    async def open(self):
        await super().open()
        domains = self.domains
        self.lvm = domains._lvm = MovingLvm(
            domains.devices.paths_for_lvm, domains.devices.rescan, root=self.base / "dev"
        )
        return self

    async def pool(self, *, version="5"):
        await super().pool(version=version)
        files = await self.room.domain(FILES)
        await self.room.ask("attachStorageDomain", files, POOL)
        await self.room.ask("activateStorageDomain", files, POOL)

    async def chain(self, form, count=3, image=1):
        """Volumes one above the other; volume n holds the byte n at MiB n."""
        for number in range(1, count + 1):
            parent = (image, number - 1) if number > 1 else None
            first = form if number == 1 else COW
            await self.room.volume(
                number, image=image, size=SIZE, form=first, allocation=1 if first == RAW else 2, parent=parent
            )
            await self.io(number, f"write -P {number} {number}M 1M", image=image)

    async def io(self, number, command, *, image=1, domain=BLOCK):
        """qemu-io on a prepared volume."""
        info = await self.room.info(number, image=image, domain=domain)
        ids = (POOL, uuid(2, domain), uuid(3, image), uuid(4, number))
        path = (await self.room.ask("prepareImage", *ids))["path"]
        try:
            told = run(["qemu-io", "-f", "raw" if info["format"] == "RAW" else "qcow2", "-c", command, path])
            assert "verification failed" not in told.stdout + told.stderr
        finally:
            await self.room.ask("teardownImage", *ids)

    async def holds(self, number, count=3, *, image=1, domain=BLOCK):
        for block in range(1, count + 1):
            await self.io(number, f"read -P {block} {block}M 1M", image=image, domain=domain)

    async def merge(self, first, last):
        await self.room.done("mergeSnapshots", uuid(2), POOL, BLANK, IMG, uuid(4, first), uuid(4, last))

    async def entries(self):
        return tags.entries(await self.lvm.volumes(uuid(2), fresh=True))

    async def must_be_tidy(self):
        found = await self.entries()
        assert not [entry.name for entry in found.values() if entry.active or not entry.known]
        slots = [entry.slot for entry in found.values()]
        assert len(slots) == len(set(slots))


@pytest_twisted.async_yield_fixture
async def house(tmp_path, monkeypatch):
    async with Images.opened(tmp_path, monkeypatch, 12 * GIB) as made:
        await made.pool()
        yield made


@pytest.mark.parametrize("form", [RAW, COW])
@pytest_twisted.ensureDeferred
async def test_merges_keep_what_the_guest_wrote(house, form):
    await house.chain(form, 4)
    await house.merge(2, 3)
    await house.holds(4, 4)
    await house.merge(1, 3)
    await house.holds(4, 4)
    status = await house.room.task("mergeSnapshots", uuid(2), POOL, BLANK, IMG, uuid(4, 1), uuid(4, 3))
    assert (status["code"], status["taskResult"]) == (252, "cleanSuccess") and "merged already" in status["message"]
    await house.merge(3, 4)
    await house.holds(4, 4)
    assert (await house.room.ask("getVolumesList", uuid(2), POOL, IMG))["uuidlist"] == [uuid(4, 4)]
    assert (await house.room.info(4))["format"] == ("RAW" if form == RAW else "COW")
    await house.must_be_tidy()


@pytest.mark.parametrize("form", [RAW, COW])
@pytest_twisted.ensureDeferred
async def test_images_move_to_files_and_back(house, form):
    await house.chain(form)
    for source, target in ((BLOCK, FILES), (FILES, BLOCK)):
        await house.room.done("moveImage", POOL, uuid(2, source), uuid(2, target), IMG, BLANK, 2)
        await house.holds(3, domain=target)
        await house.holds(2, 2, domain=target)
    assert (await house.room.info(1))["capacity"] == (str(EXTENT) if form == RAW else SIZE)
    await house.must_be_tidy()


@pytest.mark.parametrize("form", [RAW, COW])
@pytest.mark.parametrize("source, target", [(BLOCK, BLOCK), (BLOCK, FILES), (FILES, BLOCK)])
@pytest_twisted.ensureDeferred
async def test_a_copy_holds_the_whole_chain(house, form, source, target):
    await house.chain(COW)
    if source == FILES:
        await house.room.done("moveImage", POOL, uuid(2, BLOCK), uuid(2, FILES), IMG, BLANK, 2)
    ids = [uuid(2, source), POOL, BLANK, IMG, uuid(4, 3), uuid(3, 9), uuid(4, 9)]
    await house.room.done("copyImage", *ids, "", uuid(2, target), 6, form, 1 if form == RAW else 2)
    await house.holds(9, image=9, domain=target)
    info = await house.room.info(9, image=9, domain=target)
    assert (info["voltype"], info["legality"]) == ("SHARED", "LEGAL")
    await house.must_be_tidy()


@pytest_twisted.ensureDeferred
async def test_a_chain_is_reconciled_by_its_headers(house):
    await house.chain(RAW)
    images = (await house.domains.find(uuid(2))).images
    metadata = (await images.survey(IMG)).volume(uuid(4, 3)).metadata
    await images.write(IMG, uuid(4, 3), evolve(metadata, parent=uuid(4, 1)))
    real = (await house.room.ask("reconcileVolumeChain", POOL, uuid(2), IMG, uuid(4, 3)))["volumes"]
    assert real == [uuid(4, number) for number in (1, 2, 3)]
    assert (await house.room.info(3))["parent"] == uuid(4, 2)
    await house.must_be_tidy()


@pytest.mark.parametrize("merged", [False, True], ids=["deleted", "merged"])
@pytest_twisted.ensureDeferred
async def test_what_is_deleted_is_wiped_by_its_task(house, merged):
    await house.room.volume(1, size=str(EXTENT), form=RAW, allocation=1)
    await house.io(1, "write -P 90 0 1M")
    volume = (await house.lvm.volumes(uuid(2), fresh=True))[uuid(4)]
    start = 135266304 + volume.first_extent * EXTENT

    def there():
        run(["blockdev", "--flushbufs", house.devices[0]])
        with open(house.devices[0], "rb", buffering=0) as disk:
            disk.seek(start)
            return disk.read(MIB)

    assert there() == b"Z" * MIB
    if merged:
        await house.room.volume(2, size=str(EXTENT), form=COW, parent=(1, 1))
        await house.room.done("mergeSnapshots", uuid(2), POOL, BLANK, IMG, uuid(4), uuid(4, 2), True)
        await house.io(2, "read -P 90 0 1M")
    else:
        await house.room.done("deleteImage", uuid(2), POOL, IMG, True)
    assert there() == bytes(MIB)
    assert set(await house.entries()) == ({uuid(4, 2)} if merged else set())


@pytest_twisted.ensureDeferred
async def test_preparing_mends_a_capacity_that_an_interrupted_resize_left(house):
    await house.chain(COW, 2)
    await house.room.ask("volumeSetSize", uuid(2), POOL, IMG, uuid(4, 2), "0")
    await house.holds(2, 2)
    assert (await house.room.info(2))["capacity"] == SIZE
    await house.must_be_tidy()


@pytest_twisted.ensureDeferred
async def test_sparse_raw_volumes_are_refused_at_once(house):
    wanted = (SIZE, RAW, 2, "DATA", uuid(4), "", BLANK, BLANK)
    assert await house.room.code("createVolume", uuid(2), POOL, IMG, *wanted) == 202
