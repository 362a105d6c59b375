"""Which verbs wait for each other (columns Locks of spec xmlrpc-storage 3): each against a user of one resource."""

import pytest
from contract.storage.light import begun, now
from contract.storage.room import BLANK, POOL, uuid

from virgate.node.tasks.locks import image, storage

SD, OTHER, IMG, VOL = uuid(2), uuid(2, 2), uuid(3), uuid(4)
NEW = (uuid(3, 9), uuid(4, 9))

CREATE = ("createVolume", SD, POOL, IMG, "1", 4, 2, 2, uuid(4, 9), "", BLANK, uuid(4, 2))
CLONE = ("createVolume", SD, POOL, NEW[0], "1", 4, 2, 2, NEW[1], "", uuid(3, 2), uuid(4, 3))
DELETE = ("deleteVolume", SD, POOL, IMG, [uuid(4, 2)])
EXTEND = ("extendVolumeSize", POOL, SD, uuid(3, 2), uuid(4, 3), "32768")
DELETE_IMAGE = ("deleteImage", SD, POOL, IMG)
COPY = ("copyImage", SD, POOL, BLANK, IMG, VOL, *NEW, "", OTHER)
MOVE = ("moveImage", POOL, SD, OTHER, IMG, BLANK, 2)
DUPLICATE = ("moveImage", POOL, SD, OTHER, IMG, BLANK, 1)
STRUCTURE = ("cloneImageStructure", POOL, SD, IMG, OTHER)
MERGE = ("mergeSnapshots", SD, POOL, BLANK, IMG, VOL, uuid(4, 2))
PAIR = {"sd_id": SD, "img_id": IMG, "base_id": VOL, "top_id": uuid(4, 2)}
PREPARE_MERGE = ("prepareMerge", POOL, PAIR)
FINALIZE_MERGE = ("finalizeMerge", POOL, PAIR)
RECONCILE = ("reconcileVolumeChain", POOL, SD, IMG, uuid(4, 2))
PREPARE = ("prepareImage", POOL, SD, IMG, VOL)
TEARDOWN = ("teardownImage", POOL, SD, IMG)
DESCRIBE = ("setVolumeDescription", SD, POOL, IMG, VOL, "x")
LEGALITY = ("setVolumeLegality", SD, POOL, IMG, VOL, "LEGAL")
RENAME = ("setStorageDomainDescription", SD, "x")
UPDATE = ("updateVM", POOL, [{"vm": uuid(5), "ovf": "x", "imglist": ""}])
REMOVE = ("removeVM", POOL, uuid(5))


@pytest.fixture
def full(light):
    """Two domains; on the first a chain of two and a raw volume."""
    light.pool(domains=2)
    light.volume(1, form=4, size="16384")
    light.volume(2, form=4, parent=(1, 1))
    light.volume(3, image=2, size="16384")
    light.ask("updateVM", POOL, [{"vm": uuid(5), "ovf": "x", "imglist": ""}])
    return light


def names(value):
    return value[0] if isinstance(value, tuple) else None


@pytest.mark.parametrize(
    "verb",
    [
        CREATE, CLONE, DELETE, EXTEND, DELETE_IMAGE, COPY, MOVE, STRUCTURE, MERGE, RECONCILE, PREPARE, TEARDOWN,
        DESCRIBE, LEGALITY, RENAME, PREPARE_MERGE, FINALIZE_MERGE,
    ],
    ids=names,
)  # fmt: skip
def test_verbs_about_what_is_on_a_domain_share_it_and_wait_for_who_has_it_alone(full, verb):
    assert full.waits(storage(SD, exclusive=True), *verb)


@pytest.mark.parametrize("verb", [CREATE, CLONE, DELETE, EXTEND, COPY, MOVE, MERGE, PREPARE, RENAME], ids=names)
def test_verbs_about_what_is_on_a_domain_do_not_wait_for_each_other(full, verb):
    assert not full.waits(storage(SD), *verb)


@pytest.mark.parametrize("verb", [COPY, MOVE, STRUCTURE], ids=names)
def test_copies_wait_for_both_their_domains(full, verb):
    assert full.waits(storage(OTHER, exclusive=True), *verb)


@pytest.mark.parametrize(
    "verb",
    [CREATE, DELETE, DELETE_IMAGE, MOVE, MERGE, RECONCILE, DESCRIBE, LEGALITY, PREPARE_MERGE, FINALIZE_MERGE],
    ids=names,
)
def test_who_changes_an_image_waits_for_its_readers(full, verb):
    assert full.waits(image(SD, IMG), *verb)


