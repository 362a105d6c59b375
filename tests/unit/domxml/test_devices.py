"""Every documented key of a device and what it does to its element, and a census that none was forgotten."""

import pytest

from virgate.domxml.devices import BUILDERS
from virgate.domxml.errors import BadDevice
from virgate.domxml.request import DiskSource, HostFacts, LeaseSource, NodeDevice
from virgate.domxml.tree import one_line

ID = "5e0a6c3e-19c0-4d4f-9d5a-0c8b5a4a7f01"
PCI = {"type": "pci", "domain": "0x0000", "bus": "0x00", "slot": "0x09", "function": "0x0"}
MAC = "00:1a:4a:00:00:01"


def disk(**more):
    return {"type": "disk", "device": "disk", "iface": "virtio", "path": "/images/a", **more}


def nic(**more):
    return {"type": "interface", "device": "bridge", "network": "red", "macAddr": MAC, "nicModel": "pv", **more}


def spice(**wishes):
    return {"type": "graphics", "device": "spice", "specParams": wishes}


def with_spec(kind, device, **wishes):
    return {"type": kind, "device": device, "specParams": wishes}


LUN = disk(device="lun", iface="scsi", path="/dev/mapper/x")
CEPH = disk(
    path="pool/volume",
    diskType="network",
    protocol="rbd",
    hosts=[{"name": "mon1", "port": "6789", "transport": "tcp"}],
    auth={"username": "u", "type": "ceph", "uuid": ID},
)
VF = {"type": "interface", "device": "hostdev", "hostdev": "pci_0000_05_10_1", "macAddr": MAC}
MASTER = {"type": "controller", "device": "usb", "index": 0, "model": "ich9-uhci1", "master": {"startport": "2"}}
RNG = with_spec("rng", "virtio", source="hwrng", bytes="100", period="2000")
MEMORY = {"type": "memory", "device": "memory", "size": "512", "node": "0"}
LEASE = {"type": "lease", "lease_id": "l", "sd_id": "d", "path": "/leases", "offset": "3145728"}
BANDWIDTH = {"inbound": {"average": "100", "peak": 200, "burst": 300}, "outbound": {"average": 5}}

