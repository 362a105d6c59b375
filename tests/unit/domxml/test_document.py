"""The xml form: what is read from a client's document and what the host fills in."""

import pytest
from lxml import etree

from virgate.domxml import metadata
from virgate.domxml.errors import BadDevice, CannotCreate, MachineExists, MissingParameter, UnsafeXml
from virgate.domxml.request import DiskSource, HostFacts, LeaseSource, read_request
from virgate.units import Size

ID = "5e0a6c3e-19c0-4d4f-9d5a-0c8b5a4a7f01"
FACTS = HostFacts(os_version="12-1", host_uuid="host-1", os_name="Debian")

DOCUMENT = f"""<?xml version='1.0' encoding='UTF-8'?>
<!-- made by a manager -->
<domain type="kvm" xmlns:ovirt-tune="http://ovirt.org/vm/tune/1.0" xmlns:ovirt-vm="http://ovirt.org/vm/1.0">
  <name>vmα</name>
  <uuid>{ID}</uuid>
  <memory unit="MiB">512</memory>
  <currentMemory>524288</currentMemory>
  <iothreads>1</iothreads>
  <vcpu current="2">16</vcpu>
  <sysinfo type="smbios">
    <system>
      <entry name="manufacturer">oVirt</entry>
      <entry name="product">OS-NAME:</entry>
      <entry name="version">OS-VERSION:</entry>
      <entry name="serial">HOST-SERIAL:</entry>
      <entry name="uuid">{ID}</entry>
    </system>
  </sysinfo>
  <clock offset="variable" adjustment="-60"/>
  <features><acpi/></features>
  <os><type arch="x86_64" machine="pc-q35-6.2">hvm</type><smbios mode="sysinfo"/></os>
  <devices>
    <graphics type="vnc" port="-1" autoport="yes"><listen type="network" network="vdsm-ovirtmgmt"/></graphics>
    <disk type="file" device="disk" snapshot="no">
      <target dev="vda" bus="virtio"/>
      <source file="/rhev/data-center/p/d/images/i/v"><seclabel model="dac" relabel="no"/></source>
      <driver name="qemu" type="qcow2" cache="none"/>
      <boot order="1"/>
    </disk>
    <disk type="file" device="cdrom" snapshot="no">
      <target dev="sdc" bus="sata"/>
      <source file=""><seclabel model="dac" relabel="no"/></source>
      <driver name="qemu" type="raw"/>
      <readonly/>
    </disk>
    <disk type="file" device="cdrom" snapshot="no">
      <target dev="sdd" bus="sata"/>
      <source file="PAYLOAD:"/>
      <driver name="qemu" type="raw"/>
      <readonly/>
    </disk>
    <lease><key>l</key><lockspace>d</lockspace><target offset="LEASE-OFFSET:l:d" path="LEASE-PATH:l:d"/></lease>
    <interface type="bridge"><mac address="02:00:00:00:00:01"/><source bridge="red"/><model type="virtio"/></interface>
  </devices>
  <metadata>
    <ovirt-tune:qos/>
    <ovirt-vm:vm>
      <ovirt-vm:minGuaranteedMemoryMb type="int">256</ovirt-vm:minGuaranteedMemoryMb>
      <ovirt-vm:clusterVersion>4.7</ovirt-vm:clusterVersion>
      <ovirt-vm:launchPaused>true</ovirt-vm:launchPaused>
      <ovirt-vm:future><ovirt-vm:thing type="int">1</ovirt-vm:thing></ovirt-vm:future>
      <ovirt-vm:custom><ovirt-vm:isolate>2-3</ovirt-vm:isolate></ovirt-vm:custom>
      <ovirt-vm:device mac_address="02:00:00:00:00:01"><ovirt-vm:custom/></ovirt-vm:device>
      <ovirt-vm:device devtype="disk" name="vda">
        <ovirt-vm:poolID>p</ovirt-vm:poolID>
        <ovirt-vm:volumeID>v</ovirt-vm:volumeID>
        <ovirt-vm:shared>false</ovirt-vm:shared>
        <ovirt-vm:imageID>i</ovirt-vm:imageID>
        <ovirt-vm:domainID>d</ovirt-vm:domainID>
      </ovirt-vm:device>
      <ovirt-vm:device devtype="disk" name="sdd">
        <ovirt-vm:payload>
          <ovirt-vm:volId>config-2</ovirt-vm:volId>
          <ovirt-vm:file path="openstack/latest/user_data">I2Nsb3Vk</ovirt-vm:file>
        </ovirt-vm:payload>
      </ovirt-vm:device>
    </ovirt-vm:vm>
  </metadata>
</domain>
"""
SOURCES = {"vda": DiskSource("/new/v", "cow"), "sdd": DiskSource("/run/p.img")}
LEASES = {("l", "d"): LeaseSource("/leases/xleases", 3145728)}


