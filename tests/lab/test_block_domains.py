"""Block domains on iSCSI disks with two hosts: made, seen, extended, grown, shared, destroyed."""

from collections.abc import Iterator
from typing import Any

import pytest

from lab.cleanup import Lab
from lab.nodes import Node
from lab.pools import BLANK, DATA, new_id
from lab.san import GIB, ISCSI, San
from virgate.node.storage.formats import domain_metadata, physical_volumes

EXTENT = 128 << 20
FRESH = "--config 'devices { hints=none }'"
"""Daemons do not keep the list of devices up to date that LVM otherwise trusts."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


@pytest.fixture(scope="module")
def san(lab: Lab) -> San:
    return San(lab, [12 * GIB, 2 * GIB, 12 * GIB])


@pytest.fixture(scope="module")
def hosts(san: San) -> list[Node]:
    return san.boot("east", "west")


@pytest.fixture(scope="module")
def east(hosts: list[Node]) -> Node:
    return hosts[0]


@pytest.fixture(scope="module")
def west(hosts: list[Node]) -> Node:
    return hosts[1]


@pytest.fixture(scope="module")
def guids(san: San, east: Node) -> list[str]:
    return san.guids(east)


@pytest.fixture(scope="module")
def domain(san: San, east: Node, guids: list[str]) -> str:
    return san.make_domain(east, guids[:1], name="block one")


def report(node: Node, command: str, fields: str, group: str) -> list[list[str]]:
    """What LVM itself says on a host, row by row."""
    options = f"{FRESH} --noheadings --units b --nosuffix --separator '|'"
    told = node.host.shell(f"lvm {command} {options} -o {fields} {group}")
    return [line.strip().split("|") for line in told.splitlines()]


def tags(node: Node, domain: str) -> set[str]:
    return set(report(node, "vgs", "tags", domain)[0][0].split(","))


def info(node: Node, domain: str) -> dict[str, Any]:
    return dict(node.call("getStorageDomainInfo", domain)["info"])


def test_a_group_that_no_domain_can_be_made_of_is_refused(san: San, east: Node, guids: list[str]) -> None:
    assert east.code("createVG", new_id(), guids[1:2]) == 504
    assert east.code("createVG", "not-a-uuid", guids[:1]) == 1000
    assert east.code("createVG", new_id(), ["3600000000000000000000000000000ff"]) == 606
    assert east.code("createStorageDomain", ISCSI, new_id(), "x", "no-such-group", DATA, "5") == 506


def test_a_group_waits_to_become_a_domain(san: San, east: Node, guids: list[str]) -> None:
    """And can be taken back; names that are too long are refused before anything is done."""
    name, uuid = san.make_group(east, guids[2:3])
    told = east.call("getVGInfo", uuid)["info"]
    assert (told["name"], told["vgUUID"], told["state"], told["type"]) == (name, uuid, "OK", ISCSI)
    (disk,) = told["pvlist"]
    assert (disk["GUID"], disk["devtype"], disk["devcapacity"]) == (guids[2], "iSCSI", str(12 * GIB))
    assert [group["name"] for group in east.call("getVGList", ISCSI)["vglist"]] == [name]
    assert east.code("createStorageDomain", ISCSI, new_id(), "x", uuid, DATA, "5") == 1000
    assert east.code("createStorageDomain", ISCSI, name, "x" * 51, uuid, DATA, "5") == 387
    assert east.code("createVG", new_id(), guids[2:3]) == 601
    east.call("removeVG", uuid)
    east.call("removeVG", uuid)
    assert east.call("getVGList")["vglist"] == []


def test_the_tags_are_those_that_other_hosts_write(east: Node, domain: str, guids: list[str]) -> None:
    """Vector C-05 of spec storage-format."""
    found = tags(east, domain)
    assert "RHAT_storage_domain" in found
    (uuid, size), *_ = report(east, "vgs", "uuid,extent_count", domain)
    ((pv,),) = report(east, "pvs", "uuid", "-S vgname=" + domain)
    values = {
        "ALIGNMENT": "1048576",
        "BLOCK_SIZE": "512",
        "CLASS": "Data",
        "DESCRIPTION": "block one",
        "IOOPTIMEOUTSEC": "10",
        "LEASERETRIES": "3",
        "LEASETIMESEC": "60",
        "LOCKPOLICY": "",
        "LOCKRENEWALINTERVALSEC": "5",
        "POOL_UUID": "",
        **physical_volumes.encode({0: physical_volumes.PhysicalVolume(guids[0], pv, int(size))}),
        "ROLE": "Regular",
        "SDUUID": domain,
        "TYPE": "ISCSI",
        "VERSION": "5",
        "VGUUID": uuid,
    }
    assert found == {"RHAT_storage_domain", *domain_metadata.encode_tags(values)}


def test_special_volumes_lie_where_other_hosts_put_them(east: Node, domain: str) -> None:
    """Vector C-07: name, first extent, size in extents."""
    placed = {
        name: (int(devices.split("(")[1].rstrip(")")), int(size) // EXTENT)
        for name, size, devices in report(east, "lvs", "name,size,devices", domain)
    }
    assert placed == {
        "metadata": (0, 1),
        "ids": (1, 1),
        "inbox": (2, 1),
        "outbox": (3, 1),
        "leases": (4, 16),
        "xleases": (20, 8),
        "master": (28, 8),
    }
    assert report(east, "pvs", "pe_start,mda_used_count", "-S vgname=" + domain) == [["135266304", "2"]]


def test_special_volumes_are_active_and_the_master_is_not(east: Node, domain: str) -> None:
    active = {name for name, attr in report(east, "lvs", "name,attr", domain) if attr[4] == "a"}
    assert active == {"metadata", "ids", "inbox", "outbox", "leases", "xleases"}


def test_another_host_sees_the_domain(west: Node, domain: str) -> None:
    assert west.call("getStorageDomainsList", BLANK, 0, ISCSI)["domlist"] == [domain]
    told = info(west, domain)
    assert (told["name"], told["type"], told["version"], told["state"]) == ("block one", "ISCSI", "5", "OK")
    stats = west.call("getStorageDomainStats", domain)["stats"]
    assert (stats["mdasize"], stats["mdavalid"], stats["mdathreshold"]) == (str(EXTENT), True, True)
    assert int(stats["disktotal"]) - int(stats["diskfree"]) == 36 * EXTENT


def test_a_name_is_taken_once(san: San, east: Node, domain: str, guids: list[str]) -> None:
    assert east.code("createStorageDomain", ISCSI, domain, "x", info(east, domain)["vguuid"], DATA, "5") == 365
    assert east.code("createVG", new_id(), guids[:1]) == 601


@pytest.fixture(scope="module")
def pool(hosts: list[Node], domain: str) -> str:
    """Both hosts are in it, the first is its SPM."""
    pool = new_id()
    hosts[0].call("createStoragePool", 0, pool, "lab", domain, [domain], 1, "ON", 5, 60, 10, 3)
    for number, node in enumerate(hosts, start=1):
        node.call("connectStoragePool", pool, number, pool, domain, 1)
    hosts[0].do("spmStart", pool, -1, "-1", 0, "false", 250)
    return pool


def test_the_spm_has_the_master_file_system(east: Node, west: Node, pool: str, domain: str) -> None:
    mounted = "grep -c 'blockSD/[^ ]*/master ext3' /proc/mounts || true"
    assert (east.host.shell(mounted), west.host.shell(mounted)) == ("1\n", "0\n")
    assert east.call("getSpmStatus", pool)["spm_st"]["spmStatus"] == "SPM"
    assert "MDT_ROLE=Master" in tags(west, domain)


def test_another_disk_extends_the_domain(east: Node, west: Node, pool: str, domain: str, guids: list[str]) -> None:
    before = int(east.call("getStorageDomainStats", domain)["stats"]["disktotal"])
    assert west.code("extendStorageDomain", domain, pool, guids[1:2]) == 654
    east.call("extendStorageDomain", domain, pool, guids[1:2])
    gained = int(east.call("getStorageDomainStats", domain)["stats"]["disktotal"]) - before
    assert gained == 13 * EXTENT  # 2 GiB less the two areas for metadata
    values = domain_metadata.decode_tags(tags(west, domain))
    first, second = physical_volumes.decode(values).values()
    assert (second.guid, second.extents, second.first) == (guids[1], 13, first.extents)
    assert info(west, domain)["name"] == "block one"


def test_a_disk_that_grew_gives_what_it_gained(
    san: San, east: Node, west: Node, pool: str, domain: str, guids: list[str]
) -> None:
    san.grow(2, 3 * GIB)
    size = east.call("resizePV", domain, pool, guids[1])["size"]
    assert size == str(21 * EXTENT)
    found = physical_volumes.decode(domain_metadata.decode_tags(tags(west, domain)))
    assert found[1].extents == 21


def test_a_second_domain_joins_and_leaves_the_pool(
    san: San, east: Node, west: Node, pool: str, domain: str, guids: list[str]
) -> None:
    other = san.make_domain(east, guids[2:3], name="two")
    east.call("attachStorageDomain", other, pool)
    east.call("activateStorageDomain", other, pool)
    assert info(west, other)["pool"] == [pool]
    east.call("deactivateStorageDomain", other, pool, BLANK, 0)
    east.call("detachStorageDomain", other, pool, BLANK, 0)
    assert info(west, other)["pool"] == []
    assert east.code("formatStorageDomain", other) == 0
    assert west.code("getStorageDomainInfo", other) == 358
    assert {group["name"] for group in west.call("getVGList")["vglist"]} == {domain}


def test_the_role_moves_with_the_file_system(east: Node, west: Node, pool: str, domain: str) -> None:
    east.call("spmStop", pool)
    mounted = "grep -c 'blockSD/[^ ]*/master ext3' /proc/mounts || true"
    assert east.host.shell(mounted) == "0\n"
    assert [attr[4] for name, attr in report(east, "lvs", "name,attr", domain) if name == "master"] == ["-"]
    west.do("spmStart", pool, -1, "-1", 0, "false", 250)
    assert (east.host.shell(mounted), west.host.shell(mounted)) == ("0\n", "1\n")
    west.call("spmStop", pool)


def test_a_device_is_emptied_and_taken_out(east: Node, west: Node, pool: str, domain: str, guids: list[str]) -> None:
    """While no host uses the domain; what was on the device is on another one then."""
    assert east.code("moveStorageDomainDevice", domain, guids[1]) == 382
    for number, node in enumerate((east, west), start=1):
        node.call("disconnectStoragePool", pool, number, pool)
    (device,) = (
        name for name, used in report(east, "pvs", "name,mda_used_count", "-S vgname=" + domain) if used == "0"
    )
    east.host.shell(
        f"lvm lvcreate {FRESH} -n moved -L 256M {domain} {device}; echo kept | dd of=/dev/{domain}/moved conv=fsync"
    )
    east.host.shell(f"lvm lvchange {FRESH} -an {domain}/moved")
    assert east.code("removeVG", "no such group") == 0
    east.do("moveStorageDomainDevice", domain, guids[1])
    east.do("reduceStorageDomain", domain, guids[1])
    assert list(physical_volumes.decode(domain_metadata.decode_tags(tags(west, domain)))) == [0]
    west.host.shell(f"lvm lvchange {FRESH} -ay {domain}/moved")
    assert west.host.shell(f"head -n 1 /dev/{domain}/moved") == "kept\n"
    west.host.shell(f"lvm lvremove {FRESH} -f {domain}/moved")


def test_a_host_that_logs_out_and_in_again_uses_the_domain(san: San, west: Node, domain: str) -> None:
    assert info(west, domain)["state"] == "OK"
    mapped = f"ls /dev/mapper | grep -c {domain.replace('-', '--')} || true"
    assert west.host.shell(mapped) == "6\n"
    san.log_out(west)
    assert west.host.shell(mapped) == "0\n", west.last_words()
    assert west.code("getStorageDomainInfo", domain) == 358
    san.log_in(west)
    assert info(west, domain)["state"] == "OK"
    assert int(west.call("getStorageDomainStats", domain)["stats"]["disktotal"]) > 10 * GIB
