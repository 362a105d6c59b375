"""Every documented key of `create` and what it does to the document, and a census that none was forgotten.

A row says: this key with this value makes this place in the document say that. Keys that act elsewhere are tested
where they act and are named in `ELSEWHERE` with the test module.
"""

import pytest

ID = "5e0a6c3e-19c0-4d4f-9d5a-0c8b5a4a7f01"
MACHINE = [
    ("vmId", {}, "uuid", None, ID),
    ("vmName", {"vmName": "vmα <&>"}, "name", None, "vmα <&>"),
    ("vmName", {}, "name", None, f"n{ID}"),
    ("memSize", {}, "memory", None, "262144"),
    ("memSize", {}, "currentMemory", None, "262144"),
    ("memGuaranteedSize", {"memGuaranteedSize": "128"}, "metadata/{*}vm/{*}minGuaranteedMemoryMb", None, "128"),
    ("maxMemSize", {"maxMemSize": "1024"}, "maxMemory", None, "1048576"),
    ("maxMemSize", {"maxMemSize": "1024", "smp": 3}, "cpu/numa/cell", "cpus", "0-2"),
    ("maxMemSlots", {"maxMemSize": "1024"}, "maxMemory", "slots", "16"),
    ("maxMemSlots", {"maxMemSize": "1024", "maxMemSlots": 8}, "maxMemory", "slots", "8"),
    ("smp", {}, "vcpu", None, "1"),
    ("smp", {"smp": "2"}, "vcpu", "current", "2"),
    ("smp", {"smp": "2"}, "vcpu", None, "2"),
    ("maxVCpus", {"smp": "2", "maxVCpus": 8}, "vcpu", None, "8"),
    ("smpCoresPerSocket", {"smp": 8, "smpCoresPerSocket": "2"}, "cpu/topology", "sockets", "4"),
    ("smpCoresPerSocket", {"smp": 8, "smpCoresPerSocket": "2"}, "cpu/topology", "cores", "2"),
    ("smpThreadsPerCore", {"smp": 8, "smpThreadsPerCore": "4"}, "cpu/topology", "threads", "4"),
    ("smpThreadsPerCore", {"smp": 8, "smpThreadsPerCore": "4"}, "cpu/topology", "cores", "1"),
    ("cpuType", {}, "cpu/model", None, "qemu64"),
    ("cpuType", {"cpuType": "Opteron_G3"}, "cpu/model", None, "Opteron_G3"),
    ("cpuType", {"cpuType": "Nehalem,+vmx"}, "cpu/feature[@name='vmx']", "policy", "require"),
    ("cpuType", {"cpuType": "Nehalem,-sse4_2"}, "cpu/feature[@name='sse4.2']", "policy", "disable"),
    ("cpuType", {"cpuType": "hostModel"}, "cpu", "mode", "host-model"),
    ("cpuPinning", {"cpuPinning": {"0": "0-1", "1": "^1,3"}, "smp": 2}, "cputune/vcpupin[2]", "cpuset", "^1,3"),
    ("numaTune", {"numaTune": {"nodeset": "0,1"}}, "numatune/memory", "mode", "strict"),
    ("numaTune", {"numaTune": {"nodeset": "0,1", "mode": "preferred"}}, "numatune/memory", "nodeset", "0,1"),
    (
        "guestNumaNodes",
        {
            "smp": 2,
            "guestNumaNodes": [
                {"nodeIndex": 1, "cpus": "1", "memory": "64"},
                {"nodeIndex": 0, "cpus": "0", "memory": 192},
            ],
        },
        "cpu/numa/cell[1]",
        "memory",
        "196608",
    ),
    ("numOfIoThreads", {"numOfIoThreads": "2"}, "iothreads", None, "2"),
    ("kvmEnable", {}, ".", "type", "kvm"),
    ("kvmEnable", {"kvmEnable": "false"}, ".", "type", "qemu"),
    ("emulatedMachine", {}, "os/type", "machine", "pc"),
    ("emulatedMachine", {"emulatedMachine": "pc-q35-6.2"}, "os/type", "machine", "pc-q35-6.2"),
    ("acpiEnable", {}, "features/acpi", None, None),
    ("hypervEnable", {"hypervEnable": "true"}, "features/hyperv/spinlocks", "retries", "8191"),
    ("hypervEnable", {"hypervEnable": "true"}, "features/hyperv/relaxed", "state", "on"),
    ("hypervEnable", {"hypervEnable": "true"}, "features/hyperv/vapic", "state", "on"),
    ("hypervEnable", {"hypervEnable": "true"}, "clock/timer[@name='hypervclock']", "present", "yes"),
    ("bootMenuEnable", {"bootMenuEnable": "true"}, "os/bootmenu", "enable", "yes"),
    ("boot", {"boot": "dnac", "hda": "/a"}, "os/boot[1]", "dev", "cdrom"),
    ("boot", {"boot": "dnac", "hda": "/a"}, "os/boot[2]", "dev", "network"),
    ("boot", {"boot": "dnac", "hda": "/a"}, "os/boot[3]", "dev", "fd"),
    ("boot", {"boot": "dnac", "hda": "/a"}, "os/boot[4]", "dev", "hd"),
    ("kernel", {"kernel": "/boot/vmlinuz"}, "os/kernel", None, "/boot/vmlinuz"),
    ("initrd", {"initrd": "/boot/initrd"}, "os/initrd", None, "/boot/initrd"),
    ("kernelArgs", {"kernel": "/k", "kernelArgs": "a=<b> c"}, "os/cmdline", None, "a=<b> c"),
    ("serial", {}, "sysinfo/system/entry[@name='serial']", None, "4c4c4544-0000-1000-8000-000000000000"),
    ("serial", {"serial": "S1"}, "sysinfo/system/entry[@name='serial']", None, "S1"),
    ("timeOffset", {}, "clock", "adjustment", "0"),
    ("timeOffset", {"timeOffset": "-3600"}, "clock", "adjustment", "-3600"),
    ("tabletEnable", {}, "devices/input", "type", "mouse"),
    ("tabletEnable", {"tabletEnable": "true"}, "devices/input", "bus", "usb"),
    ("custom", {"custom": {"a": "b"}}, "metadata/{*}vm/{*}custom/{*}a", None, "b"),
    ("display", {"display": "vnc"}, "devices/graphics", "type", "vnc"),
    ("display", {"display": "qxlnc"}, "devices/graphics", "type", "spice"),
    (
        "display",
        {"display": "qxl", "devices": [{"type": "sound", "device": "ich6"}]},
        "devices/graphics",
        "type",
        "spice",
    ),
    ("displayNetwork", {"display": "vnc", "displayNetwork": "red"}, "devices/graphics/listen", "network", "vdsm-red"),
    ("keyboardLayout", {"display": "vnc", "keyboardLayout": "de"}, "devices/graphics", "keymap", "de"),
    (
        "spiceSecureChannels",
        {"display": "qxl", "spiceSecureChannels": "smain"},
        "devices/graphics/channel",
        "name",
        "main",
    ),
    ("spiceDisableTicketing", {"display": "qxl", "spiceDisableTicketing": "true"}, "devices/graphics", "passwd", None),
    (
        "copyPasteEnable",
        {"display": "qxl", "copyPasteEnable": "false"},
        "devices/graphics/clipboard",
        "copypaste",
        "no",
    ),
    (
        "fileTransferEnable",
        {"display": "qxl", "fileTransferEnable": "no"},
        "devices/graphics/filetransfer",
        "enable",
        "no",
    ),
    ("spiceMonitors", {"display": "qxl", "spiceMonitors": "4"}, "devices/video[4]/model", "vram", "32768"),
    ("spiceMonitors", {"display": "qxl"}, "devices/video/model", "vram", "65536"),
    ("soundDevice", {"soundDevice": "ac97"}, "devices/sound", "model", "ac97"),
    (
        "macAddr",
        {"macAddr": "00:1a:4a:00:00:01", "nicModel": "pv"},
        "devices/interface/mac",
        "address",
        "00:1a:4a:00:00:01",
    ),
    ("nicModel", {"macAddr": "00:1a:4a:00:00:01", "nicModel": "pv"}, "devices/interface/model", "type", "virtio"),
    ("bridge", {"macAddr": "00:1a:4a:00:00:01", "nicModel": "pv"}, "devices/interface/source", "bridge", "engine"),
    ("bridge", {"macAddr": "00:1a:4a:00:00:01", "bridge": "red"}, "devices/interface/source", "bridge", "red"),
    ("drives", {"drives": [{"path": "/a", "if": "virtio"}]}, "devices/disk/target", "dev", "vda"),
    ("hda", {"hda": "/a"}, "devices/disk/target", "dev", "hda"),
    ("hdb", {"hdb": "/a"}, "devices/disk/target", "dev", "hdb"),
    ("hdc", {"hdc": "/a"}, "devices/disk/target", "dev", "hdc"),
    ("hdd", {"hdd": "/a"}, "devices/disk/target", "dev", "hdd"),
    ("cdrom", {"cdrom": "/a.iso"}, "devices/disk[@device='cdrom']/target", "dev", "hdc"),
    ("floppy", {"floppy": "/a.vfd"}, "devices/disk[@device='floppy']/target", "dev", "fda"),
    ("devices", {"devices": [{"type": "rng", "device": "virtio"}]}, "devices/rng", "model", "virtio"),
]

