"""What clients poll has the members and types of the old API for a real guest (spec xmlrpc-host-vm 4.5 to 5.2)."""

import re

import pytest
from real.whole.house import BOOTS, new_id

NUMBER = re.compile(r"-?\d+")
TWO, ONE, REAL = re.compile(r"\d+\.\d\d"), re.compile(r"\d+\.\d"), re.compile(r"\d+(\.\d+(e-?\d+)?)?")


def fits(value, wanted):
    """Types as the tables write them: a pattern is a str of that form, [x] an array of x, {...: x} a map of x."""
    if isinstance(wanted, re.Pattern):
        return isinstance(value, str) and wanted.fullmatch(value) is not None
    if isinstance(wanted, list):
        return isinstance(value, list) and all(fits(one, wanted[0]) for one in value)
    if isinstance(wanted, dict) and ... in wanted:
        return isinstance(value, dict) and all(fits(one, wanted[...]) for one in value.values())
    if isinstance(wanted, dict):
        return isinstance(value, dict) and not misfits(value, wanted)
    if isinstance(wanted, tuple):
        return value in wanted and type(value) in {type(one) for one in wanted}
    return type(value) is wanted


def misfits(struct, wanted):
    """Members that are missing or of another type, with what they are."""
    missing = "missing"
    return {
        name: struct.get(name, missing)
        for name, kind in wanted.items()
        if name not in struct or not fits(struct[name], kind)
    }


NIC = {
    **dict.fromkeys(("rxErrors", "rxDropped", "txErrors", "txDropped", "rx", "tx"), NUMBER),
    "name": str,
    "macAddr": str,
    "speed": ("100", "1000"),
    "state": str,
    "rxRate": ONE,
    "txRate": ONE,
    "sampleTime": float,
}
SIZES = ("truesize", "apparentsize", "readLatency", "writeLatency", "flushLatency")
DISK = {
    **dict.fromkeys((*SIZES, "readOps", "writeOps", "readBytes", "writtenBytes"), NUMBER),
    "readRate": REAL,
    "writeRate": REAL,
}
RUNNING = {
    **dict.fromkeys(("vmId", "vmName", "vmType", "kvmEnable", "acpiEnable", "timeOffset", "clientIp", "hash"), str),
    **dict.fromkeys(("pid", "statusTime", "elapsedTime", "cpuUsage", "vcpuCount", "memUsage"), NUMBER),
    **dict.fromkeys(("username", "session", "guestIPs", "guestFQDN"), str),
    "status": ("Up", "Powering up"),
    "monitorResponse": ("0",),
    "cpuUser": TWO,
    "cpuSys": TWO,
    "appsList": [str],
    "guestCPUCount": int,
    "vmJobs": dict,
    "disks": {...: DISK},
    "network": {...: NIC},
    "balloonInfo": dict.fromkeys(("balloon_max", "balloon_min", "balloon_cur", "balloon_target"), NUMBER),
    "displayInfo": [{"type": str, "port": NUMBER, "tlsPort": NUMBER, "ipAddress": str}],
    "displayType": ("qxl", "vnc"),
    "displayPort": NUMBER,
    "displaySecurePort": NUMBER,
    "displayIp": str,
}
DOWN = {"exitCode": int, "exitReason": int, "exitMessage": str, "status": ("Down",), "timeOffset": str, "vmId": str}
LISTED = {"vmId": str, "status": ("Up",), "statusTime": NUMBER}
FULL = {
    **LISTED,
    **dict.fromkeys(("vmName", "clientIp", "timeOffset", "display", "displayIp", "displayPort"), str),
    "pid": NUMBER,
    "custom": {...: str},
    "guestDiskMapping": dict,
    "memSize": int,
    "devices": [dict],
}

FLAG = ("true", "false")
CAPABILITIES = {
    **dict.fromkeys(("kvmEnabled", "liveMerge", "hostdevPassthrough"), FLAG),
    **dict.fromkeys(("cpuCores", "cpuThreads", "cpuSockets", "memSize", "reservedMem", "guestOverhead"), NUMBER),
    **dict.fromkeys(("version_name", "software_version", "software_revision", "uuid", "cpuModel"), str),
    **dict.fromkeys(("ISCSIInitiatorName", "lastClient", "lastClientIface"), str),
    "onlineCpus": re.compile(r"\d+(,\d+)*"),
    "cpuSpeed": REAL,
    "cpuFlags": re.compile(r"[^,\s]+(,[^,\s]+)*"),
    "vmTypes": [str],
    "emulatedMachines": [str],
    "supportedENGINEs": [str],
    "clusterLevels": [str],
    "operatingSystem": {"name": str, "version": str, "release": str},
    "packages2": {...: {"version": str, "release": str}},
    "HBAInventory": {"iSCSI": [{"InitiatorName": str}], "FC": [dict]},
    **{key: {...: dict} for key in ("networks", "bridges", "nics", "bondings", "vlans")},
    "netConfigDirty": ("True", "False"),
    "rngSources": [str],
    "numaNodes": {...: {"cpus": [int], "totalMemory": NUMBER}},
    "numaNodeDistance": {...: [int]},
    "autoNumaBalancing": int,
    "selinux": {"mode": NUMBER},
    "kdumpStatus": int,
    "additionalFeatures": [str],
}
HOST_NIC = {
    **dict.fromkeys(("speed", "rx", "tx", "rxDropped", "txDropped", "rxErrors", "txErrors"), NUMBER),
    "name": str,
    "state": ("up", "down"),
    "rxRate": ONE,
    "txRate": ONE,
    "sampleTime": float,
}
STORAGE = {
    "code": int,
    "lastCheck": ONE,
    "delay": REAL,
    "valid": bool,
    "version": int,
    "acquired": bool,
    "actual": bool,
}
STATISTICS = {
    **dict.fromkeys(("cpuUser", "cpuSys", "cpuIdle"), TWO),
    **dict.fromkeys(("memFree", "memAvailable", "memCommitted", "swapTotal", "swapFree"), int),
    **dict.fromkeys(("vmCount", "vmActive", "vmMigrating", "incomingVmMigrations", "outgoingVmMigrations"), int),
    "cpuLoad": REAL,
    "momStatus": ("active", "inactive"),
    "elapsedTime": NUMBER,
    "netConfigDirty": ("True", "False"),
    "dateTime": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d GMT"),
    "generationID": str,
    "haStats": dict,
    "storageDomains": {...: STORAGE},
}


