"""Block domains of version 0 as old hosts left them: text in LV `metadata`, slots by the map of devices.

Real LVM on two disks; loop devices in the place of logical volumes.
"""

from pathlib import Path

import pytest
import pytest_twisted
from attrs import evolve
from contract.storage.block_house import SD, a_volume
from contract.storage.disks import GIB
from contract.storage.room import BLANK, POOL, uuid
from real.storage.test_block_images import COW, EXTENT, FILES, RAW, Images

from virgate.node.storage.block import tags
from virgate.node.storage.formats import domain_metadata, physical_volumes
from virgate.node.storage.formats.errors import MetadataOverflow
from virgate.node.storage.formats.volume_metadata import VolumeRole, decode, encode_slot

ONE = str(EXTENT)


class Old(Images):
    """The domain lies on two disks and is of version 0."""

    async def domain(self, *numbers, version="5"):
        if self.domains.known().get(SD):
            return SD
        await super().domain(0, 1, version="3")
        found = await self.domains.find(SD)
        values = {**found.record.values, "VERSION": "0", "DESCRIPTION": "old"}
        self.text = domain_metadata.encode_v0_block(values)
        await found.files.call("write_blocks", str(self.lvm.path(SD, "metadata")), 0, self.text)
        await self.lvm.change_group_tags(SD, [tag for tag in await self.tags() if tag.startswith("MDT_")], [])
        await self.room.ask("disconnectStorageServer", 101, BLANK, [{"id": "c"}])
        assert (await self.domains.find(SD)).version == 0
        return SD

    async def pool(self, *, version="0"):
        """With a domain of files of the same version."""
        await self.domain()
        await self.room.domain(FILES, version="0")
        await self.room.ask("createStoragePool", 0, POOL, "dc1", SD, [SD, uuid(2, FILES)], 1, "ON", 5, 60, 10, 3)
        await self.room.connect()
        await self.room.start_spm()
        await self.room.ask("activateStorageDomain", uuid(2, FILES), POOL)

    async def left(self, number, *, disk, image=1, parent=None, moved=None):
        """A volume as an old host leaves it; answers its slot, counted by hand. `moved`: its data came from there."""
        name = uuid(4, number)
        on = uuid(4, parent) if parent else BLANK
        marks = [f"IU_{uuid(3, image)}", f"PU_{on}", *([f"MD_{moved}"] if moved else [])]
        await self.lvm.create(SD, name, 128, tags=marks, device=self.devices[disk])
        volume = (await self.lvm.volumes(SD, fresh=True))[name]
        assert volume.device == self.devices[disk]
        sizes = [pv.pe_count for pv in sorted((await self.lvm.physical()).values(), key=lambda pv: -pv.mda_used_count)]
        slot = moved or sum(sizes[:disk]) + volume.first_extent
        metadata = evolve(a_volume(), image=uuid(3, image), parent=on, description=f"disk {number}")
        found = await self.domains.find(SD)
        await found.files.call("write_slot", str(self.lvm.path(SD, "metadata")), slot * 512, encode_slot(metadata, 2))
        return slot

    def slot(self, number):
        return decode(self.read("metadata", number * 512, 512))


@pytest_twisted.async_yield_fixture
async def house(tmp_path, monkeypatch):
    async with Old.opened(tmp_path, monkeypatch, 12 * GIB, 2 * GIB) as made:
        yield made


@pytest_twisted.ensureDeferred
async def test_what_old_hosts_left_is_read_wherever_it_lies(house):
    await house.domain()
    told = (await house.room.ask("getStorageDomainInfo", SD))["info"]
    assert (told["version"], told["name"], told["metadataDevice"]) == ("0", "old", house.guids(0)[0])
    near, far = await house.left(1, disk=0), await house.left(2, disk=1, image=2)
    assert (near, far) == (28, 93)
    await house.left(3, disk=1, image=2)
    house.domains.forget()
    assert set((await house.room.ask("getImagesList", SD))["imageslist"]) == {uuid(3, 1), uuid(3, 2)}
    volumes = (await house.room.ask("getVolumesList", SD, POOL, uuid(3, 2)))["uuidlist"]
    assert set(volumes) == {uuid(4, 2), uuid(4, 3)}
    info = await house.room.info(2, image=2)
    assert (info["description"], info["status"], info["capacity"]) == ("disk 2", "OK", str(GIB))
    assert (await house.room.info(3, image=2))["description"] == "disk 3"
    assert (await house.room.info(1))["description"] == "disk 1"
    await house.room.ask("checkStorageDomain", SD)


@pytest_twisted.ensureDeferred
async def test_a_machine_gets_the_data_of_an_old_volume(house):
    await house.pool()
    await house.left(1, disk=1)
    await house.lvm.activate(SD, uuid(4, 1))
    house.lvm.path(SD, uuid(4, 1)).write_bytes(b"what a guest wrote".ljust(4096, b"."))
    await house.lvm.deactivate(SD, uuid(4, 1))
    path = (await house.room.ask("prepareImage", POOL, SD, uuid(3), uuid(4, 1)))["path"]
    with Path(path).open("rb") as device:
        assert device.read(18) == b"what a guest wrote"
    await house.room.ask("teardownImage", POOL, SD, uuid(3), uuid(4, 1))
    assert not (await house.lvm.volumes(SD))[uuid(4, 1)].active


@pytest_twisted.ensureDeferred
async def test_a_tag_tells_better_than_the_place_where_metadata_are(house):
    """An old host moved the data of a volume to another disk, and its metadata stayed."""
    await house.domain()
    await house.left(2, disk=1, image=2, moved=40)
    assert (await house.room.info(2, image=2))["description"] == "disk 2"


