"""Devices of the host: told in clients' words, lent to machines and split, from recorded documents of libvirt."""

import libvirt
import pytest
import pytest_twisted

from virgate.domxml.facts import HostFacts, NodeDevice
from virgate.errors import InvalidParameter
from virgate.events import EventBus
from virgate.libvirt.errors import HypervisorAway, HypervisorFailed
from virgate.node.host.facts import Facts
from virgate.node.host.hostdev import HostDevices
from virgate.node.host.hostdev_documents import node_device, parameters
from virgate.node.host.hostdev_errors import CannotSplit, DeviceNotFound

COMPUTER = "<device><name>computer</name><capability type='system'><product>Box</product></capability></device>"
CARD = """<device><name>pci_0000_05_00_0</name><parent>pci_0000_00_01_0</parent><driver><name>igb</name></driver>
<capability type='pci'><class>0x020000</class><domain>0</domain><bus>5</bus><slot>0</slot><function>0</function>
<product id='0x10c9'>82576 Gigabit</product><vendor id='0x8086'>Intel</vendor>
<capability type='virt_functions' maxCount='7'/><iommuGroup number='15'/></capability></device>"""
FUNCTION = """<device><name>pci_0000_05_10_1</name><parent>pci_0000_00_01_0</parent><capability type='pci'>
<domain>0</domain><bus>5</bus><slot>16</slot><function>1</function><product id='0x10ca'/><vendor id='0x8086'/>
<capability type='phys_function'><address domain='0x0000' bus='0x05' slot='0x00' function='0x0'/></capability>
</capability></device>"""
BRIDGE = """<device><name>pci_0000_00_01_0</name><parent>computer</parent><capability type='pci'><domain>0</domain>
<bus>0</bus><slot>1</slot><function>0</function><capability type='pci-bridge'/></capability></device>"""
STICK = """<device><name>usb_1_1_2</name><parent>usb_1_1</parent><capability type='usb_device'><bus>1</bus>
<device>4</device><product id='0x5591'>Ultra</product><vendor id='0x0781'>SanDisk</vendor></capability></device>"""
TAPE = """<device><name>scsi_3_0_1_2</name><parent>scsi_target3_0_1</parent><capability type='scsi'><host>3</host>
<bus>0</bus><target>1</target><lun>2</lun><type>disk</type></capability></device>"""
NIC = """<device><name>net_eth0_02</name><parent>pci_0000_05_00_0</parent><capability type='net'>
<interface>eth0</interface><address>02:00:00:00:00:01</address></capability></device>"""
ALL = {parameters(text)[0]: text for text in (COMPUTER, CARD, FUNCTION, BRIDGE, STICK, TAPE, NIC)}


class Device:
    def __init__(self, libvirt_, name):
        self.libvirt, self.name = libvirt_, name

    def XMLDesc(self, _flags):
        return self.libvirt.documents[self.name]

    def dettach(self):
        self.libvirt.did.append(("detach", self.name))

    def reAttach(self):
        self.libvirt.did.append(("reattach", self.name))


class NoSuchDevice(libvirt.libvirtError):
    def __init__(self):
        super().__init__("no node device")

    def get_error_code(self):
        return libvirt.VIR_ERR_NO_NODE_DEVICE


class Libvirt:
    """The part of libvirt's connection that is asked."""

    def __init__(self, documents=ALL):
        self.documents, self.did, self.asked = dict(documents), [], []

    async def call(self, function):
        return function(self)

    def listAllDevices(self, flags):
        self.asked.append(flags)
        return [Device(self, name) for name in self.documents]

    def nodeDeviceLookupByName(self, name):
        self.asked.append(name)
        if name not in self.documents:
            raise NoSuchDevice
        return Device(self, name)

    def getDomainCapabilities(self, _emulator, arch, machine, kind, _flags):
        self.asked.append((arch, machine, kind))
        if machine == "hang":
            raise HypervisorAway("qemu", "gone")
        if machine == "old":
            raise HypervisorFailed(libvirt.VIR_ERR_INVALID_ARG, "the machine 'old' is not supported")
        if machine == "driver":
            raise HypervisorFailed(libvirt.VIR_ERR_NO_SUPPORT, "not by this driver")
        return f"<domainCapabilities><machine>pc-{machine}</machine></domainCapabilities>"


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (COMPUTER, {"capability": "system", "product": "Box", "is_assignable": "true"}),
        (
            CARD,
            {
                "capability": "pci",
                "parent": "pci_0000_00_01_0",
                "product": "82576 Gigabit",
                "product_id": "0x10c9",
                "vendor": "Intel",
                "vendor_id": "0x8086",
                "iommu_group": "15",
                "totalvfs": 7,
                "address": {"domain": "0", "bus": "5", "slot": "0", "function": "0"},
                "is_assignable": "true",
            },
        ),
        (
            FUNCTION,
            {
                "capability": "pci",
                "parent": "pci_0000_00_01_0",
                "product_id": "0x10ca",
                "vendor_id": "0x8086",
                "physfn": "pci_0000_05_00_0",
                "address": {"domain": "0", "bus": "5", "slot": "16", "function": "1"},
                "is_assignable": "true",
            },
        ),
        (
            BRIDGE,
            {
                "capability": "pci",
                "parent": "computer",
                "address": {"domain": "0", "bus": "0", "slot": "1", "function": "0"},
                "is_assignable": "false",
            },
        ),
        (
            TAPE,
            {
                "capability": "scsi",
                "parent": "scsi_target3_0_1",
                "address": {"host": "3", "bus": "0", "target": "1", "lun": "2"},
                "is_assignable": "true",
            },
        ),
        (
            NIC,
            {"capability": "net", "parent": "pci_0000_05_00_0", "interface": "eth0", "is_assignable": "true"},
        ),
    ],
)
def test_a_device_is_told_in_the_words_of_clients(document, told):
    assert parameters(document)[1] == told