DOCUMENTED = """
vmId vmName memSize memGuaranteedSize maxMemSize maxMemSlots smp maxVCpus smpCoresPerSocket smpThreadsPerCore cpuType
cpuPinning numaTune guestNumaNodes numOfIoThreads kvmEnable vmType emulatedMachine acpiEnable hypervEnable
bootMenuEnable boot initrd kernel kernelArgs serial timeOffset tabletEnable nice cpuShares launchPaused custom display
displayNetwork keyboardLayout spiceSecureChannels spiceDisableTicketing copyPasteEnable fileTransferEnable spiceMonitors
soundDevice macAddr nicModel bridge drives hda hdb hdc hdd cdrom floppy devices
"""

ELSEWHERE = {
    "vmType": "test_request: echoed, turns kvmEnable on",
    "nice": "test_request: a weight set after the start",
    "cpuShares": "test_request: a weight set after the start",
    "launchPaused": "test_request: how the machine is started",
}


@pytest.mark.parametrize(
    ("key", "params", "path", "attribute", "said"), MACHINE, ids=[f"{row[0]}-{row[2]}" for row in MACHINE]
)
def test_a_key_says_in_the_document(build, key, params, path, attribute, said):
    found = build(**params).find(path)
    assert found is not None
    assert (found.get(attribute) if attribute else found.text) == said


