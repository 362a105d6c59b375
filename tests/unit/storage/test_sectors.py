"""Domains on storage with sectors of 512 and of 4096 bytes, and on storage that does not tell (spec 3.5)."""

import pytest
from contract.storage.room import BLANK, uuid

from virgate.node.storage.operations import OPERATIONS
from virgate.node.storage.operations.folders import direct_block_size
from virgate_plugins.storage.localfs import LocalFolder

UNTOLD = 1
MIB = 1 << 20


@pytest.fixture
def place(light, monkeypatch):
    """A connected folder; `sectors(size)` says what its storage has."""
    folder = light.room.folder("dom1")
    light.ask("connectStorageServer", 4, BLANK, [{"id": "1", "connection": folder}])

    class Place:
        def sectors(self, size):
            monkeypatch.setitem(OPERATIONS, "direct_block_size", lambda path: size)
            return self

        def make(self, *sizes, version="5"):
            return light.code("createStorageDomain", 4, uuid(2), "d", folder, 1, version, None, *sizes)

        def values(self):
            return {key: light.metadata().get(key) for key in ("BLOCK_SIZE", "ALIGNMENT")}

    return Place()


@pytest.mark.parametrize(
    ("storage", "asked", "code"),
    [
        (512, 512, 0), (512, 0, 0), (512, 4096, 348),
        (4096, 4096, 0), (4096, 0, 0), (4096, 512, 348),
        (UNTOLD, 512, 0), (UNTOLD, 0, 0), (UNTOLD, 4096, 0),
        (512, 1, 1000), (512, 1024, 1000), (512, -512, 1000), (0, 512, 399),
    ],
)  # fmt: skip
def test_what_is_asked_for_must_fit_what_is_there(place, storage, asked, code):
    assert place.sectors(storage).make(asked) == code
    if not code:
        wanted = asked or (512 if storage == UNTOLD else storage)
        assert place.values() == {"BLOCK_SIZE": str(wanted), "ALIGNMENT": str(MIB)}


@pytest.mark.parametrize(
    ("hosts", "alignment"), [(1, 1), (250, 1), (251, 2), (500, 2), (501, 4), (1000, 4), (1001, 8), (2000, 8)]
)
def test_more_hosts_want_larger_leases_in_sectors_of_4096(place, hosts, alignment):
    assert place.sectors(4096).make(0, hosts) == 0
    assert place.values()["ALIGNMENT"] == str(alignment * MIB)


@pytest.mark.parametrize("hosts", [0, -1, 2001])
def test_a_number_of_hosts_that_no_lease_holds_is_refused(place, hosts):
    assert place.sectors(512).make(512, hosts) == 1000


@pytest.mark.parametrize("version", ["0", "2", "3", "4"])
def test_older_versions_know_sectors_of_512_only(place, version):
    place.sectors(512)
    assert place.make(0, version=version) == place.make(4096, version=version) == 1000
    assert place.make(512, version=version) == 0
    assert place.values() == {"BLOCK_SIZE": None, "ALIGNMENT": None}


def test_a_type_that_says_nothing_has_sectors_of_512(place, monkeypatch):
    monkeypatch.delattr(LocalFolder, "block_sizes")
    place.sectors(4096)
    assert place.make(4096) == place.make(0) == 1000
    assert place.make(512) == 348


def test_the_probe_of_this_storage_leaves_nothing(tmp_path):
    assert direct_block_size(str(tmp_path)) in (0, UNTOLD, 512, 4096)
    assert list(tmp_path.iterdir()) == []