ROWS = [
    ("disk.device", disk(), ".", "device", "disk"),
    ("disk.device", LUN, ".", "device", "lun"),
    ("disk.device", disk(device="cdrom", iface="ide"), ".", "device", "cdrom"),
    ("disk.device", disk(device="floppy", iface="fdc"), ".", "device", "floppy"),
    ("disk.iface", disk(iface="scsi"), "target", "bus", "scsi"),
    ("disk.index", disk(index="27"), "target", "dev", "vdbb"),
    ("disk.path", disk(), "source", "file", "/images/vda"),
    ("disk.format", disk(), "driver", "type", "raw"),
    ("disk.propagateErrors", disk(), "driver", "error_policy", "stop"),
    ("disk.propagateErrors", disk(propagateErrors="on"), "driver", "error_policy", "enospace"),
    ("disk.readonly", disk(readonly="true"), "readonly", None, None),
    ("disk.readonly", disk(device="floppy", iface="fdc"), "readonly", None, None),
    ("disk.shared", disk(shared="true"), "shareable", None, None),
    ("disk.shared", disk(shared="transient"), "driver", "cache", "writethrough"),
    ("disk.serial", disk(imageID=ID), "serial", None, ID),
    ("disk.serial", disk(imageID=ID, serial="S"), "serial", None, "S"),
    (
        "disk.specParams.ioTune",
        disk(specParams={"ioTune": {"total_iops_sec": "9"}}),
        "iotune/total_iops_sec",
        None,
        "9",
    ),
    ("disk.specParams.pinToIoThread", disk(specParams={"pinToIoThread": "1"}), "driver", "iothread", "1"),
    ("disk.bootOrder", disk(bootOrder="2"), "boot", "order", "2"),
    ("disk.address", disk(address=PCI), "address", "slot", "0x09"),
    ("interface.device", nic(), ".", "type", "bridge"),
    ("interface.macAddr", nic(), "mac", "address", MAC),
    ("interface.nicModel", nic(), "model", "type", "virtio"),
    ("interface.nicModel", nic(nicModel="e1000"), "model", "type", "e1000"),
    ("interface.network", nic(), "source", "bridge", "red"),
    ("interface.linkActive", nic(), "link", "state", "up"),
    ("interface.linkActive", nic(linkActive="false"), "link", "state", "down"),
    ("interface.filter", nic(filter="vdsm-no-mac-spoofing"), "filterref", "filter", "vdsm-no-mac-spoofing"),
    ("interface.custom.queues", nic(custom={"queues": "4"}), "driver", "queues", "4"),
    ("interface.custom.queues", nic(custom={"queues": "4"}), "driver", "name", "vhost"),
    ("interface.specParams.inbound", nic(specParams=BANDWIDTH), "bandwidth/inbound", "burst", "300"),
    ("interface.specParams.outbound", nic(specParams=BANDWIDTH), "bandwidth/outbound", "average", "5"),
    ("interface.bootOrder", nic(bootOrder=1), "boot", "order", "1"),
    ("interface.address", nic(address=PCI), "address", "type", "pci"),
    ("interface.hostdev", VF, "source/address", "slot", "0x10"),
    ("interface.hostdev", VF, "driver", "name", "vfio"),
    ("interface.hostdev", VF, ".", "managed", "no"),
    ("interface.vlanid", VF | {"vlanid": "7"}, "vlan/tag", "id", "7"),
    ("graphics.device", spice(), ".", "type", "spice"),
    ("graphics.device", spice(), ".", "autoport", "yes"),
    ("graphics.device", spice(), ".", "passwdValidTo", "1970-01-01T00:00:01"),
    ("graphics.specParams.keyMap", spice(keyMap="fr"), ".", "keymap", "fr"),
    ("graphics.specParams.disableTicketing", spice(disableTicketing="true"), ".", "passwd", None),
    ("graphics.specParams.displayNetwork", spice(displayNetwork="red"), "listen", "network", "vdsm-red"),
    ("graphics.specParams.displayNetwork", spice(), ".", "listen", "0"),
    ("graphics.specParams.spiceSecureChannels", spice(spiceSecureChannels="inputs"), "channel", "mode", "secure"),
    ("graphics.specParams.copyPasteEnable", spice(copyPasteEnable=False), "clipboard", "copypaste", "no"),
    ("graphics.specParams.fileTransferEnable", spice(fileTransferEnable=False), "filetransfer", "enable", "no"),
    ("video.device", with_spec("video", "qxl"), "model", "type", "qxl"),
    ("video.specParams.vram", with_spec("video", "qxl"), "model", "vram", "32768"),
    ("video.specParams.vram", with_spec("video", "qxl", vram="8192"), "model", "vram", "8192"),
    ("video.specParams.heads", with_spec("video", "qxl"), "model", "heads", "1"),
    ("video.specParams.heads", with_spec("video", "qxl", heads="4"), "model", "heads", "4"),
    ("video.specParams.ram", with_spec("video", "qxl", ram="65536"), "model", "ram", "65536"),
    ("video.specParams.vgamem", with_spec("video", "qxl", vgamem="16384"), "model", "vgamem", "16384"),
    ("video.address", with_spec("video", "qxl") | {"address": PCI}, "address", "slot", "0x09"),
    ("sound.device", {"type": "sound", "device": "ich6", "address": PCI}, ".", "model", "ich6"),
    ("sound.address", {"type": "sound", "device": "ich6", "address": PCI}, "address", "slot", "0x09"),
    ("controller.device", MASTER, ".", "type", "usb"),
    ("controller.index", MASTER, ".", "index", "0"),
    ("controller.index", {"type": "controller", "device": "virtio-serial"}, ".", "index", "0"),
    ("controller.index", {"type": "controller", "device": "virtio-serial"}, ".", "ports", "16"),
    ("controller.model", MASTER, ".", "model", "ich9-uhci1"),
    ("controller.master", MASTER, "master", "startport", "2"),
    (
        "controller.address",
        {"type": "controller", "device": "scsi", "index": 0, "address": PCI},
        "address",
        "slot",
        "0x09",
    ),
    ("balloon.specParams.model", with_spec("balloon", "memballoon", model="virtio"), ".", "model", "virtio"),
    ("balloon.specParams.model", with_spec("balloon", "memballoon", model="none"), ".", "model", "none"),
    ("balloon.address", with_spec("balloon", "memballoon") | {"address": PCI}, "address", "slot", "0x09"),
    ("watchdog.specParams.model", with_spec("watchdog", "watchdog"), ".", "model", "i6300esb"),
    ("watchdog.specParams.model", with_spec("watchdog", "watchdog", model="ib700"), ".", "model", "ib700"),
    ("watchdog.specParams.action", with_spec("watchdog", "watchdog"), ".", "action", "none"),
    ("watchdog.specParams.action", with_spec("watchdog", "watchdog", action="reset"), ".", "action", "reset"),
    ("watchdog.address", with_spec("watchdog", "watchdog") | {"address": PCI}, "address", "slot", "0x09"),
    ("console.specParams.consoleType", {"type": "console"}, "target", "type", "virtio"),
    (
        "console.specParams.consoleType",
        with_spec("console", "console", consoleType="serial"),
        "target",
        "type",
        "serial",
    ),
    ("console.specParams.enableSocket", {"type": "console"}, ".", "type", "pty"),
    ("console.specParams.enableSocket", with_spec("console", "console", enableSocket="true"), ".", "type", "unix"),
    (
        "console.specParams.enableSocket",
        with_spec("console", "console", enableSocket=True),
        "source",
        "path",
        f"/var/run/ovirt-vmconsole-console/{ID}.sock",
    ),
    (
        "smartcard.specParams.mode",
        with_spec("smartcard", "smartcard", mode="passthrough", type="spicevmc"),
        ".",
        "mode",
        "passthrough",
    ),
    ("smartcard.specParams.mode", with_spec("smartcard", "smartcard", mode="host"), ".", "mode", "host"),
    ("smartcard.specParams.type", with_spec("smartcard", "smartcard", mode="passthrough"), ".", "type", "spicevmc"),
    (
        "smartcard.address",
        with_spec("smartcard", "smartcard") | {"address": {"type": "ccid", "controller": "0", "slot": "0"}},
        "address",
        "type",
        "ccid",
    ),
    ("redir.device", {"type": "redir", "device": "spicevmc"}, ".", "type", "spicevmc"),
    ("redir.bus", {"type": "redir", "device": "spicevmc"}, ".", "bus", "usb"),
    (
        "redir.address",
        {"type": "redir", "device": "spicevmc", "address": {"type": "usb", "bus": "0", "port": "1"}},
        "address",
        "port",
        "1",
    ),
    ("rng.model", RNG, ".", "model", "virtio"),
    ("rng.specParams.source", RNG, "backend", None, "/dev/hwrng"),
    ("rng.specParams.source", {"type": "rng", "device": "virtio"}, "backend", None, "/dev/random"),
    ("rng.specParams.bytes", RNG, "rate", "bytes", "100"),
    ("rng.specParams.period", RNG, "rate", "period", "2000"),
    ("tpm.specParams.model", {"type": "tpm", "device": "tpm"}, ".", "model", "tpm-tis"),
    ("tpm.specParams.mode", {"type": "tpm", "device": "tpm"}, "backend", "type", "passthrough"),
    ("tpm.specParams.path", with_spec("tpm", "tpm", path="/dev/tpm1"), "backend/device", "path", "/dev/tpm1"),
    ("hostdev.device", {"type": "hostdev", "device": "pci_0000_05_00_0"}, "source/address", "bus", "0x05"),
    ("hostdev.device", {"type": "hostdev", "device": "pci_0000_05_00_0"}, ".", "type", "pci"),
    ("hostdev.device", {"type": "hostdev", "device": "scsi_3_0_1_2"}, "source/adapter", "name", "scsi_host3"),
    ("hostdev.device", {"type": "hostdev", "device": "scsi_3_0_1_2"}, "source/address", "unit", "2"),
    ("hostdev.bootOrder", {"type": "hostdev", "device": "pci_0000_05_00_0", "bootOrder": 3}, "boot", "order", "3"),
    ("hostdev.address", {"type": "hostdev", "device": "pci_0000_05_00_0", "address": PCI}, "address", "slot", "0x09"),
    ("memory.size", MEMORY, "target/size", None, "524288"),
    ("memory.node", MEMORY, "target/node", None, "0"),
    ("memory.size", MEMORY, ".", "model", "dimm"),
    ("lease.lease_id", LEASE, "key", None, "l"),
    ("lease.sd_id", LEASE, "lockspace", None, "d"),
    ("lease.path", LEASE, "target", "path", "/leases"),
    ("lease.offset", LEASE, "target", "offset", "3145728"),
]

