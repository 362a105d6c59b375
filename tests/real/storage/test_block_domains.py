"""Block domains on one host: real LVM, real bytes, loop devices in the place of disks and of logical volumes."""

import pytest
import pytest_twisted
from contract.storage.block_house import EXTENT, KIND, SD, House, a_volume
from contract.storage.disks import GIB
from contract.storage.room import BLANK, POOL, uuid
from lab.process import run

from virgate.node.storage.block import master
from virgate.node.storage.block.domain import CHECK_INTERVAL
from virgate.node.storage.domains.upgrade import upgrade
from virgate.node.storage.errors import DomainAccess, UnsupportedVersion
from virgate.node.storage.formats import domain_metadata, physical_volumes, xleases
from virgate.node.storage.formats.volume_metadata import (
    decode,
    encode_slot,
)


@pytest_twisted.async_yield_fixture
async def house(tmp_path, monkeypatch):
    async with House.opened(tmp_path, monkeypatch, 12 * GIB, 2 * GIB) as made:
        yield made


@pytest_twisted.ensureDeferred
async def test_a_domain_is_made_of_a_group(house):
    group = await house.group(0)
    house.lvm.path(SD, "metadata").parent.mkdir(parents=True)
    await house.room.ask("createStorageDomain", KIND, SD, "a block domain", group, 1, "5")
    values = domain_metadata.decode_tags(await house.tags())
    assert values["VGUUID"] == group
    assert values["TYPE"] == "LOOPDISKS"
    assert "REMOTE_PATH" not in values
    assert [pv.guid for pv in physical_volumes.decode(values).values()] == house.guids(0)
    assert not any(house.read("metadata", 0, 17 << 20))
    index = xleases.Index.decode(house.read("xleases", 1 << 20, 62 * 4096))
    assert (index.lockspace, index.leases()) == (SD, [])
    volumes = await house.lvm.volumes(SD)
    assert {name for name, volume in volumes.items() if volume.active} == set(volumes) - {"master"}
    found = (await house.room.ask("getStorageDomainInfo", SD))["info"]
    assert (found["name"], found["vguuid"], found["state"]) == ("a block domain", group, "OK")
    assert (found["metadataDevice"], found["vgMetadataDevice"]) == (house.guids(0)[0], house.guids(0)[0])
    links = {link.name for link in (house.base / "data-center/mnt/blockSD" / SD / "dom_md").iterdir()}
    assert links == set(volumes) - {"master"}


@pytest_twisted.ensureDeferred
async def test_an_old_domain_says_what_old_hosts_ask(house):
    await house.domain(0, version="3")
    values = domain_metadata.decode_tags(await house.tags())
    assert (values["LOGBLKSIZE"], values["PHYBLKSIZE"]) == ("512", "512")
    assert "ALIGNMENT" not in values
    assert "xleases" not in await house.lvm.volumes(SD)


@pytest.mark.parametrize("program", ["lvcreate", "mkfs", "vgchange"])
@pytest_twisted.ensureDeferred
async def test_a_domain_that_cannot_be_made_leaves_its_group_waiting(house, monkeypatch, program):
    group = await house.group(0)
    house.lvm.fails = lambda argv: argv[1] == program and (program != "lvcreate" or "ids" in argv)
    if program == "mkfs":
        folder = house.base / "bin"
        folder.mkdir()
        (folder / "mkfs").write_text("#!/bin/sh\necho no luck >&2\nexit 1\n")
        (folder / "mkfs").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/sbin:/usr/bin:/sbin:/bin")
    code = {"lvcreate": 550, "mkfs": 608, "vgchange": 516}[program]
    assert await house.room.code("createStorageDomain", KIND, SD, "x", group, 1, "5") == code
    assert await house.tags() == {"RHAT_storage_domain_UNREADY"}
    assert await house.lvm.volumes(SD, fresh=True) == {}
    assert (await house.room.ask("getStorageDomainsList"))["domlist"] == []