def read(text=DOCUMENT, taken=(), **params):
    return read_request({"vmID": ID, "xml": text, **params}, FACTS, taken)


def finish(text=DOCUMENT, sources=SOURCES, leases=LEASES):
    return read(text).domain(sources, leases)


def test_a_document_tells_what_it_is():
    request = read()
    assert (request.id, request.name, request.memory, request.xml_form) == (ID, "vmα", Size.mib(512), True)
    assert (request.launch_paused, request.acpi, request.custom) == (True, True, {"isolate": "2-3"})


def test_its_conf_is_read_from_it():
    conf = read(memoryDumpVolume={"poolID": "p"}).conf
    assert conf["memoryDumpVolume"] == {"poolID": "p"}
    assert not conf.keys() & {"xml", "vmID"}
    told = {name: conf[name] for name in ("vmId", "vmName", "memSize", "smp", "maxVCpus", "kvmEnable", "acpiEnable")}
    assert told == {
        "vmId": ID,
        "vmName": "vmα",
        "memSize": 512,
        "smp": "2",
        "maxVCpus": "16",
        "kvmEnable": "true",
        "acpiEnable": "true",
    }
    assert (conf["timeOffset"], conf["emulatedMachine"], conf["memGuaranteedSize"]) == ("-60", "pc-q35-6.2", 256)
    assert [device["type"] for device in conf["devices"]] == ["graphics", "disk", "disk", "disk", "lease", "interface"]


def test_disks_payloads_and_leases_are_asked_for():
    request = read()
    first, second = request.disks
    assert (first.target, first.pool_id, first.domain_id, first.image_id, first.volume_id) == (
        "vda",
        "p",
        "d",
        "i",
        "v",
    )
    assert (first.format, first.is_image, first.shared) == ("cow", True, "none")
    assert (second.target, second.device, second.is_empty, second.read_only) == ("sdc", "cdrom", True, True)
    (payload,) = request.payloads
    assert (payload.target, payload.kind, payload.label) == ("sdd", "cdrom", "config-2")
    assert payload.files == {"openstack/latest/user_data": b"#cloud"}
    assert [(lease.lease_id, lease.domain_id) for lease in request.leases] == [("l", "d")]


def test_the_host_fills_in_what_only_it_knows(valid):
    root = valid(finish())
    entries = {entry.get("name"): entry.text for entry in root.iterfind("sysinfo/system/entry")}
    assert (entries["product"], entries["version"], entries["serial"]) == ("Debian", "12-1", "host-1")
    filled = [one for one in root.iterfind("devices/disk") if one.find("source") is not None]
    sources = {one.find("target").get("dev"): one.find("source").get("file") for one in filled}
    assert sources == {"vda": "/new/v", "sdd": "/run/p.img"}
    target = root.find("devices/lease/target")
    assert (target.get("path"), target.get("offset")) == ("/leases/xleases", "3145728")