DOCUMENTED = """
disk.device disk.iface disk.index disk.path disk.format disk.propagateErrors disk.readonly disk.shared disk.optional
disk.serial disk.sgio disk.diskType disk.protocol disk.hosts disk.auth disk.specParams.ioTune
disk.specParams.pinToIoThread disk.specParams.path disk.specParams.vmPayload disk.bootOrder disk.address disk.PDIV
disk.GUID disk.UUID interface.device interface.macAddr interface.nicModel interface.network interface.linkActive
interface.filter interface.portMirroring interface.hostdev interface.custom.queues interface.specParams.inbound
interface.specParams.outbound interface.vlanid interface.bootOrder interface.address graphics.device
graphics.specParams.keyMap graphics.specParams.disableTicketing graphics.specParams.displayNetwork
graphics.specParams.spiceSecureChannels graphics.specParams.copyPasteEnable graphics.specParams.fileTransferEnable
video.device video.specParams.vram video.specParams.heads video.specParams.ram video.specParams.vgamem video.address
sound.device sound.address controller.device controller.index controller.model controller.master controller.address
balloon.specParams.model balloon.target balloon.address watchdog.specParams.model watchdog.specParams.action
watchdog.address console.specParams.consoleType console.specParams.enableSocket smartcard.specParams.mode
smartcard.specParams.type smartcard.address redir.device redir.bus redir.address rng.model rng.specParams.source
rng.specParams.bytes rng.specParams.period tpm.specParams.model tpm.specParams.mode tpm.specParams.path hostdev.device
hostdev.bootOrder hostdev.specParams.iommuPlaceholder hostdev.address memory.size memory.node lease.lease_id lease.sd_id
lease.path lease.offset channel.device
"""