def test_every_documented_key_is_set_by_a_row():
    told = {row[0] for row in MACHINE} | set(ELSEWHERE)
    assert sorted(set(DOCUMENTED.split()) - told) == []
    assert sorted(told - set(DOCUMENTED.split())) == []


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"acpiEnable": "false"}, "features"),
        ({"numaTune": {"mode": "strict"}}, "numatune"),
        ({"cpuPinning": {}}, "cputune"),
        ({"smp": 4}, "cpu/topology"),
        ({"boot": ""}, "os/boot"),
        ({"bootMenuEnable": "false"}, "os/bootmenu"),
        ({}, "maxMemory"),
        ({}, "iothreads"),
        ({}, "cpu/numa"),
        ({}, "devices/graphics"),
        ({"numOfIoThreads": ""}, "iothreads"),
    ],
)
def test_what_was_not_asked_for_is_not_there(build, params, path):
    assert build(**params).find(path) is None


def test_an_order_of_devices_takes_the_place_of_an_order_of_kinds(build):
    root = build(
        boot="nd", devices=[{"type": "disk", "device": "disk", "iface": "virtio", "path": "/a", "bootOrder": 1}]
    )
    assert root.find("os/boot") is None
    assert root.find("devices/disk/boot").get("order") == "1"


def test_children_of_a_domain_stand_in_the_order_of_the_family(build):
    root = build(numOfIoThreads=1, maxMemSize=512, cpuPinning={"0": "0"}, numaTune={"nodeset": "0"})
    assert " ".join(child.tag for child in root) == (
        "name uuid iothreads memory currentMemory maxMemory vcpu devices metadata "
        "os sysinfo clock features cputune cpu numatune"
    )


def test_the_board_tells_the_guest_what_it_is(build):
    entries = {entry.get("name"): entry.text for entry in build().iterfind("sysinfo/system/entry")}
    assert entries == {
        "manufacturer": "oVirt",
        "product": "oVirt Node",
        "version": "12-1",
        "serial": "4c4c4544-0000-1000-8000-000000000000",
        "uuid": ID,
    }


def test_clocks_tick_as_guests_of_the_family_expect(build):
    clock = build().find("clock")
    assert clock.get("offset") == "variable"
    assert [dict(timer.attrib) for timer in clock] == [
        {"name": "rtc", "tickpolicy": "catchup"},
        {"name": "pit", "tickpolicy": "delay"},
        {"name": "hpet", "present": "no"},
    ]