@pytest_twisted.ensureDeferred
async def test_groups_that_do_not_wait_are_refused(house):
    create = ("createStorageDomain", KIND, SD)
    group = await house.group(0)
    assert await house.room.code("createStorageDomain", KIND, uuid(2, 2), "x", group, 1, "5") == 1000
    assert await house.room.code(*create, "x", "no-such-uuid", 1, "5") == 506
    assert await house.room.code(*create, "x" * 51, group, 1, "5") == 387
    assert await house.room.code(*create, "x", group, 1, "2") == 394
    assert await house.room.code(*create, "x", group, 1, "5", {}, 4096) == 1000
    await house.lvm.create(SD, "somebodys", 128)
    assert await house.room.code(*create, "x", group, 1, "5") == 361
    await house.lvm.remove(SD, "somebodys")
    await house.lvm.change_group_tags(SD, [], ["mine"])
    assert await house.room.code(*create, "x", group, 1, "5") == 515


@pytest_twisted.ensureDeferred
async def test_a_group_wants_enough_room(house):
    assert await house.room.code("createVG", SD, house.guids(1)) == 504
    assert await house.room.code("createVG", SD, []) == 1000
    assert await house.room.code("createVG", SD, ["sdx"]) == 606


@pytest_twisted.ensureDeferred
async def test_groups_are_told_and_removed(house):
    group = await house.group(0, 1)
    (told,) = (await house.room.ask("getVGList"))["vglist"]
    assert (told["name"], told["vgUUID"], told["attr"]["permission"], told["state"]) == (SD, group, "w", "OK")
    found = (await house.room.ask("getVGInfo", group))["info"]
    assert [disk["GUID"] for disk in found["pvlist"]] == house.guids(0, 1)
    await house.room.ask("removeVG", group)
    assert await house.room.code("getVGInfo", group) == 506
    await house.room.ask("removeVG", group)


@pytest_twisted.ensureDeferred
async def test_a_domain_is_found_after_a_restart_and_what_was_left_active_is_ended(house):
    await house.domain(0)
    for name in ("left", "prepared"):
        await house.lvm.create(SD, name, 128, tags=["IU_x"])
    shown = house.base / "run/storage" / SD / "an image"
    shown.mkdir(parents=True)
    (shown / "prepared").symlink_to(house.lvm.path(SD, "prepared"))
    await house.room.die()
    before = house.lvm.active
    await house.open()
    house.lvm.active.update(before)
    assert (await house.room.ask("getStorageDomainsList"))["domlist"] == [SD]
    volumes = await house.lvm.volumes(SD)
    assert (volumes["left"].active, volumes["prepared"].active, volumes["ids"].active) == (False, True, True)


@pytest_twisted.ensureDeferred
async def test_a_domain_that_no_pool_uses_is_closed_before_its_disks_go(house):
    await house.domain(0)
    await house.domains.find(SD)
    await house.room.ask("connectStorageServer", KIND, BLANK, [{"id": "c"}])
    await house.room.ask("disconnectStorageServer", KIND, BLANK, [{"id": "c"}])
    assert house.lvm.active == {}
    assert (await house.room.ask("getStorageDomainInfo", SD))["info"]["state"] == "OK"
    assert f"{SD}/ids" in house.lvm.active


@pytest_twisted.ensureDeferred
async def test_only_the_spm_of_its_pool_trusts_what_it_remembers_of_a_domain(house):
    await house.pool()
    term = house.domains.term(SD)
    assert term is not None
    assert house.domains.term(uuid(2, 2)) is None
    await house.room.ask("getImagesList", SD)
    house.lvm.ran.clear()
    await house.room.ask("getImagesList", SD)
    assert "lvs" not in house.lvm.ran
    await house.room.ask("spmStop", POOL)
    assert house.domains.term(SD) is None
    await house.room.ask("getImagesList", SD)
    assert "lvs" in house.lvm.ran