ELSEWHERE = {
    "disk.optional": "test_an_optional_drive_without_its_medium_starts below",
    "disk.sgio": "test_sgio_is_for_luns below",
    "disk.diskType": "test_a_network_disk_names_its_hosts below",
    "disk.protocol": "test_a_network_disk_names_its_hosts below",
    "disk.hosts": "test_a_network_disk_names_its_hosts below",
    "disk.auth": "test_a_network_disk_names_its_hosts below",
    "disk.specParams.path": "test_a_disk_without_a_source_uses_the_given_path below",
    "disk.specParams.vmPayload": "test_request: a payload",
    "disk.PDIV": "test_request: an image",
    "disk.GUID": "test_request: by guid",
    "disk.UUID": "test_request: by uuid",
    "interface.portMirroring": "test_metadata: kept for the network",
    "balloon.target": "test_request: a balloon",
    "hostdev.specParams.iommuPlaceholder": "test_a_placeholder_stays_off_the_guest below",
    "channel.device": "test_a_type_without_a_page_is_built_from_its_name below",
}


@pytest.mark.parametrize(
    ("key", "given", "path", "attribute", "said"), ROWS, ids=[f"{row[0]}-{row[2]}-{row[4]}" for row in ROWS]
)
def test_a_key_says_in_the_element(device, key, given, path, attribute, said):
    extra = {"display": "qxl"} if given["type"] in ("smartcard", "redir") else {}
    found = device(given, **extra).find(path)
    assert found is not None
    assert (found.get(attribute) if attribute else found.text) == said


def test_every_documented_key_is_set_by_a_row():
    told = {row[0] for row in ROWS} | set(ELSEWHERE)
    assert sorted(set(DOCUMENTED.split()) - told) == []
    assert sorted(told - set(DOCUMENTED.split())) == []


def test_every_builder_is_in_the_census():
    assert sorted(BUILDERS) == sorted({key.split(".")[0] for key in DOCUMENTED.split()})


@pytest.mark.parametrize(
    ("given", "path"),
    [
        (disk(device="cdrom", iface="ide"), "driver"),
        (disk(device="floppy", iface="fdc", readonly="false"), "readonly"),
        (disk(), "readonly"),
        (disk(), "shareable"),
        (disk(shared="exclusive"), "shareable"),
        (disk(), "boot"),
        (disk(bootOrder=""), "boot"),
        (disk(specParams={"ioTune": {}}), "iotune"),
        (disk(specParams=""), "iotune"),
        (LUN | {"imageID": ID}, "serial"),
        (nic(macAddr=""), "mac"),
        (nic(nicModel=""), "model"),
        (nic(filter=""), "filterref"),
        (nic(), "driver"),
        (nic(), "tune"),
        (nic(specParams={"inbound": {}}), "bandwidth"),
        (VF | {"nicModel": "pv"}, "model"),
        (spice(), "clipboard"),
        (spice(displayNetwork=""), "listen"),
        (spice(spiceSecureChannels="nonsense,,"), "channel"),
    ],
)
def test_what_was_not_asked_for_is_not_there(device, given, path):
    assert device(given).find(path) is None


