"""A check of a domain that is a real volume group, and a check in the middle of other work."""

import pytest_twisted
from contract.storage.block_house import SD
from contract.storage.room import uuid
from real.storage.test_block_domains import house
from twisted.internet.defer import Deferred

from virgate.node.tasks.locks import image, storage

__all__ = ["house"]


async def checked(room, domain=SD):
    return (await room.ask("checkStorageDomain", domain))["check"]


@pytest_twisted.ensureDeferred
async def test_a_sound_group_has_no_findings_and_each_damage_has_its_own(house):
    await house.domain(0)
    assert await checked(house.room) == {"sound": True, "findings": [], "images": 0, "volumes": 0}
    before = await house.lvm.volumes(SD, fresh=True)
    await house.lvm.create(SD, uuid(4, 1), 128, tags=["OVIRT_VOL_INITIALIZING"])
    await house.lvm.create(SD, uuid(4, 2), 128)
    await house.lvm.create(SD, uuid(4, 3), 128, tags=["MD_1", f"PU_{uuid(4, 9)}", f"IU__remove_me_{uuid(3)}"])
    report = await checked(house.room)
    assert {(one["place"], one["severity"]): one["what"] for one in report["findings"]} == {
        (uuid(4, 1), "warning"): "its making did not end",
        (uuid(4, 2), "warning"): "it has no tags: it belongs to no image",
        (f"{uuid(3)}/{uuid(4, 3)}", "note"): "a deletion did not end",
    }
    assert not report["sound"]
    after = await house.lvm.volumes(SD, fresh=True)
    assert {name: after[name].active for name in before} == {name: one.active for name, one in before.items()}


@pytest_twisted.ensureDeferred
async def test_a_volume_without_metadata_is_an_error(house):
    await house.domain(0)
    tags = ["MD_1", f"PU_{uuid(4, 9)}", f"IU_{uuid(3)}"]
    await house.lvm.create(SD, uuid(4, 3), 128, tags=tags)
    report = await checked(house.room)
    assert (report["sound"], report["images"]) == (False, 1)
    assert report["findings"][0]["place"] == f"{uuid(3)}/{uuid(4, 3)}"
    assert report["findings"][0]["severity"] == "error"


@pytest_twisted.ensureDeferred
async def test_a_check_waits_for_what_is_done_at_once_and_for_no_task(room):
    await room.pool()
    locks = room.storage.locks
    async with locks.hold(storage(uuid(2)), image(uuid(2), uuid(3), exclusive=True)):  # as tasks do
        assert (await checked(room, uuid(2)))["sound"]
    async with locks.hold(storage(uuid(2), exclusive=True)):
        asked = Deferred.fromCoroutine(checked(room, uuid(2)))
        await room.ask("getConnectedStoragePoolsList")
        assert not asked.called
    assert (await asked)["sound"]
