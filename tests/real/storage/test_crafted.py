"""Volumes that somebody crafted: data that lead out of their image are never opened, links are never followed."""

import os
import subprocess

import pytest
import pytest_twisted
from contract.storage.room import BLANK, POOL, uuid

DOMAIN, IMAGE, BASE, TOP, COPY = uuid(2), uuid(3), uuid(4), uuid(4, 2), uuid(4, 3)


async def chain(room):
    """A raw base and a qcow2 volume over it; the folder of their image."""
    await room.pool()
    await room.volume(1)
    await room.task("createVolume", DOMAIN, POOL, IMAGE, "1048576", 4, 2, 2, TOP, "d", IMAGE, BASE)
    return room.base / "dom1" / DOMAIN / "images" / IMAGE


def rewrite(path, *options):
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options, str(path), "1M"], check=True)


CRAFTED = [
    (["-u", "-b", "/etc/shadow", "-F", "raw"], "which is no volume of its image"),
    (["-u", "-b", "../../../etc/shadow", "-F", "raw"], "which is no volume of its image"),
    (["-u", "-b", "nbd://198.51.100.1/x", "-F", "raw"], "which is no volume of its image"),
    (["-u", "-b", 'json:{"driver":"raw","file":{"driver":"file","filename":"/etc/shadow"}}', "-F", "raw"], "no volume"),
    (["-u", "-b", BASE, "-F", "qcow2"], f"takes its base {BASE} for qcow2, which is raw"),
]


@pytest.mark.parametrize(("options", "why"), CRAFTED)
@pytest_twisted.ensureDeferred
async def test_a_header_that_leads_out_of_its_image_is_not_opened(room, options, why):
    folder = await chain(room)
    rewrite(folder / TOP, *options)
    answer = await room.call("prepareImage", POOL, DOMAIN, IMAGE, TOP)
    assert answer["status"]["code"] == 262
    assert why in answer["status"]["message"]
    copied = await room.task("copyImage", DOMAIN, POOL, BLANK, IMAGE, TOP, uuid(3, 2), COPY, "", DOMAIN, 8, 5, 2)
    assert (copied["taskResult"], copied["code"]) == ("cleanSuccess", 262)
    assert os.listdir(folder.parent) == [IMAGE]


@pytest_twisted.ensureDeferred
async def test_a_base_whose_format_the_header_leaves_open_is_not_guessed(room):
    folder = await chain(room)
    start = bytearray((folder / TOP).read_bytes())
    place = start.index((0xE2792ACA).to_bytes(4, "big"))
    start[place : place + 4] = (0x12345678).to_bytes(4, "big")  # an extension nobody knows is passed over
    (folder / TOP).write_bytes(start)
    answer = await room.call("prepareImage", POOL, DOMAIN, IMAGE, TOP)
    assert answer["status"]["code"] == 262
    assert "takes its base" in answer["status"]["message"]


@pytest_twisted.ensureDeferred
async def test_data_in_another_file_are_not_opened(room, tmp_path):
    folder = await chain(room)
    rewrite(folder / TOP, "-o", f"data_file={tmp_path}/elsewhere,data_file_raw=on")
    answer = await room.call("prepareImage", POOL, DOMAIN, IMAGE, TOP)
    assert answer["status"]["code"] == 262
    assert "keeps its data in another file" in answer["status"]["message"]


@pytest_twisted.ensureDeferred
async def test_a_raw_volume_that_is_a_link_is_not_opened(room, tmp_path):
    folder = await chain(room)
    (tmp_path / "secret").write_bytes(bytes(1 << 20))
    (folder / BASE).unlink()
    (folder / BASE).symlink_to(tmp_path / "secret")
    for volume in (BASE, TOP):
        answer = await room.call("prepareImage", POOL, DOMAIN, IMAGE, volume)
        assert (answer["status"]["code"], "no file of their own" in answer["status"]["message"]) == (262, True)
    copied = await room.task("copyImage", DOMAIN, POOL, BLANK, IMAGE, BASE, uuid(3, 2), COPY, "", DOMAIN, 8, 5, 2)
    assert copied["code"] == 262


@pytest_twisted.ensureDeferred
async def test_the_chain_as_it_was_made_is_opened(room):
    await chain(room)
    assert await room.code("prepareImage", POOL, DOMAIN, IMAGE, TOP) == 0


@pytest_twisted.ensureDeferred
async def test_a_link_in_the_place_of_new_metadata_is_replaced_and_not_followed(room, tmp_path):
    folder = await chain(room)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (folder / f"{TOP}.meta.new").symlink_to(victim)
    assert await room.code("setVolumeDescription", DOMAIN, POOL, IMAGE, TOP, "new words") == 0
    assert victim.read_text() == "precious"
    assert "new words" in (folder / f"{TOP}.meta").read_text()


@pytest_twisted.ensureDeferred
async def test_the_mode_of_what_a_link_leads_to_stays(room, tmp_path):
    folder = await chain(room)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    victim.chmod(0o600)
    (folder / "link").symlink_to(victim)
    assert await room.code("prepareImage", POOL, DOMAIN, IMAGE, TOP) == 0
    assert victim.stat().st_mode & 0o777 == 0o600
