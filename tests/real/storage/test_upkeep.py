"""Volumes brought to a newer format, and made smaller, while nobody uses them."""

import json
import subprocess

import pytest
import pytest_twisted
from contract.storage.room import BLANK, POOL, uuid

JOB, DOMAIN, MIB = uuid(9), uuid(2), 1 << 20


def volume(number, image=1, **others):
    return {"sd_id": DOMAIN, "img_id": uuid(3, image), "vol_id": uuid(4, number), **others}


def path(room, number, image=1):
    return room.base / "dom1" / DOMAIN / "images" / uuid(3, image) / uuid(4, number)


def level(file):
    told = subprocess.run(["qemu-img", "info", "--output=json", file], capture_output=True, check=True).stdout
    return json.loads(told)["format-specific"]["data"]["compat"]


def program(tmp_path, monkeypatch, script):
    tool = tmp_path / "virt-sparsify"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setattr("virgate.node.storage.images.sparsifying.PROGRAM", str(tool))


async def job(room, verb, *arguments, id=JOB):
    told = await room.job(verb, id, *arguments)
    room.storage.job_registry._jobs.pop(id)
    return told["status"], told.get("error", {}).get("code"), told.get("error", {}).get("message", "")


async def two(room, version="4"):
    await room.pool(version=version)
    await room.volume(1)
    data = path(room, 1)
    data.write_bytes(b"\1" * MIB + bytes(3 * MIB) + b"\2" * MIB + bytes(5 * MIB))
    await room.volume(2, form=4, parent=(1, 1))


async def state(room, number=2, image=1):
    info = await room.info(number, image=image)
    return info["legality"], info["generation"]


@pytest_twisted.ensureDeferred
async def test_an_old_header_becomes_a_new_one(room):
    await two(room)
    subprocess.run(["qemu-img", "amend", "-f", "qcow2", "-o", "compat=0.10", path(room, 2)], check=True)
    await room.ask("spmStop", POOL)
    assert await job(room, "sdmAmendVolume", volume(2, generation=0), {"compat": "1.1"}) == ("done", None, "")
    assert (level(path(room, 2)), await state(room)) == ("1.1", ("LEGAL", 1))
    assert await job(room, "sdmAmendVolume", volume(2), {"compat": "1.1"}) == ("done", None, "")
    assert (await job(room, "sdmAmendVolume", volume(2, generation=0), {"compat": "1.1"}))[:2] == ("failed", 911)
    assert (await job(room, "sdmAmendVolume", volume(1), {"compat": "1.1"}))[:2] == ("failed", 202)
    for wrong in ({}, {"compat": "0.10"}, {"compat": "1.1", "data_file": "/etc/passwd"}):
        assert await room.code("sdmAmendVolume", JOB, volume(2), wrong) == 1000


@pytest_twisted.ensureDeferred
async def test_old_domains_keep_old_headers_and_what_is_broken_is_left_alone(room):
    await two(room, version="3")
    assert (await job(room, "sdmAmendVolume", volume(2), {"compat": "1.1"}))[:2] == ("failed", 2009)
    assert level(path(room, 2)) == "0.10"


@pytest_twisted.ensureDeferred
async def test_a_template_is_not_amended(room):
    await room.pool(version="4")
    await room.volume(1, form=4)
    await room.volume(2, image=2, form=4, parent=(1, 1))
    assert (await job(room, "sdmAmendVolume", volume(1), {"compat": "1.1"}))[:2] == ("failed", 219)


@pytest_twisted.ensureDeferred
async def test_a_volume_that_cannot_be_amended_stays_as_it_is(room):
    await two(room)
    with path(room, 2).open("r+b") as file:
        file.seek(36)  # a table of the wrong size
        file.write((1 << 30).to_bytes(4, "big"))
    assert (await job(room, "sdmAmendVolume", volume(2), {"compat": "1.1"}))[:2] == ("failed", 235)
    assert await state(room) == ("LEGAL", 0)


@pytest_twisted.ensureDeferred
async def test_without_the_tool_zeros_of_raw_files_are_given_back(room, monkeypatch):
    monkeypatch.setattr("virgate.node.storage.images.sparsifying.PROGRAM", "no-virt-sparsify")
    await two(room)
    await room.volume(3, image=3)
    data = path(room, 3, 3)
    data.write_bytes(path(room, 1).read_bytes())
    before = data.read_bytes()
    assert await job(room, "sdmSparsifyVolume", volume(3, 3)) == ("done", None, "")
    assert (data.read_bytes() == before, data.stat().st_blocks * 512 <= 3 * MIB) == (True, True)
    assert await state(room, 3, 3) == ("LEGAL", 1)
    status, code, said = await job(room, "sdmSparsifyVolume", volume(2))
    assert (status, code, "libguestfs-tools" in said, await state(room)) == ("failed", 234, True, ("LEGAL", 0))


@pytest_twisted.ensureDeferred
async def test_the_tool_works_in_place_on_a_volume_that_is_illegal_meanwhile(room, monkeypatch, tmp_path):
    await two(room)
    meta = f"{path(room, 2)}.meta"
    program(tmp_path, monkeypatch, f'echo "$@" > {tmp_path}/said; grep LEGALITY {meta} > {tmp_path}/seen')
    assert await job(room, "sdmSparsifyVolume", volume(2, generation=0)) == ("done", None, "")
    said = (tmp_path / "said").read_text().split()
    assert said[:4] == ["--machine-readable", "--in-place", "--format", "qcow2"]
    assert path(room, 2).samefile(said[4])
    assert (tmp_path / "seen").read_text() == "LEGALITY=ILLEGAL\n"
    assert await state(room) == ("LEGAL", 1)


@pytest.mark.parametrize(
    ("script", "legality"), [("echo no kernel >&2; exit 1", "LEGAL"), ("kill -9 $$", "ILLEGAL")], ids=["fails", "dies"]
)
@pytest_twisted.ensureDeferred
async def test_a_tool_that_says_no_changed_nothing_and_one_that_died_may_have(
    room, monkeypatch, tmp_path, script, legality
):
    await two(room)
    program(tmp_path, monkeypatch, script)
    assert (await job(room, "sdmSparsifyVolume", volume(2)))[:2] == ("failed", 234)
    assert await state(room) == (legality, 0)


@pytest_twisted.ensureDeferred
async def test_what_others_are_based_on_and_what_has_all_its_room_is_not_made_sparse(room):
    await two(room)
    await room.volume(5, image=5, allocation=1)
    assert (await job(room, "sdmSparsifyVolume", volume(1)))[:2] == ("failed", 213)
    assert (await job(room, "sdmSparsifyVolume", volume(5, 5)))[:2] == ("failed", 233)


@pytest_twisted.ensureDeferred
async def test_reducing_is_a_task_that_leaves_files_and_what_is_in_use_alone(room):
    await two(room)
    where = (POOL, DOMAIN, uuid(3), uuid(4, 2))
    await room.done("reduceVolume", *where)
    await room.ask("prepareImage", BLANK, DOMAIN, uuid(3), uuid(4, 2))
    assert (await room.task("reduceVolume", *where))["code"] == 922
    await room.done("reduceVolume", *where, True)
    assert (await room.task("reduceVolume", *where[:3], uuid(4, 7)))["code"] == 201
    await room.ask("spmStop", POOL)
    assert await room.code("reduceVolume", *where) == 654