def test_what_the_client_wrote_elsewhere_stays(valid):
    root = finish()
    before = etree.fromstring(DOCUMENT.encode())
    assert root.find("devices/disk/source/seclabel").get("relabel") == "no"
    assert root.find("devices/disk/driver").get("type") == "qcow2"
    assert metadata.read(root).values["future"] == {"thing": 1}
    assert [one.tag for one in root.find("devices")] == [one.tag for one in before.find("devices")]


def test_filling_in_twice_starts_from_the_clients_document():
    request = read()
    first = etree.tostring(request.domain(SOURCES, LEASES))
    assert etree.tostring(request.domain(SOURCES, LEASES)) == first
    assert (
        request.domain({**SOURCES, "vda": DiskSource("/other")}, LEASES).find("devices/disk/source").get("file")
        == "/other"
    )


def test_a_file_that_became_a_device_is_one():
    root = finish(sources={**SOURCES, "vda": DiskSource("/dev/vg/v", "raw", "block")})
    disk = root.find("devices/disk")
    assert (disk.get("type"), dict(disk.find("source").attrib)) == ("block", {"dev": "/dev/vg/v"})
    assert disk.find("driver").get("type") == "raw"


def test_a_file_that_became_a_network_name_is_one(valid):
    hosts = [{"name": "g1", "port": "0", "transport": "tcp"}]
    source = DiskSource("vol/img", "raw", "network", info={"protocol": "gluster", "hosts": hosts})
    found = valid(finish(sources={**SOURCES, "vda": source})).find("devices/disk/source")
    assert (found.get("protocol"), found.get("name"), found.get("file")) == ("gluster", "vol/img", None)
    assert dict(found.find("host").attrib) == hosts[0]


def test_a_medium_for_a_drive_without_source_gets_one(valid):
    text = DOCUMENT.replace('<source file=""><seclabel model="dac" relabel="no"/></source>', "")
    root = valid(finish(text, {**SOURCES, "sdc": DiskSource("/x.iso")}))
    assert root.find("devices/disk[2]/source").get("file") == "/x.iso"
    assert finish(text, {**SOURCES, "sdc": DiskSource("")}).find("devices/disk[2]/source") is None


def test_an_empty_drive_loses_the_empty_name_that_libvirts_schema_refuses(valid):
    root = valid(finish())
    assert root.find("devices/disk[2]/source") is None


def test_a_volume_lease_is_found_in_the_chain_of_its_disk():
    text = DOCUMENT.replace(":l:d", ":v:d")
    chain = (
        {"volumeID": "v", "domainID": "d", "leasePath": "/d/v.lease", "leaseOffset": "0"},
        {"volumeID": "w", "domainID": "d"},
    )
    root = finish(text, {**SOURCES, "vda": DiskSource("/new/v", "cow", "file", chain)}, {})
    assert dict(root.find("devices/lease/target").attrib) == {"path": "/d/v.lease", "offset": "0"}


def test_a_lease_with_a_path_is_left_alone():
    text = DOCUMENT.replace("LEASE-PATH:l:d", "/own").replace("LEASE-OFFSET:l:d", "5")
    assert read(text).leases == ()
    assert dict(finish(text, leases={}).find("devices/lease/target").attrib) == {"path": "/own", "offset": "5"}


@pytest.mark.parametrize(("sources", "leases"), [(SOURCES, {}), ({"vda": SOURCES["vda"]}, LEASES)])
def test_a_placeholder_that_nothing_fills_ends_the_start(sources, leases):
    with pytest.raises(BadDevice):
        finish(sources=sources, leases=leases)


def test_a_host_without_kvm_runs_it_in_software():
    request = read_request({"xml": DOCUMENT}, HostFacts(virt_type="qemu"), ())
    assert request.domain(SOURCES, LEASES).get("type") == "qemu"
    assert finish().get("type") == "kvm"
    assert finish(DOCUMENT.replace('type="kvm"', 'type="qemu"', 1)).get("type") == "qemu"


