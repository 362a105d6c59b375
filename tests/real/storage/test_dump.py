"""All volumes of a domain at once: what each of them tells alone."""

import pytest_twisted
from contract.storage.room import BLANK, POOL, uuid

DOMAIN, IMAGE = uuid(2), uuid(3)


@pytest_twisted.ensureDeferred
async def test_a_dump_tells_of_each_volume_what_its_own_verb_tells(room):
    await room.pool()
    await room.volume(1, form=4)
    await room.done("createVolume", DOMAIN, POOL, IMAGE, "1", 4, 2, 2, uuid(4, 2), "", IMAGE, uuid(4))
    await room.done("createVolume", DOMAIN, POOL, uuid(3, 2), "4096", 5, 2, 2, uuid(4, 3), "", BLANK, BLANK)
    alone = [await room.info(1), await room.info(2), await room.info(3, image=2)]
    assert sorted((await room.ask("dumpStorageDomain", DOMAIN))["volumes"], key=lambda one: one["uuid"]) == alone


@pytest_twisted.ensureDeferred
async def test_a_template_is_told_once_and_damage_is_told(room):
    await room.pool()
    await room.volume(1, form=4)
    await room.done("createVolume", DOMAIN, POOL, uuid(3, 2), "1", 4, 2, 2, uuid(4, 2), "", IMAGE, uuid(4))
    metadata = room.base / "dom1" / DOMAIN / "images" / uuid(3, 2) / f"{uuid(4, 2)}.meta"
    metadata.write_text("nothing")
    found = {
        (one["image"], one["uuid"]): one["status"] for one in (await room.ask("dumpStorageDomain", DOMAIN))["volumes"]
    }
    assert found == {(IMAGE, uuid(4)): "OK", (uuid(3, 2), uuid(4, 2)): "INVALID"}


@pytest_twisted.ensureDeferred
async def test_an_empty_domain_and_an_unknown_one_are_told_apart(room):
    await room.pool()
    assert (await room.ask("dumpStorageDomain", DOMAIN))["volumes"] == []
    assert await room.code("dumpStorageDomain", uuid(2, 7)) == 358