def test_a_drive_without_medium_has_no_source(build):
    root = build(sources={}, devices=[disk(device="cdrom", iface="ide", path="")])
    assert root.find("devices/disk/source") is None


def test_an_optional_drive_without_its_medium_starts(device):
    for kind, iface in (("cdrom", "ide"), ("floppy", "fdc")):
        assert device(disk(device=kind, iface=iface, optional="true")).find("source").get("startupPolicy") == "optional"
    assert device(disk()).find("source").get("startupPolicy") is None


@pytest.mark.parametrize(
    ("source", "attribute", "io", "kind", "driver"),
    [
        (DiskSource("/images/a", "cow"), "file", "threads", "file", "qcow2"),
        (DiskSource("/dev/vg/a", "raw", "block"), "dev", "native", "block", "raw"),
        (DiskSource("/images/a", "qcow2"), "file", "threads", "file", "qcow2"),
        (DiskSource("/images/a", ""), "file", "threads", "file", "qcow2"),
    ],
)
def test_a_disk_is_where_storage_put_it(build, source, attribute, io, kind, driver):
    found = build(sources={"vda": source}, devices=[disk(format="cow")]).find("devices/disk")
    assert found.get("type") == kind
    assert found.find("source").get(attribute) == source.path
    assert (found.find("driver").get("io"), found.find("driver").get("type")) == (io, driver)


def test_a_disk_without_a_source_uses_the_given_path(build):
    devices = [disk(), disk(path="/dev/sdx"), disk(path="", specParams={"path": "/images/b"})]
    found = build(sources={}, devices=devices).findall("devices/disk/source")
    assert [dict(source.attrib) for source in found] == [
        {"file": "/images/a"},
        {"dev": "/dev/sdx"},
        {"file": "/images/b"},
    ]


def test_a_hard_disk_without_any_place_cannot_start(request_of):
    with pytest.raises(BadDevice, match="vda has no image and no path"):
        request_of(devices=[disk(path="")]).domain({})


def test_native_io_is_left_where_a_cache_forbids_it(build):
    block = {"vda": DiskSource("/dev/a", "raw", "block")}
    driver = build(sources=block, devices=[disk()], custom={"viodiskcache": "writeback"}).find("devices/disk/driver")
    assert (driver.get("cache"), driver.get("io")) == ("writeback", "threads")


def test_the_cache_of_a_property_is_for_virtio_only(build):
    root = build(devices=[disk(), disk(iface="scsi")], custom={"viodiskcache": "writeback"})
    assert [one.get("cache") for one in root.iterfind("devices/disk/driver")] == ["writeback", "none"]


def test_a_network_disk_names_its_hosts(build):
    found = build(sources={}, devices=[CEPH]).find("devices/disk")
    assert found.get("type") == "network"
    assert one_line(found.find("source")) == (
        '<source protocol="rbd" name="pool/volume"><host name="mon1" port="6789" transport="tcp"/>'
        f'<auth username="u"><secret type="ceph" uuid="{ID}"/></auth></source>'
    )


def test_a_network_source_of_storage_brings_its_own_hosts(build):
    source = DiskSource("v/img", "raw", "network", info={"protocol": "gluster", "hosts": [{"name": "g", "port": 0}]})
    found = build(sources={"vda": source}, devices=[disk()]).find("devices/disk/source")
    assert one_line(found) == '<source protocol="gluster" name="v/img"><host name="g" port="0"/></source>'


def test_sgio_is_for_luns(build, request_of):
    block = {"sda": DiskSource("/dev/a", "raw", "block")}
    assert build(sources=block, devices=[LUN | {"sgio": "unfiltered"}]).find("devices/disk").get("sgio") == "unfiltered"
    with pytest.raises(BadDevice, match="sgio"):
        request_of(devices=[disk(sgio="unfiltered")]).domain({})


@pytest.mark.parametrize(
    "limits",
    [
        {"total_bytes_sec": 1, "read_bytes_sec": 1},
        {"total_iops_sec": "5", "write_iops_sec": "1"},
        {"total_bytes_sec": -1},
        {"read_iops_sec": "many"},
        {"nonsense": 1},
        "fast",
    ],
)
def test_limits_that_contradict_or_say_nothing_cannot_start(request_of, limits):
    with pytest.raises(BadDevice):
        request_of(devices=[disk(specParams={"ioTune": limits})]).domain({})


