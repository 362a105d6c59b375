"""Domains on their own: made, found again, described, formatted; their files, machines and watchers."""

import os
import shutil

import pytest
from contract.storage.light import begun, now
from contract.storage.room import BLANK, POOL, uuid

from virgate.node.storage.formats import domain_metadata

SD, OTHER = uuid(2), uuid(2, 2)
ISO_IMAGE = "11111111-1111-1111-1111-111111111111"


def create(light, domain=SD, name="local1", remote=None, domain_class=1, version="5", type=4):
    return ("createStorageDomain", type, domain, name, remote or light.room.folder("dom1"), domain_class, version)


@pytest.fixture
def place(light):
    """A room with one connected folder, `dom1`."""
    connect(light, "dom1")
    return light


def connect(light, name, verb="connectStorageServer"):
    given = [{"id": name, "connection": light.room.folder(name)}]
    return light.ask(verb, 4, BLANK, given)["statuslist"][0]["status"]


# made


def test_a_domain_that_cannot_be_made_leaves_its_place_as_it_was(place):
    not_connected = place.room.folder("other")
    for call, code in (
        (create(place, "no-uuid"), 1000),
        (create(place, SD.upper()), 1000),
        (create(place, version="6"), 394),
        (create(place, version="1"), 394),
        (create(place, domain_class=4), 386),
        (create(place, type=3), 372),
        (create(place, name="a\nb"), 1000),
        (create(place, name="Büro", version="0"), 4900),
        (create(place, remote=not_connected), 360),
        (create(place, remote=f"{not_connected}/"), 390),
        (create(place, remote="relative"), 390),
    ):
        assert place.code(*call) == code, call
    assert os.listdir(place.room.folder("dom1")) == os.listdir(not_connected) == []
    place.ask(*create(place, name="Büro"))


def test_a_name_or_a_place_is_used_once(place):
    place.ask(*create(place))
    connect(place, "second")
    assert place.code(*create(place, remote=place.room.folder("second"))) == 365
    assert place.code(*create(place, OTHER)) == 361
    (place.folder() / "dom_md/metadata").write_bytes(b"rubbish")
    place.room.storage.domains.forget()
    assert place.code(*create(place, remote=place.room.folder("second"))) == 365
    assert os.listdir(place.room.folder("second")) == []