def test_a_document_without_metadata_becomes_ours(valid):
    start, end = DOCUMENT.index("  <metadata>"), DOCUMENT.index("</domain>")
    text = (DOCUMENT[:start] + DOCUMENT[end:]).replace("PAYLOAD:", "/a")
    root = valid(finish(text))
    assert metadata.vm_element(root) is not None
    assert metadata.find(root, metadata.TUNE, "qos").prefix == "ovirt-tune"
    assert metadata.read_conf(root)["vmId"] == ID


def test_the_uuid_of_the_document_counts():
    other = ID.replace("5e", "6e")
    assert read_request({"vmId": other, "xml": DOCUMENT}, FACTS, {other}).id == ID
    with pytest.raises(MachineExists):
        read(taken={ID})


@pytest.mark.parametrize(
    ("old", "new", "failure"),
    [
        (f"<uuid>{ID}</uuid>", "", MissingParameter),
        (f"<uuid>{ID}</uuid>", f"<uuid>{ID.upper()}</uuid>", MissingParameter),
        ('<memory unit="MiB">512</memory>', "", MissingParameter),
        ('<memory unit="MiB">512', '<memory unit="parsec">512', MissingParameter),
        ('<memory unit="MiB">512', '<memory unit="MiB">lots', MissingParameter),
        ("<domain ", '<!DOCTYPE domain SYSTEM "x"><domain ', UnsafeXml),
        ("</domain>", "", UnsafeXml),
        ("domain", "network", CannotCreate),
        ('dev="vda"', "", CannotCreate),
        ('file="/rhev/data-center/p/d/images/i/v"', 'file="/rhev/../etc/shadow"', CannotCreate),
        ("<ovirt-vm:imageID>i<", "<ovirt-vm:imageID>../i<", CannotCreate),
        ("LEASE-PATH:l:d", "LEASE-PATH:../l:d", CannotCreate),
        ('path="openstack/latest/user_data"', 'path="../../x"', CannotCreate),
        ('type="int">256<', 'type="int">many<', CannotCreate),
        ("I2Nsb3Vk", "?", CannotCreate),
        ("<ovirt-vm:payload>", "<ovirt-vm:payload/><ovirt-vm:payload>", CannotCreate),
    ],
)
def test_a_document_that_cannot_be_taken_is_refused_with_a_code(old, new, failure):
    assert old in DOCUMENT
    with pytest.raises(failure) as caught:
        read(DOCUMENT.replace(old, new))
    assert caught.value.code in (9, 11)


@pytest.mark.parametrize("xml", [5, ["<domain/>"], b"\xff"])
def test_what_is_no_text_is_no_document(xml):
    with pytest.raises(UnsafeXml):
        read(xml)


@pytest.mark.parametrize(
    ("unit", "count", "size"),
    [
        ("KiB", 1024, 1 << 20),
        ("", 1024, 1 << 20),
        ("b", 5, 5),
        ("GB", 1, 10**9),
        ("G", 2, 2 << 30),
        ("TiB", 1, 1 << 40),
    ],
)
def test_memory_counts_in_its_unit(unit, count, size):
    attribute = f' unit="{unit}"' if unit else ""
    text = DOCUMENT.replace('<memory unit="MiB">512', f"<memory{attribute}>{count}")
    assert read(text).memory.bytes == size


def test_a_floppy_may_carry_a_payload():
    text = DOCUMENT.replace(
        'device="cdrom" snapshot="no">\n      <target dev="sdd" bus="sata"',
        'device="floppy" snapshot="no">\n      <target dev="sdd" bus="fdc"',
    )
    assert read(text).payloads[0].kind == "floppy"


def test_the_finished_document_read_again_asks_for_the_same():
    first, again = read(), read(etree.tostring(finish(), encoding="unicode"))
    assert again.payloads == first.payloads
    assert [disk.image_id for disk in again.disks] == [disk.image_id for disk in first.disks]
    assert (again.custom, again.launch_paused) == (first.custom, first.launch_paused)