@pytest.fixture(scope="module")
def machine(shared, guest):
    """A guest with a disk, a nic, a screen and a balloon, sampled twice."""
    shared.script(
        "before_vm_start", "#!/bin/sh\nsed -i 's/type=.bridge./type=\"ethernet\"/; /<source bridge/d' $_hook_domxml\n"
    )
    vm = shared.up(
        **BOOTS,
        kernelArgs="quiet",
        custom={"colour": "blue"},
        devices=[
            {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw", **shared.make_volume()},
            {"type": "disk", "device": "cdrom", "iface": "ide", "path": ""},
            {"type": "interface", "device": "bridge", "nicModel": "pv", "macAddr": "52:54:00:00:00:07", "network": ""},
            {"type": "graphics", "device": "vnc"},
            {"type": "video", "device": "cirrus"},
            {"type": "balloon", "device": "memballoon", "specParams": {"model": "virtio"}},
        ],
    )
    shared.no_scripts()
    shared.until(lambda: shared.stats(vm).get("network") and shared.stats(vm).get("disks"), "it was sampled twice")
    yield vm
    shared.unplug(vm)
    shared.ask("destroy", vm)


def test_statistics_of_one_machine_and_of_all_are_the_same_members_of_the_same_types(shared, machine):
    one = shared.stats(machine)
    (of_all,) = shared.ask("getAllVmStats")["statsList"]
    wanted = {name: kind for name, kind in RUNNING.items() if name != "network"}
    assert misfits(one, wanted) == {}
    assert misfits(of_all, wanted) == {}
    assert set(one) == set(of_all)
    assert misfits(one["disks"]["vda"], {"imageID": str}) == {}
    assert set(one["disks"]) == {"vda", "hda"}, "an empty drive is told as well"


def test_nics_of_a_machine_are_told_with_their_types(shared, machine):
    network = shared.stats(machine)["network"]
    assert network
    assert misfits({"network": network}, {"network": {...: NIC}}) == {}


def test_the_forms_of_list(shared, machine):
    (short,) = shared.ask("list")["vmList"]
    assert set(short) == set(LISTED)
    assert misfits(short, LISTED) == {}
    for asked in (True, "true", 1):
        (full,) = shared.ask("list", asked, [machine])["vmList"]
        assert misfits(full, FULL) == {}
        assert full["custom"] == {"colour": "blue"}
        assert not [name for name in full if name.startswith("_")]
    assert shared.ask("list", "true", [new_id()])["vmList"] == []


def test_every_device_is_found_with_alias_address_and_what_it_is(shared, machine):
    devices = shared.full(machine)["devices"]
    found = {(one["type"], one["device"]): one for one in devices}
    for kind in (("disk", "disk"), ("disk", "cdrom"), ("balloon", "memballoon"), ("video", "cirrus")):
        assert found[kind]["alias"], kind
        assert found[kind]["address"]["type"], kind
    assert found["disk", "disk"]["name"] == "vda"
    assert found["disk", "disk"]["path"].startswith("/")
    assert found["disk", "disk"]["readonly"] in ("False", "false")
    assert found["graphics", "vnc"]["port"].isdigit()


def test_capabilities(shared, machine):
    info = shared.ask("getVdsCapabilities")["info"]
    assert misfits(info, CAPABILITIES) == {}
    assert (info["kvmEnabled"] in FLAG, info["lastClient"]) == (True, "127.0.0.1")


def test_statistics_of_the_host(shared, machine):
    info = shared.ask("getVdsStats")["info"]
    assert misfits(info, STATISTICS) == {}
    assert (info["vmCount"], info["memCommitted"]) == (1, 192 + 65)
    assert set(info["storageDomains"]) == {shared.domain}
    if "network" in info:
        assert misfits(info, {"network": {...: HOST_NIC}}) == {}


def test_no_member_is_empty_or_a_surprise_on_the_wire(shared, machine):
    def walk(value, place):
        assert value is not None, place
        assert type(value) in (str, int, float, bool, dict, list), (place, type(value))
        children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for name, inner in children:
            walk(inner, f"{place}.{name}")

    for verb in ("getAllVmStats", "getVdsCapabilities", "getVdsStats", "getVdsHardwareInfo", "repoStats"):
        walk(shared.ask(verb), verb)
    walk(shared.ask("list", "true"), "list")


def test_a_machine_that_is_down_tells_why_with_numbers(shared):
    vm = shared.up()
    shared.unplug(vm)
    stats = shared.stats(vm)
    shared.ask("destroy", vm)
    assert misfits(stats, DOWN) == {}
    assert set(stats) == {*DOWN, "statusTime"}