@pytest.mark.parametrize("step", ["lay_out_domain", "direct_block_size", "write_file"])
def test_a_domain_whose_making_fails_is_not_there(place, step, monkeypatch):
    from virgate.node.storage.operations import OPERATIONS

    def fails(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setitem(OPERATIONS, step, fails)
        assert place.code(*create(place)) == 351
    assert os.listdir(place.room.folder("dom1")) == []
    place.ask(*create(place))


def test_a_place_without_direct_io_holds_no_domain(place, monkeypatch):
    from virgate.node.storage.operations import OPERATIONS

    monkeypatch.setitem(OPERATIONS, "direct_block_size", lambda path: 0)
    assert place.code(*create(place)) == 399


def test_only_an_iso_domain_has_the_folder_for_files(place):
    place.ask(*create(place, domain_class=2))
    assert (place.folder() / "images" / ISO_IMAGE).is_dir()
    connect(place, "dom2")
    place.ask(*create(place, OTHER, remote=place.room.folder("dom2")))
    assert not (place.folder(2) / "images" / ISO_IMAGE).exists()


# found


def test_a_domain_is_found_when_its_place_is_connected_and_lost_when_it_is_not(place):
    place.ask(*create(place))
    assert connect(place, "dom1", "disconnectStorageServer") == 0
    assert place.code("getStorageDomainInfo", SD) == 358
    assert connect(place, "dom1") == 0
    assert place.ask("getStorageDomainInfo", SD)["info"]["name"] == "local1"


def test_what_is_wrong_with_a_domain_is_told_of_it_alone(place):
    place.ask(*create(place))
    connect(place, "dom2")
    place.ask(*create(place, OTHER, remote=place.room.folder("dom2")))
    metadata = place.folder() / "dom_md/metadata"
    good = metadata.read_bytes()
    for data, code in (
        (good.replace(b"VERSION=5", b"VERSION=4"), 752),
        (domain_metadata.encode({**domain_metadata.decode(good), "VERSION": "9"}), 394),
        (domain_metadata.encode({**domain_metadata.decode(good), "CLASS": "Odd"}), 753),
        (domain_metadata.encode({**domain_metadata.decode(good), "SDUUID": OTHER}), None),
        (domain_metadata.encode({**domain_metadata.decode(good), "TYPE": "ISCSI"}), 372),
        (b"", None),
    ):
        metadata.write_bytes(data)
        place.room.storage.domains.forget()
        found = place.code("validateStorageDomain", SD)
        assert found == code if code else found not in (0, 100), data
        assert place.ask("getStorageDomainsList")["domlist"] == [OTHER]
    metadata.write_bytes(good)
    assert place.ask("getStorageDomainsList")["domlist"] == [SD, OTHER]
    place.ask("validateStorageDomain", SD)


def test_a_domain_stays_the_same_object_and_its_lease_the_same_lease(place):
    place.ask(*create(place))
    domains = place.room.storage.domains
    found = now(domains.find(SD))
    now(domains.all())
    domains.forget()
    again = now(domains.find(SD))
    assert (again is found, again.lease is found.lease) == (True, True)
    now(found.change({"DESCRIPTION": "elsewhere"}))
    assert place.ask("getStorageDomainInfo", SD)["info"]["name"] == "elsewhere"


def test_domains_are_listed_by_place_class_type_and_pool(place):
    place.ask(*create(place))
    for number, domain_class in ((2, 2), (3, 1)):
        connect(place, f"dom{number}")
        remote = place.room.folder(f"dom{number}")
        place.ask(*create(place, uuid(2, number), remote=remote, domain_class=domain_class))
    first, second, third = (uuid(2, number) for number in (1, 2, 3))
    place.ask("createStoragePool", 0, POOL, "dc", first, [first, third], 1)
    place.ask("connectStoragePool", POOL, 1, POOL, first, 1)
    for given, found in (
        ((BLANK, 0, "", ""), [first, second, third]),
        ((BLANK, 2), [second]),
        ((POOL,), [first, third]),
        ((POOL, 2), []),
        ((BLANK, 0, "4", place.room.folder("dom3")), [third]),
        ((BLANK, 0, 0, "/nowhere"), []),
    ):
        assert place.ask("getStorageDomainsList", *given)["domlist"] == found
    assert place.code("getStorageDomainsList", uuid(1, 9)) == 309


# formatted


def test_a_domain_of_a_pool_is_formatted_only_on_purpose_and_never_while_connected(light):
    light.pool(domains=2)
    assert light.code("formatStorageDomain", OTHER, "true") == 392
    light.ask("spmStop", POOL)
    light.ask("disconnectStoragePool", POOL, 1, POOL)
    assert light.code("formatStorageDomain", OTHER) == 391
    light.ask("formatStorageDomain", OTHER, "true")
    assert (os.listdir(light.room.folder("dom2")), light.code("formatStorageDomain", OTHER)) == ([], 358)
    light.ask("createStorageDomain", 4, OTHER, "again", light.room.folder("dom2"), 1, "5")


def test_a_domain_that_cannot_be_read_can_still_be_formatted(place):
    place.ask(*create(place))
    (place.folder() / "dom_md/metadata").write_bytes(b"rubbish")
    place.ask("formatStorageDomain", SD)
    assert os.listdir(place.room.folder("dom1")) == []
    assert place.code("formatStorageDomain", "..") == 1000


# described


def test_only_the_spm_names_a_domain_and_not_at_any_length(light):
    light.domain(1)
    assert light.code("setStorageDomainDescription", SD, "x") == 313
    light.ask("createStoragePool", 0, POOL, "dc1", SD, [SD], 1)
    light.connect()
    assert light.code("setStorageDomainDescription", SD, "x") == 654
    light.start_spm()
    for name, code in (("x" * 51, 387), ("a\nb", 1000), ("x" * 50, 0), ("Büro", 0)):
        assert light.code("setStorageDomainDescription", SD, name) == code
    assert light.metadata()["DESCRIPTION"] == "Büro"


# files and machines


@pytest.fixture
def isos(light):
    light.pool()
    light.domain(2, domain_class=2)
    light.ask("attachStorageDomain", OTHER, POOL)
    folder = light.folder(2) / "images" / ISO_IMAGE
    (folder / "sub").mkdir()
    for name, mode in (("a.iso", 0o644), ("B.ISO", 0o640), ("sub/c.iso", 0o604), ("n.iso", 0o600), ("f.vfd", 0o644)):
        (folder / name).write_bytes(b"12345")
        (folder / name).chmod(mode)
    return light


def test_files_are_listed_once_their_domain_is_active(isos):
    assert isos.code("getIsoList", POOL) == 314
    assert isos.ask("getStoragePoolInfo", POOL)["info"]["isoprefix"] == ""
    isos.ask("activateStorageDomain", OTHER, POOL)
    assert isos.ask("getIsoList", POOL)["isolist"] == ["B.ISO", "a.iso", "sub/c.iso"]
    assert isos.ask("getIsoList", POOL, "VFD")["isolist"] == isos.ask("getFloppyList", POOL)["isolist"] == ["f.vfd"]
    told = isos.ask("getStoragePoolInfo", POOL)
    prefix = f"{isos.base}/data-center/mnt/{isos.room.folder('dom2').replace('_', '__').replace('/', '_')}/{OTHER}"
    assert told["info"]["isoprefix"] == told["dominfo"][OTHER]["isoprefix"] == f"{prefix}/images/{ISO_IMAGE}"
    assert told["dominfo"][SD]["isoprefix"] == ""


def test_files_are_told_by_pattern_with_or_without_case(isos):
    def names(*arguments):
        return sorted(isos.ask("getFileStats", OTHER, *arguments)["fileStats"])

    assert names() == ["B.ISO", "a.iso", "f.vfd", "n.iso", "sub/c.iso"]
    assert names("*.iso", "true") == ["a.iso", "n.iso", "sub/c.iso"]
    assert names("*.iso", "false") == ["B.ISO", "a.iso", "n.iso", "sub/c.iso"]
    assert names("[ab].iso") == ["B.ISO", "a.iso"]
    told = isos.ask("getFileStats", OTHER)["fileStats"]
    assert (told["a.iso"]["status"], told["n.iso"]["status"], told["a.iso"]["size"]) == (0, 469, "5")
    assert isos.code("getFileStats", SD) == 330


def test_machines_are_kept_on_the_master_or_on_an_active_backup_domain(light):
    light.pool(domains=2)
    light.domain(3, domain_class=3)
    backup = uuid(2, 3)
    item = {"vm": uuid(5), "ovf": "<ovf>é</ovf>", "imglist": ""}
    assert light.code("updateVM", POOL, [item], backup) == 375
    light.ask("attachStorageDomain", backup, POOL)
    assert light.code("updateVM", POOL, [item], backup) == 369
    light.ask("activateStorageDomain", backup, POOL)
    light.ask("updateVM", POOL, [item], backup)
    assert light.ask("getVmsInfo", POOL, backup)["vmlist"] == {uuid(5): "<ovf>é</ovf>"}
    assert light.ask("getVmsList", POOL)["vmlist"] == []
    assert light.code("getVmsInfo", POOL, OTHER) == 378
    light.ask("removeVM", POOL, uuid(5), backup)
    light.ask("removeVM", POOL, uuid(5), backup)
    assert light.ask("getVmsList", POOL, backup)["vmlist"] == []


def test_what_is_missing_of_machines_is_told(light):
    light.pool()
    light.ask("updateVM", POOL, [{"vm": uuid(5), "ovf": "x", "imglist": ""}])
    (light.folder() / "master/vms" / uuid(5) / f"{uuid(5)}.ovf").unlink()
    assert light.code("getVmsInfo", POOL, BLANK, [uuid(5)]) == 320
    assert light.ask("getVmsInfo", POOL, BLANK, [uuid(5, 2)])["vmlist"] == {}
    assert light.code("updateVM", POOL, [{"vm": "../../x", "ovf": "x", "imglist": ""}]) == 1000
    shutil.rmtree(light.folder() / "master/vms")
    assert light.code("getVmsList", POOL) in (0, 322)
    assert light.code("updateVM", POOL, [{"vm": uuid(5), "ovf": "x", "imglist": ""}]) == 322


def test_a_disk_without_room_for_a_machine_is_397(light):
    light.pool()
    light.ask("updateVM", POOL, [{"vm": uuid(5), "ovf": "old", "imglist": ""}])
    from virgate.node.storage.operations import OPERATIONS

    def full(*arguments):
        raise OSError(28, "No space left on device")

    patch = pytest.MonkeyPatch()
    patch.setitem(OPERATIONS, "store_machine", full)
    assert light.code("updateVM", POOL, [{"vm": uuid(5), "ovf": "new", "imglist": ""}]) == 397
    patch.undo()
    assert light.ask("getVmsInfo", POOL, BLANK)["vmlist"] == {uuid(5): "old"}


# watched


def test_a_domain_that_was_watched_alone_is_the_pools_when_the_pool_wants_it(light):
    light.domain(1)
    light.ask("startMonitoringDomain", SD, 3)
    assert light.said[-1] == ("join 3", 1)
    light.ask("createStoragePool", 0, POOL, "dc1", SD, [SD], 1)
    light.ask("connectStoragePool", POOL, 3, POOL, SD, 1)
    assert light.watched() == {1}
    light.ask("disconnectStoragePool", POOL, 3, POOL)
    assert light.watched() == {1}
    light.ask("stopMonitoringDomain", SD)
    assert (light.watched(), light.said[-1]) == (set(), ("leave", 1))


def test_health_is_told_with_the_pool_and_changes_are_heard(light):
    heard = []
    light.room.events.listen("storage.domain", lambda **told: heard.append((told["valid"], told["code"])))
    light.pool(domains=2)
    told = light.ask("getStoragePoolInfo", POOL)["dominfo"]
    assert int(told[SD]["disktotal"]) >= int(told[SD]["diskfree"]) > 0
    assert (told[SD]["status"], told[SD]["version"]) == ("Active", 5)
    hidden = light.base / "hidden"
    light.folder(2).rename(hidden)
    light.clock.advance(10)
    assert (heard, light.ask("repoStats")[OTHER]["code"]) == ([(True, 0), (True, 0), (False, 358)], 358)
    hidden.rename(light.folder(2))
    light.clock.advance(9.9)
    assert not light.ask("repoStats")[OTHER]["valid"]
    light.clock.advance(0.1)
    assert (heard[-1], light.ask("repoStats")[OTHER]["valid"]) == ((True, 0), True)


def test_what_hangs_is_asked_for_once(light, monkeypatch):
    light.pool()
    looks = []

    async def hangs(self):
        from twisted.internet.defer import Deferred

        looks.append(1)
        await Deferred()

    monkeypatch.setattr(type(now(light.room.storage.domains.find(SD))), "look", hangs)
    for _ in range(5):
        light.clock.advance(10)
    assert len(looks) == 1
    assert light.ask("repoStats")[SD]["lastCheck"] == "50.0"
    assert begun(light.room.storage.monitors.close(leave=True)) == [None]
