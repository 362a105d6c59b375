"""A check of real domains: sound ones have no findings, each damage has its own, and nothing is changed by looking."""

import hashlib
import os

import pytest_twisted
from contract.storage.room import POOL, uuid

DOMAIN, IMAGE = uuid(2), uuid(3)


async def checked(room):
    return (await room.ask("checkStorageDomain", DOMAIN))["check"]


def said(report):
    return {(one["place"], one["severity"]): one["what"] for one in report["findings"]}


def folder(room):
    return room.base / "dom1" / DOMAIN


def content(room):
    paths = sorted(path for path in folder(room).rglob("*") if path.is_file())
    return {str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) for path in paths}


@pytest_twisted.ensureDeferred
async def test_a_sound_domain_has_no_findings_and_stays_as_it_is(room):
    await room.pool()
    await room.volume(1, form=4)
    await room.done("createVolume", DOMAIN, POOL, IMAGE, "1", 4, 2, 2, uuid(4, 2), "", IMAGE, uuid(4))
    before = content(room)
    report = await checked(room)
    assert report == {"sound": True, "findings": [], "images": 1, "volumes": 2}
    assert content(room) == before


@pytest_twisted.ensureDeferred
async def test_every_damage_is_found_where_it_is(room):
    await room.pool()
    await room.volume(1, form=4)
    await room.done("createVolume", DOMAIN, POOL, IMAGE, "1", 4, 2, 2, uuid(4, 2), "", IMAGE, uuid(4))
    image = folder(room) / "images" / IMAGE
    (image / uuid(4, 9)).touch()
    (image / uuid(4, 2)).write_bytes(b"\0" * 512)
    os.truncate(folder(room) / "dom_md" / "inbox", 0)
    (folder(room) / "images" / f"_remove_me_{uuid(3, 7)}").mkdir()
    report = await checked(room)
    assert not report["sound"]
    assert said(report) == {
        ("dom_md/inbox", "error"): "it has 0 bytes and needs 16777216",
        (f"images/_remove_me_{uuid(3, 7)}", "note"): "a deletion did not end",
        (f"images/{IMAGE}/{uuid(4, 9)}", "warning"): "it has no metadata: a creation did not end",
        (f"{IMAGE}/{uuid(4, 2)}", "error"): "its metadata say COW and its data are no qcow2",
    }


@pytest_twisted.ensureDeferred
async def test_broken_metadata_of_the_domain_are_a_finding_and_no_failure(room):
    await room.pool()
    metadata = folder(room) / "dom_md" / "metadata"
    metadata.write_text(metadata.read_text().replace("VERSION=", "VERSION=1"))
    report = await checked(room)
    ((place, severity),) = said(report)
    assert (place, severity, report["sound"]) == ("dom_md/metadata", "error", False)
    assert await room.code("checkStorageDomain", uuid(2, 5)) == 358
