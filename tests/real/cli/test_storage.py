"""The life of a pool and of its second domain, by commands alone; then both are taken apart again."""

import pytest


@pytest.fixture(scope="module")
def pool(cheap):
    for name in ("one", "two"):
        (cheap.home / name).mkdir()
        cheap.do("storage", "server", "connect", str(cheap.home / name))
        cheap.do("storage", "domain", "create", name, str(cheap.home / name))
    cheap.do("storage", "pool", "create", "dc1", "one")
    cheap.do("storage", "pool", "connect", "one")
    return cheap


def statuses(pool):
    found = pool.json("storage", "pool", "show")["dominfo"]
    names = {one["uuid"]: one["name"] for one in pool.json("storage", "domain", "list")}
    return {names[id]: one["status"] for id, one in found.items()}


def test_what_only_the_manager_may_do_says_how_to_become_it(pool):
    assert "virgate storage spm start" in pool.do("storage", "domain", "attach", "two", code=1)
    assert pool.json("storage", "spm", "status")["spmStatus"] == "Free"


def test_a_domain_joins_the_pool_and_leaves_it_and_is_destroyed(pool):
    pool.do("storage", "spm", "start")
    assert "This host manages" in pool.do("storage", "spm", "start")
    pool.do("storage", "domain", "attach", "two")
    pool.do("storage", "domain", "activate", "two")
    assert statuses(pool) == {"one": "Active", "two": "Active"}
    pool.do("storage", "volume", "create", "two", "1M", "--description", "small")
    assert pool.json("storage", "volume", "list", "one") == []
    assert len(pool.json("storage", "volume", "list")) == 1
    pool.do("storage", "volume", "delete", "--yes", "small")
    pool.do("storage", "domain", "deactivate", "two")
    pool.do("storage", "domain", "detach", "two")
    assert statuses(pool) == {"one": "Active"}
    assert "free" in pool.do("storage", "domain", "show", "two")
    pool.do("storage", "domain", "format", "--yes", "two")
    assert [one["name"] for one in pool.json("storage", "domain", "list")] == ["one"]
    assert "is disconnected" in pool.do("storage", "server", "disconnect", str(pool.home / "two"))


def test_a_pool_is_left_joined_again_and_destroyed(pool):
    pool.do("storage", "spm", "stop")
    pool.do("storage", "pool", "disconnect")
    (left,) = pool.json("storage", "pool", "list")
    assert left["state"] == "not connected"
    assert "virgate storage pool connect" in pool.do("storage", "spm", "start", code=1)
    pool.do("storage", "pool", "connect", "one")
    pool.do("storage", "spm", "start")
    assert pool.json("storage", "pool", "list")[0]["name"] == "dc1"
    assert "is gone" in pool.do("storage", "pool", "destroy", "--yes")
    pool.do("storage", "domain", "format", "--yes", "one")
    assert pool.json("storage", "pool", "list") == []


def test_a_domain_is_checked_and_damage_is_told(cheap):
    place = cheap.home / "checked"
    place.mkdir()
    cheap.do("storage", "server", "connect", str(place))
    cheap.do("storage", "domain", "create", "checked", str(place))
    assert "is sound" in cheap.do("storage", "domain", "check", "checked")
    (inbox,) = place.glob("*/dom_md/inbox")
    inbox.unlink()
    assert "is not sound" in cheap.do("storage", "domain", "check", "checked", code=1)
    cheap.do("storage", "domain", "format", "--yes", "checked")
