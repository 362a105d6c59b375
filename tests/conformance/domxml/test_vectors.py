"""The vectors of spec xmlrpc-host-vm 7 that concern domain documents, and spec hooks V5.

The number in a test's name is the vector's.
"""

from pathlib import Path

import pytest
from lxml import etree

from virgate.domxml import createfile, metadata
from virgate.domxml.errors import BadDevice, CannotCreate, MissingParameter
from virgate.domxml.hooked import hooked_devices
from virgate.domxml.metadata import DeviceMetadata, VmMetadata
from virgate.domxml.names import disk_name
from virgate.domxml.request import HostFacts, read_request
from virgate.domxml.tree import pretty

ID = "5e0a6c3e-19c0-4d4f-9d5a-0c8b5a4a7f01"
SCHEMA = etree.RelaxNG(etree.parse(Path("/usr/share/libvirt/schemas/domain.rng")))


def read(**params):
    return read_request({"vmId": ID, "memSize": "256", **params}, HostFacts(), ())


def build(**params):
    return read(**params).domain({})


def refused(failure, params):
    with pytest.raises(failure) as caught:
        read_request(params, HostFacts(), ())
    return caught.value.code, str(caught.value)


def test_15_create_of_nothing_of_a_bad_id_and_of_an_upper_case_id():
    assert refused(MissingParameter, {"vmId": ID}) == (11, "Missing required parameter memSize")
    assert refused(MissingParameter, {})[0] == 11
    assert refused(MissingParameter, {"vmId": "bad", "memSize": 1}) == (11, "vmId must be a valid UUID")
    assert refused(MissingParameter, {"vmId": ID.upper(), "memSize": 1}) == (11, "vmId must be a valid UUID")


def test_16_no_memory_and_boot_disks():
    devices = [{"type": "disk", "device": "disk", "iface": "virtio", "path": "/a"}]
    assert refused(MissingParameter, {"vmId": ID, "memSize": 0})[0] == 11
    given = {"vmId": ID, "memSize": 1, "boot": "c", "devices": devices}
    assert refused(MissingParameter, given) == (11, "missing boot disk")
    assert read_request(given | {"boot": "cd"}, HostFacts(), ()).id == ID


def test_17_unknown_display_and_added_defaults():
    assert refused(CannotCreate, {"vmId": ID, "memSize": 1, "display": "sdl"}) == (9, "Unknown display type sdl")
    conf = read(display="vnc").conf
    assert (conf["nicModel"], conf["vmType"]) == ("rtl8139,pv", "kvm")


def test_19_a_machine_of_the_first_days():
    root = build(
        display="qxl",
        spiceMonitors="2",
        nicModel="pv,e1000",
        macAddr="00:1a:4a:16:01:51,00:1a:4a:16:01:52",
        bridge="red",
        hda="/images/a",
        cdrom="/isos/b.iso",
        soundDevice="ac97",
        spiceDisableTicketing="true",
    )
    assert (root.get("type"), root.findtext("name"), root.findtext("memory")) == ("kvm", f"n{ID}", "262144")
    assert (root.find("vcpu").get("current"), root.findtext("vcpu")) == ("1", "1")
    names = [one.get("name") for one in root.iterfind("devices/channel/target")]
    assert names == ["com.redhat.rhevm.vdsm", "org.qemu.guest_agent.0", "com.redhat.spice.0"]
    assert dict(root.find("devices/input").attrib) == {"type": "mouse", "bus": "ps2"}
    assert root.find("devices/memballoon").get("model") == "none"
    controller = root.find("devices/controller")
    assert (controller.get("type"), controller.get("ports")) == ("virtio-serial", "16")
    models = [one.find("model") for one in root.iterfind("devices/video")]
    assert [(one.get("type"), one.get("vram"), one.get("heads")) for one in models] == [("qxl", "65536", "1")] * 2
    screen = root.find("devices/graphics")
    assert (screen.get("type"), screen.get("passwd"), screen.get("passwdValidTo")) == ("spice", None, None)
    nics = root.findall("devices/interface")
    assert [one.find("model").get("type") for one in nics] == ["virtio", "e1000"]
    assert [one.find("source").get("bridge") for one in nics] == ["red", "red"]
    assert [one.find("target").get("dev") for one in root.iterfind("devices/disk")] == ["hda", "hdc"]
    assert root.findtext("cpu/model") == "qemu64"
    assert dict(root.find("cpu/feature").attrib) == {"name": "svm", "policy": "disable"}
    assert root.find("devices/sound").get("model") == "ac97"
    assert SCHEMA.validate(etree.fromstring(etree.tostring(root, pretty_print=True))), SCHEMA.error_log


def test_20_processor_flags_and_topology():
    root = build(cpuType="Nehalem,+vmx,-sse4_1", smp="2", maxVCpus="8", smpCoresPerSocket="2")
    assert root.findtext("cpu/model") == "Nehalem"
    assert {one.get("name"): one.get("policy") for one in root.iterfind("cpu/feature")} == {
        "vmx": "require",
        "sse4.1": "disable",
    }
    assert dict(root.find("cpu/topology").attrib) == {"sockets": "4", "cores": "2", "threads": "1"}
    assert (root.find("vcpu").get("current"), root.findtext("vcpu")) == ("2", "8")


def test_21_no_kvm_no_acpi_host_processor():
    root = build(kvmEnable="false", acpiEnable="false", cpuType="hostPassthrough")
    assert root.get("type") == "qemu"
    assert root.find("features") is None
    assert dict(root.find("cpu").attrib) == {"match": "exact", "mode": "host-passthrough"}
    assert root.find("cpu/model") is None