def test_a_usb_device_has_bus_and_number():
    assert parameters(STICK)[1]["address"] == {"bus": "1", "device": "4"}


@pytest.mark.parametrize(
    ("document", "device"),
    [
        (
            FUNCTION,
            NodeDevice("pci", {"domain": "0x0000", "bus": "0x05", "slot": "0x10", "function": "0x1"}),
        ),
        (STICK, NodeDevice("usb", {"bus": "1", "device": "4"})),
        (TAPE, NodeDevice("scsi", {"bus": "0", "target": "1", "unit": "2"}, adapter="scsi_host3")),
        (BRIDGE, None),
        (NIC, None),
        (COMPUTER, None),
    ],
)
def test_only_what_a_guest_can_have_becomes_a_device_of_machines(document, device):
    assert node_device(document) == device


@pytest_twisted.ensureDeferred
async def test_devices_are_listed_by_name_and_by_kind():
    connection = Libvirt()
    devices = HostDevices(connection)
    found = await devices.list()
    assert found.keys() == ALL.keys() and found["usb_1_1_2"]["params"]["vendor"] == "SanDisk"
    await devices.list(["pci", "usb_device", "nonsense"])
    assert await devices.list(["nonsense"]) == {}
    assert connection.asked == [
        0,
        libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_PCI_DEV | libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_USB_DEV,
    ]


@pytest_twisted.ensureDeferred
async def test_only_pci_devices_have_a_driver_to_be_taken_from():
    connection = Libvirt()
    devices = HostDevices(connection)
    for name in ("pci_0000_05_10_1", "usb_1_1_2"):
        await devices.detach(name)
        await devices.reattach(name)
    assert connection.did == [("detach", "pci_0000_05_10_1"), ("reattach", "pci_0000_05_10_1")]
    for verb in (devices.detach, devices.reattach):
        with pytest.raises(DeviceNotFound):
            await verb("pci_0000_99_00_0")


@pytest.mark.parametrize(("now", "wanted", "left"), [("0", 3, "3"), ("2", 3, "3"), ("2", 0, "0"), ("3", 3, "3")])
@pytest_twisted.ensureDeferred
async def test_a_card_is_split_into_functions(tmp_path, now, wanted, left):
    file = tmp_path / "0000:05:00.0/sriov_numvfs"
    file.parent.mkdir()
    file.write_text(now)
    await HostDevices(Libvirt(), tmp_path).change_functions("pci_0000_05_00_0", wanted)
    assert file.read_text() == left


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_split_is_refused_with_a_reason(tmp_path):
    devices = HostDevices(Libvirt(), tmp_path)
    with pytest.raises(CannotSplit, match="no PCI device"):
        await devices.change_functions("usb_1_1_2", 1)
    with pytest.raises(CannotSplit, match="No such file"):
        await devices.change_functions("pci_0000_05_00_0", 1)
    with pytest.raises(DeviceNotFound):
        await devices.change_functions("pci_0000_99_00_0", 1)
    with pytest.raises(InvalidParameter):
        await devices.change_functions("pci_0000_05_00_0", -1)


@pytest.fixture
def events():
    return EventBus()


@pytest.fixture
def facts(events, tmp_path):
    connection = Libvirt()
    made = Facts(HostFacts, connection, events, emulator_settings=tmp_path / "qemu.conf")
    made.connection = connection
    return made


@pytest_twisted.ensureDeferred
async def test_what_a_machine_needs_is_learnt_once_per_connection(facts, events):
    devices = [{"type": "hostdev", "device": "usb_1_1_2"}, {"type": "hostdev", "device": "usb_9_9"}]
    for _ in range(2):
        await facts.learn({"devices": devices[:1]})
    assert facts.connection.asked == [("x86_64", "pc", "kvm"), "usb_1_1_2"]
    assert facts().node_devices["usb_1_1_2"].address == {"bus": "1", "device": "4"}
    assert facts().offers["pc"].machine == "pc-pc"
    await facts.learn({"devices": devices})
    assert "usb_9_9" not in facts().node_devices
    events.tell("libvirt.connected", uri="qemu")
    assert facts().offers == {} and facts().node_devices == {}


@pytest_twisted.ensureDeferred
async def test_a_machine_type_that_is_not_there_is_known_as_such(facts):
    await facts.learn({"emulatedMachine": "old"})
    assert not facts().offers["old"].known
    await facts.learn({"emulatedMachine": "driver"})
    assert "driver" not in facts().offers


@pytest_twisted.ensureDeferred
async def test_without_libvirt_nothing_is_learnt_and_nothing_fails(facts):
    await facts.learn({"emulatedMachine": "hang"})
    assert facts().offers == {}


@pytest.mark.parametrize(
    ("text", "tls"),
    [
        (None, False),
        ("spice_tls = 1\n", True),
        ("#spice_tls = 1\n", False),
        ("spice_tls=0 # off\nspice_tls=1 #on", True),
    ],
)
def test_screens_are_encrypted_where_libvirts_settings_say_so(facts, tmp_path, text, tls):
    if text is not None:
        (tmp_path / "qemu.conf").write_text(text)
    assert facts().spice_tls is tls
