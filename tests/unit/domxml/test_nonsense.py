"""Whatever clients send: a document or one coded error, never another exception, never markup that was not built."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from virgate.domxml import metadata, running
from virgate.domxml.hooked import hooked_devices
from virgate.domxml.request import HostFacts, read_request
from virgate.errors import VirgateError

ID = "5e0a6c3e-19c0-4d4f-9d5a-0c8b5a4a7f01"
MACHINE = """
vmName memSize memGuaranteedSize maxMemSize maxMemSlots smp maxVCpus smpCoresPerSocket smpThreadsPerCore cpuType
cpuPinning numaTune guestNumaNodes numOfIoThreads kvmEnable vmType emulatedMachine acpiEnable hypervEnable
bootMenuEnable boot initrd kernel kernelArgs serial timeOffset tabletEnable nice cpuShares launchPaused custom display
displayNetwork keyboardLayout spiceSecureChannels spiceDisableTicketing copyPasteEnable fileTransferEnable spiceMonitors
soundDevice macAddr nicModel bridge drives hda hdb hdc hdd cdrom floppy sysprepInf
"""
DEVICE = """
device iface index path format propagateErrors readonly shared optional serial sgio diskType protocol hosts auth
specParams bootOrder address custom poolID imageID domainID volumeID GUID UUID macAddr nicModel network linkActive
filter portMirroring hostdev vlanid model master bus size node lease_id sd_id offset alias deviceId name target
"""
WISHES = """
ioTune pinToIoThread path vmPayload inbound outbound keyMap disableTicketing displayNetwork spiceSecureChannels
copyPasteEnable vram heads ram model action consoleType enableSocket mode type source bytes period iommuPlaceholder
"""
KINDS = """
disk interface graphics video sound controller balloon watchdog console smartcard redir rng tpm hostdev memory lease
channel
"""
DEVICES = "disk cdrom floppy lun bridge hostdev spice vnc qxl virtio-serial usb console pci_0000_05_00_0"
LIKELY = [
    "0",
    "1",
    "27",
    "true",
    "on",
    "virtio",
    "ide",
    "scsi",
    "a,b",
    "br:true",
    "/a",
    "..",
    "<x/>",
    "]]>",
    "&amp;",
    "\x00",
]

word = st.one_of(st.sampled_from(LIKELY), st.text(max_size=6))
leaf = st.one_of(st.none(), st.booleans(), st.integers(-(2**31), 2**31 - 1), st.floats(), word, st.binary(max_size=4))
value = st.recursive(
    leaf, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(word, inner, max_size=3)), max_leaves=5
)


def struct(names, values=value):
    return st.dictionaries(st.sampled_from(names.split()), values, max_size=4)


device = st.builds(
    lambda kind, name, rest, wishes: {
        "type": kind,
        "device": name,
        **rest,
        **({"specParams": wishes} if wishes else {}),
    },
    st.sampled_from(KINDS.split()),
    st.one_of(st.sampled_from(DEVICES.split()), word),
    struct(DEVICE),
    struct(WISHES),
)
params = st.builds(
    lambda rest, devices: {"vmId": ID, "memSize": "64", **rest, **({"devices": devices} if devices else {})},
    struct(MACHINE),
    st.lists(device, max_size=3),
)


def tags(root):
    return [one.tag for one in root.iter() if isinstance(one.tag, str)]


@settings(max_examples=400, deadline=None)
@given(params)
def test_a_device_list_becomes_a_document_or_a_coded_error(given_params):
    try:
        request = read_request(given_params, HostFacts(), ())
        root = request.domain({})
    except VirgateError as failure:
        assert isinstance(failure.code, int)
        assert str(failure)
        return
    again = etree.fromstring(etree.tostring(root))
    assert tags(again) == tags(root)
    found = running.read(etree.tostring(root, encoding="unicode"))
    assert found.custom == {**metadata.read(root).custom, **request.custom}
    assert all(isinstance(one.custom, dict) for one in hooked_devices(root, request))


@settings(max_examples=200, deadline=None)
@given(params)
def test_the_echo_read_again_is_the_same_machine(given_params):
    try:
        request = read_request(given_params, HostFacts(), ())
        root = request.domain({})
    except VirgateError:
        return
    again = read_request(metadata.read_conf(root), HostFacts(), ())
    answers = {one.target for one in request.payloads}  # the floppy of an unattended installation is not echoed
    assert [one.target for one in again.disks if one.target not in answers] == [one.target for one in request.disks]
    assert (again.id, again.name, again.custom, again.memory) == (
        request.id,
        request.name,
        request.custom,
        request.memory,
    )


ELEMENTS = ["disk", "interface", "target", "source", "uuid", "memory", "vcpu", "os", "boot", "lease", "key", "metadata"]
ATTRIBUTES = ["dev", "bus", "type", "device", "unit", "path", "current", "file", "name"]


def documents():
    def build(tag, attributes, text, children):
        made = etree.Element(tag, attributes)
        made.text = text
        made.extend(children)
        return made

    safe = word.map(lambda text: "".join(letter for letter in text if letter.isprintable()))
    node = st.builds(
        build,
        st.sampled_from(ELEMENTS),
        st.dictionaries(st.sampled_from(ATTRIBUTES), safe, max_size=2),
        safe,
        st.just([]),
    )
    for _ in range(2):
        node = st.builds(
            build,
            st.sampled_from(ELEMENTS),
            st.dictionaries(st.sampled_from(ATTRIBUTES), safe, max_size=2),
            safe,
            st.lists(node, max_size=3),
        )
    return st.lists(node, max_size=4)


@settings(max_examples=200, deadline=None)
@given(documents(), documents())
def test_a_document_of_any_shape_becomes_a_machine_or_a_coded_error(above, below):
    root = etree.fromstring(f"<domain><uuid>{ID}</uuid><name>n</name><memory>4096</memory><devices/></domain>")
    root.extend(above)
    root.find("devices").extend(below)
    text = etree.tostring(root, encoding="unicode")
    try:
        request = read_request({"xml": text}, HostFacts(), ())
        done = request.domain({})
    except VirgateError as failure:
        assert isinstance(failure.code, int)
        return
    assert running.read(etree.tostring(done, encoding="unicode")).id == ID


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_any_text_is_a_document_or_a_coded_error(text):
    with pytest.raises(VirgateError):
        read_request({"xml": text or "x"}, HostFacts(), ())


@pytest.mark.parametrize("key", ["vmName", "kernelArgs", "serial", "emulatedMachine", "soundDevice", "cdrom"])
def test_markup_in_a_value_is_text(key):
    evil = "x'\"]]></name><evil/><!-- "
    root = read_request({"vmId": ID, "memSize": 64, key: evil}, HostFacts(), ()).domain({})
    again = etree.fromstring(etree.tostring(root))
    assert again.find(".//evil") is None
    assert evil in [one.text for one in again.iter()] + [text for one in again.iter() for text in one.attrib.values()]


def test_nothing_means_the_default():
    devices = [{"type": "disk", "device": "disk", "iface": None, "path": "/a", "specParams": None, "address": None}]
    request = read_request(
        {"vmId": ID, "memSize": 64, "acpiEnable": None, "custom": None, "smp": None, "boot": None, "devices": devices},
        HostFacts(),
        (),
    )
    assert request.acpi
    assert request.domain({}).find("devices/disk/target").get("dev") == "hda"
    assert "None" not in repr(request.conf)