def test_22_disk_names():
    names = [disk_name("virtio", index) for index in (0, 25, 26, 27, 701, 702)]
    assert names == ["vda", "vdz", "vdba", "vdbb", "vdbaz", "vdbba"]


@pytest.mark.parametrize(
    "devices",
    [
        [
            {
                "type": "disk",
                "device": "disk",
                "iface": "virtio",
                "path": "/a",
                "specParams": {"ioTune": {"total_bytes_sec": 1, "read_bytes_sec": 1}},
            }
        ],
        [{"type": "disk", "device": "disk", "iface": "virtio", "path": "/a", "sgio": "filtered"}],
        [{"type": "graphics", "device": "vnc"}, {"type": "graphics", "device": "vnc"}],
    ],
    ids=["total and read", "sgio of a disk", "two vnc"],
)
def test_23_contradictions_fail_the_start(devices):
    request = read(devices=devices)
    with pytest.raises(BadDevice):
        request.domain({})


def test_46_the_digest_of_a_payload():
    from virgate.node.vm.payload import digest

    disk = {"type": "disk", "device": "cdrom", "specParams": {"vmPayload": {"file": {"testPayload": ""}}}}
    (payload,) = read(devices=[disk]).payloads
    assert digest(payload.files) == "d37e46c24c78b1aed33496107afdb44b"


def test_47_specs_of_the_old_command_line():
    assert createfile.spec("pool:p1,domain:d1,image:i1,volume:v1,boot:true") == {
        "poolID": "p1",
        "domainID": "d1",
        "imageID": "i1",
        "volumeID": "v1",
        "boot": "true",
    }
    assert createfile.spec("{a:b,c:{d:e}}") == {"a": "b", "c": {"d": "e"}}
    assert createfile.spec("/a/b.iso") == "/a/b.iso"


def test_48_a_create_file():
    lines = ["vt=true", "imageFile=/img", "moreImages=/b,/c", "launchPaused", "custom_foo=bar"]
    params = createfile.read(lines)
    assert params == {
        "kvmEnable": True,
        "hda": "/img",
        "hdb": "/b",
        "hdc": "/c",
        "launchPaused": "",
        "custom": {"foo": "bar"},
    }
    request = read(**params)
    assert request.launch_paused
    assert [one.target for one in request.disks if one.device == "disk"] == ["hda", "hdb", "hdc"]


def test_55_metadata_keeps_types_and_shapes():
    values = {"i": 42, "b": True, "f": 3.25, "custom": {"name": "value"}}
    disk = {
        "volumeChain": [{"domainID": "d", "leaseOffset": 0}, {"domainID": "d", "leaseOffset": 1}],
        "payload": {"volId": "config-2", "file": {"user_data": "eA=="}},
    }
    nic = {"network": "red", "portMirroring": ["red", "blue"], "custom": {}}
    devices = (DeviceMetadata({"devtype": "disk", "name": "vda"}, disk), DeviceMetadata({"mac_address": "m"}, nic))
    kept = VmMetadata(values, devices)
    read_again = metadata.decode(etree.fromstring(etree.tostring(metadata.encode(kept))))
    assert read_again == kept
    assert [type(read_again.values[name]) for name in ("i", "b", "f")] == [int, bool, float]


V5 = f"""<domain type="kvm" xmlns:ovirt-vm="http://ovirt.org/vm/1.0">
  <name>vm1</name><uuid>{ID}</uuid><memory>1048576</memory>
  <devices>
    <interface type="bridge"><mac address="02:00:00:00:00:01"/></interface>
    <interface type="bridge"><mac address="02:00:00:00:00:02"/></interface>
    <disk type="file" device="disk"><source file="/x/disk0"/><target dev="vda" bus="virtio"/></disk>
    <video><model type="qxl"/></video>
  </devices>
  <metadata><ovirt-vm:vm>
    <ovirt-vm:custom><ovirt-vm:vmprop>1</ovirt-vm:vmprop></ovirt-vm:custom>
    <ovirt-vm:device mac_address="02:00:00:00:00:01">
      <ovirt-vm:custom><ovirt-vm:p>v</ovirt-vm:p></ovirt-vm:custom>
    </ovirt-vm:device>
    <ovirt-vm:device mac_address="02:00:00:00:00:02"><ovirt-vm:custom/></ovirt-vm:device>
    <ovirt-vm:device devtype="disk" name="vda">
      <ovirt-vm:custom><ovirt-vm:d>1</ovirt-vm:d></ovirt-vm:custom>
    </ovirt-vm:device>
    <ovirt-vm:n type="int">5</ovirt-vm:n><ovirt-vm:e/>
  </ovirt-vm:vm></metadata>
</domain>"""


def test_v5_devices_of_a_document_that_scripts_are_called_for():
    """The reference never calls for disks and moves what it called for to the end.

    Spec hooks 1.4 asks to include disks with properties and to keep every element in its place; both are done here.
    """
    request = read_request({"vmId": ID, "xml": V5}, HostFacts(), ())
    root = request.domain({})
    found = hooked_devices(root, request)
    nics = [one for one in found if one.element.tag == "interface"]
    assert [one.custom for one in nics] == [{"p": "v"}, {}]
    assert [one.custom for one in found if one not in nics] == [{"d": "1"}]
    assert request.custom == {"vmprop": "1"}
    for one in found:
        one.replace(pretty(one.element))
    assert [one.tag for one in root.find("devices")] == ["interface", "interface", "disk", "video"]


def test_v5_typed_and_empty_leaves():
    values = metadata.read(etree.fromstring(V5)).values
    assert (values["n"], values["e"]) == (5, "")