@pytest.mark.parametrize("verb", [COPY, DUPLICATE, STRUCTURE], ids=names)
def test_who_reads_an_image_waits_for_its_writer_and_not_for_other_readers(full, verb):
    assert not full.waits(image(SD, IMG), *verb)
    if verb is COPY:
        full.done("deleteImage", OTHER, POOL, NEW[0])
        assert full.waits(image(SD, IMG, exclusive=True), *verb)


@pytest.mark.parametrize(("verb", "made"), [(COPY, NEW[0]), (MOVE, IMG), (STRUCTURE, IMG)], ids=names)
def test_what_is_made_elsewhere_is_the_makers_alone(full, verb, made):
    assert full.waits(image(OTHER, made), *verb)


def test_a_clone_reads_its_template_and_has_its_own_image_alone(full):
    assert full.waits(image(SD, uuid(3, 2), exclusive=True), *CLONE)
    full.done("deleteImage", SD, POOL, NEW[0])
    assert not full.waits(image(SD, uuid(3, 2)), *CLONE)
    full.done("deleteImage", SD, POOL, NEW[0])
    assert full.waits(image(SD, NEW[0]), *CLONE)


def test_machines_of_one_domain_are_written_one_at_a_time(full):
    for verb in (UPDATE, REMOVE):
        assert full.waits(storage(f"vms_{SD}"), *verb)
        assert full.waits(storage(POOL, exclusive=True), *verb)
        assert not full.waits(storage(POOL), *verb)


@pytest.mark.parametrize(
    "verb",
    [
        ("attachStorageDomain", uuid(2, 3), POOL),
        ("activateStorageDomain", OTHER, POOL),
        ("deactivateStorageDomain", OTHER, POOL, BLANK, 0),
        ("detachStorageDomain", OTHER, POOL, BLANK, 0),
        ("forcedDetachStorageDomain", OTHER, POOL),
    ],
    ids=names,
)
def test_a_domain_comes_and_goes_when_nobody_uses_it_or_its_pool(full, verb):
    full.domain(3)
    assert full.waits(storage(POOL), *verb)
    for again in (("attachStorageDomain", OTHER, POOL), ("activateStorageDomain", OTHER, POOL)):
        full.ask(*again)
    if verb[0] == "attachStorageDomain":
        full.ask("forcedDetachStorageDomain", verb[1], POOL)
    assert full.waits(storage(verb[1]), *verb)


def test_a_domain_is_formatted_when_nobody_uses_it(full):
    full.domain(3)
    assert full.waits(storage(uuid(2, 3)), "formatStorageDomain", uuid(2, 3))


@pytest.mark.parametrize("resource", [uuid(1, 2), uuid(2, 3), uuid(2, 4)])
def test_a_pool_is_made_of_domains_that_nobody_uses(full, resource):
    domains = [full.domain(3), full.domain(4)]
    assert full.waits(storage(resource), "createStoragePool", 0, uuid(1, 2), "dc2", domains[0], domains, 1)


def test_a_pool_is_made_anew_when_nobody_uses_it(full):
    full.ask("spmStop", POOL)
    full.ask("disconnectStoragePool", POOL, 1, POOL)
    assert full.waits(storage(POOL), "reconstructMaster", POOL, "x", OTHER, {OTHER: "active"}, 2)


def test_watching_alone_waits_for_those_who_change_what_is_watched(full):
    monitors = storage("HsmDomainMonitorLock")
    domain = full.domain(3)
    assert full.waits(monitors, "startMonitoringDomain", domain, 1)
    assert full.waits(monitors, "stopMonitoringDomain", domain)


def test_who_waits_too_long_is_told_and_has_changed_nothing(full):
    with full.held(storage(POOL)):
        came = begun(full.room.call("deactivateStorageDomain", OTHER, POOL, BLANK, 0))
        full.clock.advance(5)
        assert came[0]["status"]["code"] == 851
    assert full.statuses()[2] == "Active"
    with full.held(image(SD, IMG)):
        (answer,) = begun(full.room.call(*DELETE))
        full.clock.advance(5)
    assert full.wait(answer["uuid"])["code"] == 100
    assert full.info(2)["voltype"] == "LEAF"


def test_no_lock_is_left_behind(full):
    for verb in (DESCRIBE, CREATE, COPY, DELETE_IMAGE):
        answer = full.ask(*verb)
        if "uuid" in answer:
            full.wait(answer["uuid"])
    wanted = (storage(POOL), storage(SD), storage(OTHER), image(SD, IMG), image(OTHER, NEW[0]), storage(f"{IMG}_{SD}"))
    for request in wanted:
        assert not full.room.storage.locks.busy(type(request)(request.namespace, request.name, True))
    assert now(full.room.storage.domains.find(SD)).id == SD
