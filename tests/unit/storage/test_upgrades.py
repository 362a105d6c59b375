"""Domains brought to newer versions, step by step, with volumes of every kind, and cut off at every step."""

import stat

import pytest
from contract.storage.light import begun, now, seen, write
from contract.storage.room import POOL, uuid

from virgate.node.storage.formats import volume_metadata
from virgate.node.storage.formats.volume_metadata import VolumeFormat
from virgate.node.storage.formats.xleases import Index
from virgate_plugins.storage.localfs import LocalFolder

SD, IMG = uuid(2), uuid(3)


def folder(light, image=1):
    return light.folder() / "images" / uuid(3, image)


def text(light, number, image=1):
    return (folder(light, image) / f"{uuid(4, number)}.meta").read_text()


def old(light, version="3"):
    """A pool of an old version: a template, a clone of it, a chain, and a volume that is damaged."""
    light.pool(version=version)
    light.volume(1, size="16384")
    light.volume(2, image=2, form=4, parent=(1, 1))
    light.volume(3, image=3, form=4, size="16384")
    light.volume(4, image=3, form=4, parent=(3, 3))
    light.volume(5, image=4, size="16384")
    (folder(light, 4) / f"{uuid(4, 5)}.meta").write_text("rubbish")
    write(folder(light) / uuid(4, 1), VolumeFormat.RAW, {1: 1})
    return light


VOLUMES = [(1, 1), (2, 2), (1, 2), (3, 3), (4, 3)]
"""Volume and image, the template in both its images."""


def as_they_are(light):
    return {place: volume_metadata.decode(text(light, *place).encode()) for place in VOLUMES}


@pytest.mark.parametrize("version", ["0", "2", "3", "4"])
@pytest.mark.parametrize("wanted", ["3", "4", "5"])
def test_a_domain_goes_up_and_never_down(light, version, wanted):
    light.pool(version=version)
    light.ask("upgradeStoragePool", POOL, wanted)
    assert light.metadata()["VERSION"] == max(version, wanted)
    assert ("BLOCK_SIZE" in light.metadata()) is (wanted == "5")


def test_versions_that_are_none_are_refused(light):
    light.pool(version="0")
    assert light.code("upgradeStoragePool", POOL, "1") == 394
    assert light.code("upgradeStoragePool", POOL, "2") == 394
    assert light.metadata()["VERSION"] == "0"
    light.ask("upgradeStoragePool", POOL, "0")
    light.ask("spmStop", POOL)
    assert light.code("spmStart", POOL, -1, "-1", 0, "false", 250, "7") == 394
    assert light.ask("getSpmStatus", POOL)["spm_st"]["spmStatus"] == "Free"


def test_version_5_keeps_what_volumes_are_and_says_it_anew(light):
    old(light)
    before = as_they_are(light)
    light.ask("upgradeStoragePool", POOL, "5")
    assert as_they_are(light) == before
    for place in VOLUMES:
        assert "CAP=16384\n" in text(light, *place)
        assert "SIZE=" not in text(light, *place)
    values = light.metadata()
    assert (values["VERSION"], values["BLOCK_SIZE"], values["ALIGNMENT"]) == ("5", "512", "1048576")
    assert text(light, 5, 4) == "rubbish"


def test_the_template_is_one_file_in_all_its_images_afterwards(light):
    old(light)
    light.ask("upgradeStoragePool", POOL, "5")
    for ending in ("", ".meta"):
        first, second = (folder(light, image) / f"{uuid(4, 1)}{ending}" for image in (1, 2))
        assert first.stat().st_ino == second.stat().st_ino
    assert seen(folder(light, 2) / uuid(4, 2), VolumeFormat.COW) == {1: 1}


def test_new_volumes_are_written_in_the_new_form_at_once(light):
    old(light)
    light.ask("upgradeStoragePool", POOL, "5")
    light.volume(6, image=6, size="5000")
    assert "CAP=8192\n" in text(light, 6, 6)


def test_old_keys_of_block_domains_are_dropped(light):
    light.pool(version="4")
    found = now(light.room.storage.domains.find(SD))
    now(found.change({"LOGBLKSIZE": 512, "PHYBLKSIZE": 512, "FOREIGN": "kept"}))
    light.ask("upgradeStoragePool", POOL, "5")
    values = light.metadata()
    assert ("LOGBLKSIZE" in values, "PHYBLKSIZE" in values, values["FOREIGN"]) == (False, False, "kept")


@pytest.mark.parametrize("hangs", [False, True], ids=["fails", "crashes"])
@pytest.mark.parametrize("step", range(1, 15))
def test_an_interrupted_upgrade_leaves_volumes_that_every_host_can_read(light, step, hangs):
    old(light)
    before = as_they_are(light)
    light.steps.left, light.steps.hangs = step, hangs
    begun(light.room.call("upgradeStoragePool", POOL, "5"))
    light.steps.left = None
    for place in VOLUMES:
        both = text(light, *place)
        assert volume_metadata.decode(both.encode()) == before[place]
        if light.metadata()["VERSION"] != "5":
            assert "SIZE=32\n" in both  # hosts of the old version read sectors
        else:
            assert "CAP=16384\n" in both
    if hangs:
        light.reopen()
        light.connect()
        light.start_spm()
    light.ask("upgradeStoragePool", POOL, "5")
    assert (light.metadata()["VERSION"], as_they_are(light)) == ("5", before)
    light.volume(9, image=9)


