"""Finding domains and volumes by what people type."""

import pytest

from virgate.cli.problems import Problem
from virgate.cli.storage import finding

POOL = "c114d7ae-d37a-46a5-886a-c3d1a60749a6"
ONE, TWO = "16af8ae5-4e19-4d56-ae16-a764ce82ebf2", "16bbbbbb-4e19-4d56-ae16-a764ce82ebf2"
IMAGE = "6877ea8b-6f17-486b-af75-2c1695d1ea3a"
RED, BLUE = "d50a016a-617c-4017-aeb6-159adc46c0fe", "d50b016a-617c-4017-aeb6-159adc46c0fe"


@pytest.fixture
def storage(daemon):
    names = {ONE: "local1", TWO: "local2"}
    volumes = {RED: "red", BLUE: ""}
    daemon.answers |= {
        "getStorageDomainsList": {"domlist": [ONE, TWO]},
        "getStorageDomainInfo": lambda id: {"info": {"uuid": id, "name": names[id], "role": "Master", "pool": [POOL]}},
        "getConnectedStoragePoolsList": {"poollist": [POOL]},
        "getStoragePoolInfo": {"info": {}, "dominfo": {ONE: {"status": "Active"}, TWO: {"status": "Inactive"}}},
        "getImagesList": {"imageslist": [IMAGE]},
        "getVolumesList": {"uuidlist": [RED, BLUE]},
        "getVolumeInfo": lambda *ids: {"info": {"description": volumes[ids[3]]}},
    }
    return daemon


@pytest.mark.parametrize(("typed", "meant"), [("local1", ONE), ("16af", ONE), (TWO, TWO), ("local2", TWO)])
def test_a_domain_is_found_by_name_or_id(storage, client, typed, meant):
    assert finding.domain(client, typed) == meant


def test_a_whole_id_is_taken_without_asking(daemon, client):
    assert finding.domain(client, ONE) == ONE
    disk = f"{POOL}/{ONE}/{IMAGE}/{RED}"
    assert str(finding.disk(client, disk)) == disk
    assert not daemon.asked


@pytest.mark.parametrize(("typed", "meant"), [("d50a", RED), (BLUE, BLUE), ("red", RED)])
def test_a_volume_is_found_in_the_active_domains_by_id_or_description(storage, client, typed, meant):
    assert finding.disk(client, typed) == finding.Disk(POOL, ONE, IMAGE, meant)


@pytest.mark.parametrize("typed", ["nix", "16", "d5", "", "a/b/c/d", f"{POOL}/{ONE}"])
def test_what_names_nothing_is_refused_with_a_way_on(storage, client, typed):
    for found in (finding.disk,) if "/" in typed else (finding.disk, finding.domain):
        with pytest.raises(Problem) as refused:
            found(client, typed)
        assert refused.value.hint


def test_nobody_is_guessed(storage, client):
    storage.answers["getVolumesList"] = {"uuidlist": [RED, RED[:-1] + "f"]}
    with pytest.raises(Problem, match=f"may be any of {RED}"):
        finding.disk(client, "d50a")


def test_without_a_pool_it_says_how_to_get_one(storage, run):
    storage.answers["getConnectedStoragePoolsList"] = {"poollist": []}
    found = run("storage", "volume", "list", code=1)
    assert "virgate storage pool connect" in found.stderr