@pytest_twisted.ensureDeferred
async def test_images_leave_an_old_domain_and_come_to_it(house):
    """Old hosts find what is made here by its place and by its tag; the text of the domain stays in front."""
    await house.pool()
    assert domain_metadata.decode_v0_block(house.read("metadata", 0, 4096))["POOL_UUID"] == POOL
    assert not [tag for tag in await house.tags() if tag.startswith("MDT_")]
    await house.chain(RAW, count=2)
    found = tags.entries(await house.lvm.volumes(SD, fresh=True))
    numbered = physical_volumes.decode(domain_metadata.decode_v0_block(house.read("metadata", 0, 4096)))
    for number, role in ((1, VolumeRole.INTERNAL), (2, VolumeRole.LEAF)):
        volume = (await house.lvm.volumes(SD))[uuid(4, number)]
        slot = numbered[house.devices.index(volume.device)].first + volume.first_extent
        assert found[uuid(4, number)].slot == slot
        assert house.slot(slot).role is role
    wanted = (uuid(2, FILES), 8, COW, 2)
    await house.room.done("copyImage", SD, POOL, BLANK, uuid(3), uuid(4, 2), uuid(3, 9), uuid(4, 9), "", *wanted)
    for number in (1, 2):
        await house.io(9, f"read -P {number} {number}M 1M", image=9, domain=FILES)
    await house.room.done("moveImage", POOL, SD, uuid(2, FILES), uuid(3), BLANK, 2)
    await house.room.done("moveImage", POOL, uuid(2, FILES), SD, uuid(3), BLANK, 1)
    for number in (1, 2):
        await house.io(2, f"read -P {number} {number}M 1M")
    await house.room.done("deleteImage", SD, POOL, uuid(3))
    assert tags.entries(await house.lvm.volumes(SD, fresh=True)) == {}
    assert (await house.room.ask("checkStorageDomain", SD))["check"]["findings"] == []


@pytest_twisted.ensureDeferred
async def test_a_newer_pool_takes_the_images_of_an_old_domain_and_not_the_domain(house):
    """It can be attached, as the next version can; made active it would need another kind of metadata."""
    await house.domain()
    files = await house.room.domain(FILES)
    await house.room.ask("createStoragePool", 0, POOL, "dc1", files, [files], 1, "ON", 5, 60, 10, 3)
    await house.room.ask("connectStoragePool", POOL, 1, POOL, files, 1)
    await house.room.start_spm()
    await house.left(1, disk=1)
    await house.room.ask("attachStorageDomain", SD, POOL)
    assert domain_metadata.decode_v0_block(house.read("metadata", 0, 4096))["POOL_UUID"] == POOL
    assert (await house.room.info(1))["description"] == "disk 1"
    assert await house.room.code("activateStorageDomain", SD, POOL) == 394
    wanted = (files, 8, RAW, 2)
    await house.room.done("copyImage", SD, POOL, BLANK, uuid(3), uuid(4, 1), uuid(3, 9), uuid(4, 9), "", *wanted)
    await house.room.ask("detachStorageDomain", SD, POOL, BLANK, 1)
    assert domain_metadata.decode_v0_block(house.read("metadata", 0, 4096))["POOL_UUID"] == ""


@pytest_twisted.ensureDeferred
async def test_what_would_move_the_places_of_metadata_is_refused_and_changes_nothing(house):
    await house.domain()
    text, groups = house.read("metadata", 0, 4096), await house.lvm.groups(fresh=True)
    guid = house.guids(1)[0]
    for verb in ("moveStorageDomainDevice", "reduceStorageDomain"):
        status = await house.room.task(verb, SD, guid)
        assert (status["code"], "copy its images" in status["message"]) == (394, True)
    assert (house.read("metadata", 0, 4096), await house.lvm.groups(fresh=True)) == (text, groups)
    await house.pool()
    text, groups = house.read("metadata", 0, 4096), await house.lvm.groups(fresh=True)
    assert await house.room.code("extendStorageDomain", SD, POOL, [guid]) == 394
    assert await house.room.code("resizePV", SD, POOL, guid) == 394
    assert await house.room.code("upgradeStoragePool", POOL, 3) == 394
    assert (house.read("metadata", 0, 4096), await house.lvm.groups(fresh=True)) == (text, groups)
    await house.room.ask("spmStop", POOL)
    assert (await house.room.task("spmStart", POOL, -1, "-1", 0, "false", 250, "5"))["code"] == 394
    assert (await house.room.ask("getStorageDomainInfo", SD))["info"]["version"] == "0"


@pytest_twisted.ensureDeferred
async def test_metadata_longer_than_their_room_are_refused_and_the_old_ones_stay(house):
    await house.domain()
    found, before = await house.domains.find(SD), house.read("metadata", 0, 4096)
    with pytest.raises(MetadataOverflow):
        await found.change({"DESCRIPTION": "x" * 2048})
    assert (house.read("metadata", 0, 4096), (await found.refresh()).name) == (before, "old")


@pytest_twisted.ensureDeferred
async def test_a_domain_that_an_old_host_brought_to_tags_is_followed(house):
    await house.domain()
    slot = await house.left(1, disk=1)
    found = await house.domains.find(SD)
    await house.lvm.change_tags(SD, uuid(4, 1), add=[f"MD_{slot}"])
    await house.lvm.change_group_tags(
        SD, [], sorted(domain_metadata.encode_tags({**found.record.values, "VERSION": 2}))
    )
    await found.files.call("zero_start", str(house.lvm.path(SD, "metadata")), 2048)
    await found.look()
    assert (found.version, found.images.version) == (2, 2)
    assert (await house.room.info(1))["description"] == "disk 1"