def test_a_limit_of_zero_contradicts_nothing(device):
    limits = {"total_bytes_sec": 0, "read_bytes_sec": "7"}
    assert [one.tag for one in device(disk(specParams={"ioTune": limits})).find("iotune")] == ["read_bytes_sec"]
    assert device(disk(specParams={"ioTune": {"total_bytes_sec": "0"}})).find("iotune") is None


CHAIN = (
    {"domainID": "d", "volumeID": "base", "leasePath": "/d/base.lease", "leaseOffset": 0},
    {"domainID": "d", "volumeID": "leaf", "leasePath": "/d/leaf.lease", "leaseOffset": 512},
)


def test_an_exclusive_disk_holds_the_lease_of_its_leaf(build):
    source = DiskSource("/images/a", "cow", "file", CHAIN)
    (lease,) = build(sources={"vda": source}, devices=[disk(shared="exclusive")]).findall("devices/lease")
    assert one_line(lease) == (
        '<lease><key>leaf</key><lockspace>d</lockspace><target path="/d/leaf.lease" offset="512"/></lease>'
    )


@pytest.mark.parametrize(
    ("shared", "chain", "leases", "held"),
    [
        ("none", CHAIN, False, False),
        ("none", CHAIN, True, True),
        ("shared", CHAIN, True, False),
        ("exclusive", (), True, False),
        ("exclusive", ({"domainID": "d", "volumeID": "v"},), True, False),
    ],
)
def test_a_lease_is_held_where_wanted_and_where_there_is_one(request_of, shared, chain, leases, held):
    request = request_of(facts=HostFacts(volume_leases=leases), devices=[disk(shared=shared)])
    root = request.domain({"vda": DiskSource("/images/a", "raw", "file", chain)})
    assert (root.find("devices/lease") is not None) is held


def test_a_machine_lease_is_where_storage_found_it(build, request_of):
    wanted = {"type": "lease", "lease_id": "l", "sd_id": "d"}
    target = build(leases={("l", "d"): LeaseSource("/x", 7)}, devices=[wanted]).find("devices/lease/target")
    assert (target.get("path"), target.get("offset")) == ("/x", "7")
    with pytest.raises(BadDevice, match="was not found"):
        request_of(devices=[wanted]).domain({})


def test_properties_of_the_machine_choose_the_driver_of_a_bridge(build):
    devices = [nic(), nic(network="blue"), nic(network="green")]
    root = build(devices=devices, custom={"vhost": "red:true,blue:false", "sndbuf": "0"})
    drivers = [one.find("driver") for one in root.iterfind("devices/interface")]
    assert [None if one is None else one.get("name") for one in drivers] == ["vhost", "qemu", None]
    assert root.find("devices/interface/tune/sndbuf").text == "0"


def test_a_nic_without_network_is_on_the_bridge_that_leads_nowhere(request_of):
    # Its name has characters that libvirt takes and libvirt's schema does not, so no schema is asked here.
    source = request_of(devices=[nic(network="")]).domain({}).find("devices/interface/source")
    assert source.get("bridge") == ";vdsmdummy;"


def test_a_virtual_function_is_a_pci_device(request_of):
    for name in ("scsi_1_2_3_4", "eth0", ""):
        with pytest.raises(BadDevice):
            request_of(devices=[VF | {"hostdev": name}]).domain({})


def test_a_host_device_is_what_the_host_says(request_of, valid):
    facts = HostFacts(node_devices={"usb_1_1": NodeDevice("usb", {"bus": "1", "device": "4"})})
    root = valid(request_of(facts=facts, devices=[{"type": "hostdev", "device": "usb_1_1"}]).domain({}))
    assert one_line(root.find("devices/hostdev")) == (
        '<hostdev mode="subsystem" type="usb" managed="no"><source><address bus="1" device="4"/></source></hostdev>'
    )


def test_a_placeholder_stays_off_the_guest(device):
    assert device(with_spec("hostdev", "pci_0000_05_00_0", iommuPlaceholder="true")) is None


