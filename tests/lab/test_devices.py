"""Disks of storage networks as a daemon shows them: targets found and logged in to, refused, gone; paths joined."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest

from lab.cleanup import Lab
from lab.network import Network
from lab.nodes import Node, Nodes
from lab.pools import BLANK
from lab.servers import IscsiServer

ISCSI, FCP = 3, 2
GIB = 1 << 30
USER, PASSWORD = "fred", "correct-horse-7"
SECOND_PORT = 3261
WATCH = "for i in $(seq 300); do grep -aohs -f /run/secret -e iscsiadm /proc/[0-9]*/cmdline; done | sort -u"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


@pytest.fixture(scope="module")
def network(lab: Lab) -> Network:
    return Network(lab)


@pytest.fixture(scope="module")
def server(lab: Lab, network: Network) -> IscsiServer:
    made = IscsiServer(lab, network)
    made.listen(SECOND_PORT)
    return made


@pytest.fixture(scope="module")
def pool(server: IscsiServer) -> str:
    return server.target("pool", [12 * GIB, 2 * GIB])


@pytest.fixture(scope="module")
def vault(server: IscsiServer) -> str:
    """A target that asks for credentials."""
    iqn = server.target("vault", [GIB])
    server.protect(iqn, USER, PASSWORD)
    return iqn


@pytest.fixture(scope="module")
def booted(lab: Lab, network: Network) -> Node:
    settings = {
        "iscsi.login_timeout": 3,
        "iscsi.connect_timeout": 3,
        "iscsi.replacement_timeout": 3,
        "devices.scan_timeout": 5,
    }
    (node,) = Nodes(lab, network).boot("east", settings=settings, sanlock=False)
    return node


@pytest.fixture
def node(booted: Node) -> Iterator[Node]:
    """Without sessions before and after."""
    booted.start_iscsi()
    yield booted
    booted.host.shell("iscsiadm -m node -u >/dev/null 2>&1 || true; rm -rf /etc/iscsi/nodes")


def connection(iqn: str, **more: Any) -> dict[str, str]:
    return {"id": "c", "connection": "10.77.0.1", "port": "3260", "iqn": iqn, "user": "", "password": "", **more}


def connect(node: Node, iqn: str, verb: str = "connectStorageServer", **more: Any) -> int:
    (answer,) = node.call(verb, ISCSI, BLANK, [connection(iqn, **more)])["statuslist"]
    return int(answer["status"])


def disconnect(node: Node, iqn: str, **more: Any) -> int:
    return connect(node, iqn, "disconnectStorageServer", **more)


def devices(node: Node, kind: int = ISCSI, *more: Any) -> list[dict[str, Any]]:
    return list(node.call("getDeviceList", kind, *more)["devList"])


def test_targets_are_found_and_leave_no_record(node: Node, pool: str, vault: str) -> None:
    asked = {"id": "", "connection": "10.77.0.1", "port": "3260", "iqn": "", "user": "", "password": ""}
    found = node.call("discoverSendTargets", asked)
    assert sorted(found["targets"]) == sorted([pool, vault])
    assert f"10.77.0.1:3260,1 {pool}" in found["fullTargets"]
    assert node.host.shell("find /etc/iscsi/nodes /etc/iscsi/send_targets -type f 2>/dev/null || true") == ""


def test_a_portal_that_is_not_there_tells_no_targets(node: Node, pool: str) -> None:
    asked = {"connection": "10.77.0.1", "port": "3999", "user": "", "password": ""}
    assert node.code("discoverSendTargets", asked) == 475
    assert node.code("discoverSendTargets", {"connection": "10.77.0.1", "port": "3260"}) == 16


def test_the_disks_of_a_target_appear_as_the_old_api_tells_them(node: Node, pool: str) -> None:
    assert connect(node, pool) == 0
    large, small = devices(node)
    assert {**large, "pathstatus": None, "pathlist": None} == {
        "GUID": "360000000000000000000000000000001",
        "pvUUID": "",
        "pvsize": "",
        "vgUUID": "",
        "vendorID": "VIRGATE",
        "productID": "LAB",
        "fwrev": "0001",
        "serial": "SVIRGATE_LAB_pool-1",
        "capacity": str(12 * GIB),
        "devtype": "iSCSI",
        "logicalblocksize": "512",
        "physicalblocksize": "4096",
        "status": "free",
        "pathstatus": None,
        "pathlist": None,
    }
    (path,) = large["pathstatus"]
    assert path.pop("physdev").startswith("sd")
    assert path == {"state": "active", "capacity": str(12 * GIB), "lun": "1", "type": "iSCSI"}
    assert large["pathlist"] == [
        {"connection": "10.77.0.1", "port": "3260", "iqn": pool, "portal": "1", "initiatorname": "default"}
    ]
    assert small["capacity"] == str(2 * GIB)


def test_connecting_twice_is_one_session(node: Node, pool: str) -> None:
    assert connect(node, pool) == connect(node, pool) == 0
    assert node.host.shell("iscsiadm -m session").count(pool) == 1


def test_what_lies_on_a_disk_makes_it_used(node: Node, pool: str) -> None:
    connect(node, pool)
    large, small = (device["GUID"] for device in devices(node))
    node.host.shell(f"mke2fs -qF /dev/disk/by-id/scsi-{small}; vgcreate data /dev/disk/by-id/scsi-{large}")
    try:
        by_guid = {device["GUID"]: device for device in devices(node)}
        uuids = node.host.shell("vgs --noheadings -o vg_uuid,pv_uuid data").split()
        assert [by_guid[guid]["status"] for guid in (large, small)] == ["used", "used"]
        assert [by_guid[large]["vgUUID"], by_guid[large]["pvUUID"]] == uuids
        unchecked = devices(node, ISCSI, [small], False)
        assert [(device["GUID"], device["status"]) for device in unchecked] == [(small, "unknown")]
    finally:
        node.host.shell(f"vgremove -qf data; pvremove -q /dev/disk/by-id/scsi-{large}")
        node.host.shell(f"wipefs -qa /dev/disk/by-id/scsi-{small}")
    assert [device["status"] for device in devices(node)] == ["free", "free"]


def test_a_logout_takes_the_disks_away(node: Node, pool: str) -> None:
    connect(node, pool)
    guids = [device["GUID"] for device in devices(node)]
    asked = [*guids, "36000"]
    assert node.call("getDevicesVisibility", asked)["visible"] == {guids[0]: True, guids[1]: True, "36000": False}
    assert disconnect(node, pool) == 0
    assert devices(node) == []
    assert node.call("getDevicesVisibility", guids)["visible"] == dict.fromkeys(guids, False)
    assert node.host.run("find", "/etc/iscsi/nodes", "-type", "f", check=False).stdout == ""
    assert disconnect(node, pool) == 0


def test_ids_that_are_none_are_refused(node: Node, pool: str) -> None:
    for guid in ("../sda", "a b", "", "-x/"):
        assert node.code("getDevicesVisibility", [guid]) == 1000
        assert node.code("getDeviceList", ISCSI, [guid]) == 1000
    assert node.code("getDeviceInfo", "36000") == 606
    assert node.code("connectStorageServer", ISCSI, BLANK, [connection("iqn.2012-01.x:../../../tmp")]) == 1000


def test_a_login_with_credentials_shows_them_to_nobody(node: Node, vault: str) -> None:
    node.host.run("sh", "-c", "cat >/run/secret", input=f"{PASSWORD}\n")
    watch = node.host.start("sh", "-c", WATCH, timeout=60)
    assert connect(node, vault, user=USER, password=PASSWORD) == 0
    (device,) = devices(node)
    assert device["pathlist"][0]["user"] == USER
    assert PASSWORD not in str(device)
    assert node.host.shell("find /etc/iscsi -type f -exec grep -lf /run/secret {} + | xargs stat -c %a") == "600\n"
    assert disconnect(node, vault, user=USER, password="another one") == 0
    assert len(devices(node)) == 1
    assert disconnect(node, vault, user=USER, password=PASSWORD) == 0
    assert devices(node) == []
    assert node.host.run("grep", "-rlf", "/run/secret", "/etc/iscsi", check=False).stdout == ""
    assert watch.wait().stdout == "iscsiadm\n"
    assert PASSWORD not in node.log()


def test_wrong_credentials_are_told_from_other_failures(node: Node, vault: str, pool: str) -> None:
    assert connect(node, vault, user=USER, password="wrong horse 123") == 476
    assert connect(node, vault) == 476
    assert connect(node, "iqn.2012-01.lab.virgate:none") == 465
    assert connect(node, pool, port="3999") == 465
    assert connect(node, pool, connection="10.99.0.1") == 465
    assert node.host.run("find", "/etc/iscsi/nodes", "-type", "f", check=False).stdout == ""
    for said in ("refuses connections", "no route", "no such target"):
        assert said in node.log()


def test_a_target_that_does_not_answer_fails_in_bounded_time(node: Node, pool: str, server: IscsiServer) -> None:
    server.freeze()
    try:
        assert connect(node, pool) == 465
    finally:
        server.thaw()
    assert connect(node, pool) == 0


def test_a_target_that_hangs_has_failed_paths_until_it_is_back(node: Node, pool: str, server: IscsiServer) -> None:
    assert connect(node, pool) == 0
    server.freeze()
    try:
        wait_for_paths(node, "failed")
    finally:
        server.thaw()
    wait_for_paths(node, "active")
    assert [device["status"] for device in devices(node)] == ["free", "free"]


def wait_for_paths(node: Node, state: str, seconds: float = 60) -> None:
    """Meanwhile the daemon has to answer others at once."""
    deadline = time.monotonic() + seconds
    states: set[str] = set()
    while states != {state}:
        assert time.monotonic() < deadline, f"paths are {states}, not {state}"
        with ThreadPoolExecutor(1) as apart:
            looking = apart.submit(devices, node, ISCSI, [], False)
            while not looking.done():
                began = time.monotonic()
                node.call("list")
                assert time.monotonic() - began < 2
                wait([looking], timeout=0.5)
        states = {path["state"] for device in looking.result() for path in device["pathstatus"]}


def test_an_interface_is_made_and_must_fit_later(node: Node, pool: str) -> None:
    assert connect(node, pool, ifaceName="storage", netIfaceName="vec0") == 0
    assert {device["pathlist"][0]["initiatorname"] for device in devices(node)} == {"storage"}
    assert disconnect(node, pool) == 0
    assert len(devices(node)) == 2
    assert disconnect(node, pool, ifaceName="storage") == 0
    assert connect(node, pool, ifaceName="storage", netIfaceName="eth9") == 473


def test_two_paths_are_one_device_with_and_without_multipath(node: Node, pool: str) -> None:
    assert connect(node, pool) == connect(node, pool, port=str(SECOND_PORT)) == 0
    assert [len(device["pathstatus"]) for device in devices(node)] == [2, 2]
    start = """
    modprobe dm-multipath; modprobe dm-service-time; modprobe dm-round-robin
    printf 'defaults {\\n find_multipaths no\\n user_friendly_names no\\n}\\n' >/etc/multipath.conf
    multipathd; udevadm trigger --subsystem-match=block --action=change; udevadm settle
    """
    node.host.shell(start)
    try:
        large, small = devices(node)
        assert [path["state"] for path in large["pathstatus"]] == ["active", "active"]
        assert sorted(path["port"] for path in large["pathlist"]) == ["3260", "3261"]
        assert node.host.shell("ls /dev/mapper").split() == sorted([large["GUID"], small["GUID"], "control"])
        assert [large["status"], small["status"]] == ["free", "free"]
        assert disconnect(node, pool, port=str(SECOND_PORT)) == 0
        assert [len(device["pathstatus"]) for device in devices(node)] == [1, 1]
    finally:
        node.host.shell("multipath -F; multipathd shutdown; multipath -F; true")


def test_without_iscsid_the_answer_names_what_is_missing(node: Node, pool: str) -> None:
    node.host.shell("kill $(pidof iscsid)")
    assert connect(node, pool) == 465
    assert "open-iscsi" in node.log()