@pytest_twisted.ensureDeferred
async def test_a_broken_domain_is_told_and_can_be_destroyed(house):
    await house.domain(0)
    found = await house.domains.find(SD)
    await house.lvm.change_group_tags(SD, ["MDT_ROLE=Regular"], ["MDT_ROLE=Master"])
    house.domains.forget()
    assert await house.room.code("getStorageDomainInfo", SD) == 752
    assert await house.room.code("createStorageDomain", KIND, SD, "x", found.record.values["VGUUID"], 1, "5") == 365
    await house.room.ask("formatStorageDomain", SD)
    assert await house.room.code("getStorageDomainInfo", SD) == 358
    assert (await house.room.ask("getVGList"))["vglist"] == []


@pytest_twisted.ensureDeferred
async def test_a_group_with_damaged_metadata_is_not_valid(house):
    await house.domain(0)
    assert await house.room.code("validateStorageDomain", SD) == 0
    house.lvm.fails = lambda argv: argv[1] == "vgck"
    assert await house.room.code("validateStorageDomain", SD) == 379


@pytest_twisted.ensureDeferred
async def test_changes_touch_the_tags_that_differ(house):
    await house.domain(0)
    before = await house.tags()
    found = await house.domains.find(SD)
    await found.change({"DESCRIPTION": "größer, & mehr", "UNKNOWN": "kept"})
    after = await house.tags()
    assert before - after == {"MDT_DESCRIPTION=a&32&block&32&domain", *(tag for tag in before if "_SHA_CKSUM" in tag)}
    assert "MDT_UNKNOWN=kept" in after
    assert (await found.refresh()).name == "größer, & mehr"


@pytest_twisted.ensureDeferred
async def test_fifty_looks_cost_one_report_and_a_missing_device_is_noticed(house):
    await house.domain(0)
    found = await house.domains.find(SD)
    await house.lvm.groups(fresh=True)
    house.lvm.ran.clear()
    for _ in range(50):
        health = await found.look()
    assert house.lvm.ran == []
    assert health.total - health.free == 36 * EXTENT
    assert (health.metadata_size, health.metadata_valid, health.metadata_roomy) == (EXTENT, True, True)
    found._checked -= CHECK_INTERVAL
    await found.look()
    assert house.lvm.ran == ["vgck"]


@pytest_twisted.ensureDeferred
async def test_a_domain_with_a_missing_device_says_so(house):
    await house.domain(0, 1)
    found = await house.domains.find(SD)
    house.devices.pop()
    house.lvm.invalidate()
    with pytest.raises(DomainAccess, match="missing"):
        await found.look()
    assert found.details()["state"] == "PARTIAL"


@pytest_twisted.ensureDeferred
async def test_a_pool_lives_on_the_master_of_a_block_domain(house):
    await house.pool()
    place = house.base / "data-center/mnt/blockSD" / SD / "master"
    assert house.domains.repository.mounted(place).type == "ext3"
    assert {"vms", "tasks"} <= {folder.name for folder in place.iterdir()}
    await house.room.ask("spmStop", POOL)
    assert house.domains.repository.mounted(place) is None
    assert not (await house.lvm.volumes(SD))["master"].active
    await house.room.start_spm()
    assert {"vms", "tasks"} <= {folder.name for folder in place.iterdir()}
    await house.room.ask("spmStop", POOL)


@pytest_twisted.ensureDeferred
async def test_a_damaged_master_is_not_mounted(house, monkeypatch):
    await house.pool()
    await house.room.ask("spmStop", POOL)
    await house.lvm.activate(SD, "master")
    with house.lvm.path(SD, "master").open("r+b") as device:
        device.write(b"\xff" * (4 << 20))
    monkeypatch.setattr(master, "CHECK_PATIENCE", 30.0)
    status = await house.room.task("spmStart", POOL, -1, "-1", 0, "false", 250)
    assert status["code"] == 367
    assert house.domains.repository.mounted(house.base / "data-center/mnt/blockSD" / SD / "master") is None