def test_an_older_domain_becomes_as_new_as_its_master_when_it_is_activated(light):
    light.pool(version="5")
    light.domain(2, version="4")
    light.ask("attachStorageDomain", uuid(2, 2), POOL)
    light.ask("activateStorageDomain", uuid(2, 2), POOL)
    assert (light.metadata(2)["VERSION"], light.metadata(2)["BLOCK_SIZE"]) == ("5", "512")


# domains that several hosts see


@pytest.fixture
def shared(light, monkeypatch):
    """Leases that each volume has one of."""
    made = now(light.room.hooks.lease_manager(name="sanlock"))
    monkeypatch.setattr(made, "volume_leases", True)
    monkeypatch.setattr(made, "fresh", lambda self, name: f"free {name}".encode())
    return light


def index(light):
    return (light.folder() / "dom_md" / "xleases").read_bytes()[1 << 20 :]


def is_whole(light):
    """As spec 8 wants a shared domain of version 5 or 4."""
    assert Index.decode(index(light)).lockspace == SD
    assert len(index(light)) == 62 * 4096
    for volume, image in VOLUMES:
        lease = folder(light, image) / f"{uuid(4, volume)}.lease"
        assert lease.read_bytes() == f"free {uuid(4, volume)}".encode().ljust(1 << 20, b"\0")
        assert stat.S_IMODE(lease.stat().st_mode) == 0o660
    assert (folder(light, 1) / f"{uuid(4, 1)}.lease").samefile(folder(light, 2) / f"{uuid(4, 1)}.lease")


@pytest.mark.parametrize("version", ["3", "4", "5"])
def test_a_shared_domain_is_made_with_the_leases_of_its_version(shared, version):
    old(shared, version)
    assert (shared.folder() / "dom_md" / "xleases").exists() is (version != "3")
    if version != "3":
        is_whole(shared)


@pytest.mark.parametrize(("version", "wanted"), [("0", "3"), ("0", "5"), ("3", "4"), ("3", "5"), ("4", "5")])
def test_a_shared_domain_gets_the_leases_of_newer_versions(shared, version, wanted):
    old(shared, version)
    if version == "0":  # written by a host that made none
        for lease in (shared.folder() / "images").rglob("*.lease"):
            lease.unlink()
        (folder(shared) / uuid(4, 1)).chmod(0o440)
        (shared.folder() / "dom_md" / "ids").chmod(0o600)
    shared.ask("upgradeStoragePool", POOL, wanted)
    assert shared.metadata()["VERSION"] == wanted
    assert (shared.folder() / "dom_md" / "xleases").exists() is (wanted != "3")
    if wanted != "3":
        is_whole(shared)
    assert stat.S_IMODE((folder(shared) / uuid(4, 1)).stat().st_mode) == 0o660
    assert stat.S_IMODE((shared.folder() / "dom_md" / "ids").stat().st_mode) == 0o660


def test_an_index_left_from_an_earlier_attempt_is_made_anew(shared):
    old(shared)
    (shared.folder() / "dom_md" / "xleases").write_bytes(b"rubbish")
    shared.ask("upgradeStoragePool", POOL, "4")
    is_whole(shared)


@pytest.mark.parametrize("hangs", [False, True], ids=["fails", "crashes"])
@pytest.mark.parametrize("step", range(1, 27, 2))
def test_an_interrupted_upgrade_of_a_shared_domain_is_done_by_the_next_one(shared, step, hangs):
    old(shared, "0")
    shared.steps.left, shared.steps.hangs = step, hangs
    begun(shared.room.call("upgradeStoragePool", POOL, "4"))
    shared.steps.left = None
    before = as_they_are(shared)
    if shared.metadata()["VERSION"] == "4":
        is_whole(shared)
    if hangs:
        shared.reopen()
        shared.connect()
        shared.start_spm()
    shared.ask("upgradeStoragePool", POOL, "4")
    is_whole(shared)
    assert as_they_are(shared) == before


def test_a_merged_volume_has_the_lease_of_the_name_it_has_then(shared):
    shared.pool(version="5")
    shared.volume(1, form=4, size="16384")
    shared.volume(2, form=4, parent=(1, 1))
    shared.done("mergeSnapshots", SD, POOL, POOL, IMG, uuid(4, 1), uuid(4, 2))
    assert (folder(shared) / f"{uuid(4, 2)}.lease").read_bytes().startswith(f"free {uuid(4, 2)}".encode())


def test_a_domain_whose_lock_would_be_another_one_is_left_as_it_is(light, monkeypatch):
    monkeypatch.setattr(LocalFolder, "lease", lambda version: "new" if version >= 3 else "old")
    light.pool(version="2")
    assert light.code("upgradeStoragePool", POOL, "3") == 394
    assert light.metadata()["VERSION"] == "2"