def test_certificates_of_the_host_make_spice_secure(request_of, valid):
    facts = HostFacts(spice_tls=True)
    screens = valid(request_of(facts=facts, devices=[spice(), with_spec("graphics", "vnc")]).domain({}))
    first, second = screens.findall("devices/graphics")
    assert (first.get("tlsPort"), first.get("defaultMode")) == ("-1", "secure")
    assert (second.get("tlsPort"), second.get("defaultMode")) == (None, None)


def test_secure_channels_lose_the_old_letter_and_the_unknown(device):
    found = device(spice(spiceSecureChannels="smain,sinputs, display,smartcard,ssmartcard,sfoo,main"))
    assert [one.get("name") for one in found.iterfind("channel")] == ["main", "inputs", "display", "smartcard"]


def test_a_spice_machine_has_one_channel_for_its_agent(build):
    names = [one.get("name") for one in build(display="qxl").iterfind("devices/channel[@type='spicevmc']/target")]
    assert names == ["com.redhat.spice.0"]
    assert build(display="vnc").find("devices/channel[@type='spicevmc']") is None


def test_a_serial_console_is_also_a_serial_port_with_the_same_source(build):
    for socket, kind in (("true", "unix"), ("false", "pty")):
        root = build(devices=[with_spec("console", "console", consoleType="serial", enableSocket=socket)])
        port, face = root.find("devices/serial"), root.find("devices/console")
        assert (port.get("type"), face.get("type"), port.find("target").get("port")) == (kind, kind, "0")
        sources = [None if one.find("source") is None else dict(one.find("source").attrib) for one in (port, face)]
        assert sources[0] == sources[1]
    assert build(devices=[{"type": "console"}]).find("devices/serial") is None


def test_a_log_file_may_be_added_to_a_serial_port(build, valid):
    root = build(devices=[with_spec("console", "console", consoleType="serial")])
    root.find("devices/serial").append(root.makeelement("log", {"file": "/var/log/x.log"}))
    valid(root)


@pytest.mark.parametrize(
    "devices",
    [
        [{"type": "watchdog"}, {"type": "watchdog"}],
        [{"type": "console"}, {"type": "console"}],
        [with_spec("graphics", "vnc"), with_spec("graphics", "vnc")],
        [with_spec("console", "console", consoleType="punched cards")],
        [with_spec("rng", "virtio", source="dice")],
        [{"type": "hostdev", "device": "toaster"}],
        [{"type": "not a name", "device": "x"}],
        [{"type": "a><b", "device": "x"}],
        [disk(address="0x1")],
        [disk(address={"a b": "1"})],
        [disk(address={"xmlns:x": "1"})],
        [{"type": "lease"}],
    ],
)
def test_devices_that_cannot_be_built_end_the_start_not_the_request(request_of, devices):
    request = request_of(devices=devices)
    with pytest.raises(BadDevice) as caught:
        request.domain({})
    assert caught.value.code == 9


def test_one_screen_of_each_kind_is_fine(build):
    assert len(build(devices=[spice(), with_spec("graphics", "vnc")]).findall("devices/graphics")) == 2


def test_a_type_without_a_page_is_built_from_its_name(request_of):
    devices = [{"type": "novelty", "device": "x<y", "address": PCI}, {"type": "channel", "device": "pty"}]
    root = request_of(devices=devices).domain({})
    assert one_line(root.find("devices/novelty")).startswith('<novelty type="x&lt;y"><address type="pci"')
    assert root.find("devices/channel[@type='pty']") is not None


def test_both_agents_have_a_channel_named_after_the_machine(build):
    channels = build().findall("devices/channel")[:2]
    for channel, name in zip(channels, ("com.redhat.rhevm.vdsm", "org.qemu.guest_agent.0"), strict=True):
        assert channel.find("target").get("name") == name
        assert channel.find("source").get("path") == f"/var/lib/libvirt/qemu/channels/{ID}.{name}"


def test_devices_stand_in_groups_and_keep_their_order_inside(build):
    devices = [nic(), {"type": "console"}, disk(), {"type": "sound", "device": "ich6"}, disk(iface="scsi"), LEASE]
    root = build(devices=devices, display="qxl")
    assert [one.tag for one in root.find("devices")] == [
        "channel",
        "channel",
        "input",
        "disk",
        "disk",
        "interface",
        "sound",
        "graphics",
        "memballoon",
        "console",
        "channel",
        "lease",
    ]
    assert [one.get("dev") for one in root.iterfind("devices/disk/target")] == ["vda", "sda"]