@pytest_twisted.ensureDeferred
async def test_a_domain_grows_by_a_device_and_with_it(house, tmp_path):
    await house.pool()
    await house.room.ask("extendStorageDomain", SD, POOL, house.guids(1))
    values = physical_volumes.decode(domain_metadata.decode_tags(await house.tags()))
    assert [(pv.guid, pv.extents, pv.first) for pv in values.values()] == [
        (house.guids(0)[0], 93, 0),
        (house.guids(1)[0], 13, 93),
    ]
    with (tmp_path / "disk1").open("r+b") as file:
        file.truncate(3 * GIB)
    run(["losetup", "--set-capacity", house.devices[1]])
    assert (await house.room.ask("resizePV", SD, POOL, house.guids(1)[0]))["size"] == str(21 * EXTENT)
    values = physical_volumes.decode(domain_metadata.decode_tags(await house.tags()))
    assert values[1].extents == 21
    assert await house.room.code("extendStorageDomain", SD, POOL, house.guids(1)) == 601
    assert await house.room.code("resizePV", SD, POOL, "sdx") == 606
    await house.room.ask("spmStop", POOL)
    assert await house.room.code("extendStorageDomain", SD, POOL, house.guids(1)) == 654


@pytest_twisted.ensureDeferred
async def test_a_device_without_data_leaves_and_the_one_with_the_metadata_stays(house):
    await house.domain(0, 1)
    status = await house.room.task("reduceStorageDomain", SD, house.guids(0)[0])
    assert (status["code"], "carries the metadata" in status["message"]) == (519, True)
    await house.room.done("reduceStorageDomain", SD, house.guids(1)[0])
    assert list(physical_volumes.decode(domain_metadata.decode_tags(await house.tags()))) == [0]
    assert await house.lvm.usable(house.devices[1])


@pytest_twisted.ensureDeferred
async def test_devices_of_an_active_domain_stay(house):
    await house.pool()
    assert await house.room.code("reduceStorageDomain", SD, house.guids(0)[0]) == 382
    assert await house.room.code("moveStorageDomainDevice", SD, house.guids(0)[0]) == 382


@pytest_twisted.ensureDeferred
async def test_an_upgrade_moves_every_slot_to_its_new_place(house):
    """Vector C-12 of spec storage-format: a volume that can be read, and garbage that is kept."""
    await house.domain(0, version="4")
    found = await house.domains.find(SD)
    await house.lvm.create(SD, uuid(4, 1), 128, tags=["MD_4", f"IU_{uuid(3)}", f"PU_{BLANK}"])
    await house.lvm.create(SD, uuid(4, 2), 128, tags=["MD_6", f"IU_{uuid(3)}", f"PU_{BLANK}"])
    old = encode_slot(a_volume(), 4)
    await found.files.call("write_blocks", str(house.lvm.path(SD, "metadata")), 2048, old)
    await found.files.call("write_blocks", str(house.lvm.path(SD, "metadata")), 3072, b"garbage ".ljust(512, b"x"))
    await upgrade(found, 5)
    assert found.version == 5
    assert decode(house.read("metadata", 1081344, 512)) == decode(old)
    assert house.read("metadata", 1081344, 4) == b"CAP="
    assert house.read("metadata", 1097728, 512) == b"garbage ".ljust(512, b"x")
    assert not any(house.read("metadata", 0, 1 << 20))
    values = domain_metadata.decode_tags(await house.tags())
    assert (values["VERSION"], values["ALIGNMENT"]) == ("5", "1048576")
    assert not {"LOGBLKSIZE", "PHYBLKSIZE"} & set(values)


@pytest_twisted.ensureDeferred
async def test_an_upgrade_from_before_leases_names_what_to_do(house):
    await house.domain(0, version="3")
    found = await house.domains.find(SD)
    await found.change({"VERSION": 2})
    with pytest.raises(UnsupportedVersion, match="older host"):
        await found.prepare_version(3)
