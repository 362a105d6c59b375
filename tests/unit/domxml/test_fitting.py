"""What is asked for against what a host offers: what stands in, what is refused, and that unknown means taken."""

from pathlib import Path

import pytest

from virgate.domxml import offers
from virgate.domxml.errors import BadDevice
from virgate.domxml.offers import Offers
from virgate.domxml.request import HostFacts, read_request
from virgate.domxml.wanted import machine_and_host_devices

ID = "5e0a6c3e-19c0-4d4f-9d5a-0c8b5a4a7f01"
HERE = Path(__file__).parent
EMULATED = offers.read((HERE / "domain_capabilities_tcg.xml").read_text())
POOR = Offers(
    machine="pc-q35-9.0",
    cpu_modes=frozenset({"host-model", "maximum"}),
    cpu_models={"qemu64": True, "EPYC": False},
    videos=frozenset({"virtio", "vga"}),
    screens=frozenset({"vnc"}),
    tpm_backends=frozenset({"passthrough"}),
    firmwares=frozenset(),
    secure_boot=False,
)


def facts(**offered):
    return HostFacts(virt_type="qemu", offers=offered or {"pc": POOR})


def request(known=None, **params):
    return read_request({"vmId": ID, "memSize": "64", **params}, known or facts(), ())


def built(known=None, **params):
    return request(known, **params).domain({})


def test_a_document_of_libvirt_says_what_it_offers():
    assert EMULATED.machine == "pc-i440fx-7.2"
    assert {"vga", "qxl"} <= EMULATED.videos and {"vnc", "spice"} <= EMULATED.screens
    assert EMULATED.cpu_models["qemu64"] and EMULATED.cpu_models["EPYC-Rome"] is False
    assert "host-passthrough" not in EMULATED.cpu_modes and "maximum" in EMULATED.cpu_modes
    assert (EMULATED.firmwares, EMULATED.secure_boot) == ({"efi"}, False)
    assert {"emulator", "passthrough"} <= EMULATED.tpm_backends


def test_a_card_that_qemu_lacks_is_replaced_and_told():
    asked = request(devices=[{"type": "video", "device": "qxl", "specParams": {"vram": "65536"}}])
    assert asked.domain({}).find("devices/video/model").get("type") == "vga"
    assert asked.conf["devices"][0]["device"] == "vga"
    assert asked.notices == ("QEMU on this host has no screen card qxl; the guest gets vga",)


def test_where_nothing_is_known_everything_is_taken():
    known = HostFacts()
    devices = [{"type": "video", "device": "qxl"}, {"type": "graphics", "device": "spice"}]
    asked = request(known, devices=devices, emulatedMachine="novel", cpuType="Novel", firmware="efi")
    assert asked.domain({}).find("os/type").get("machine") == "novel" and asked.notices == ()


def test_the_old_display_key_means_vnc_where_qemu_has_no_spice():
    root = built(display="qxl")
    assert [screen.get("type") for screen in root.iterfind("devices/graphics")] == ["vnc"]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"devices": [{"type": "graphics", "device": "spice"}]}, "no spice; it offers vnc"),
        ({"devices": [{"type": "tpm", "specParams": {"mode": "emulator"}}]}, "install swtpm"),
        ({"firmware": "efi"}, "install ovmf"),
        ({"firmware": "coreboot"}, "bios or efi"),
        ({"cpuType": "Novel"}, "no processor model Novel"),
        ({"devices": [{"type": "tpm", "specParams": {"mode": "magic"}}]}, "magic"),
    ],
)
def test_what_nothing_can_stand_in_for_ends_the_start_with_a_reason(params, words):
    asked = request(**params)
    with pytest.raises(BadDevice, match=words):
        asked.domain({})


def test_a_machine_type_that_qemu_lacks_is_named():
    with pytest.raises(BadDevice, match="no machine type rhel6"):
        built(facts(rhel6=Offers("rhel6", known=False)), emulatedMachine="rhel6")


def test_the_usual_type_gives_way_to_what_qemu_has():
    gone = facts(**{"pc": Offers("pc", known=False), "": POOR})
    assert built(gone).find("os/type").get("machine") == "pc-q35-9.0"
    assert built(facts(pc=POOR)).find("os/type").get("machine") == "pc"


def test_a_processor_that_cannot_be_passed_on_is_the_most_that_can_be_emulated():
    asked = request(cpuType="hostPassthrough")
    cpu = asked.domain({}).find("cpu")
    assert (cpu.get("mode"), cpu.get("match")) == ("maximum", None)
    assert "all that QEMU can emulate" in asked.notices[0]
    assert built(HostFacts(), cpuType="hostPassthrough").find("cpu").get("mode") == "host-passthrough"


def test_a_model_that_is_emulated_in_part_is_told():
    asked = request(cpuType="EPYC,+aes")
    assert asked.domain({}).findtext("cpu/model") == "EPYC"
    assert "cannot give all of a EPYC processor" in asked.notices[0]


def test_uefi_and_secure_boot_are_found_by_libvirt(schema):
    rich = Offers("pc-q35-7.2", firmwares=frozenset({"efi"}))
    root = built(facts(q35=rich), secureBoot="true")
    os = root.find("os")
    assert (os.get("firmware"), os.find("type").get("machine")) == ("efi", "q35")
    assert os.find("loader").get("secure") == "yes" and root.find("features/smm").get("state") == "on"
    assert {one.get("name"): one.get("enabled") for one in os.iterfind("firmware/feature")} == {
        "secure-boot": "yes",
        "enrolled-keys": "yes",
    }
    plain = built(facts(pc=rich), firmware="UEFI")
    assert plain.find("os").get("firmware") == "efi" and plain.find("os/loader") is None
    assert {one.get("enabled") for one in plain.iterfind("os/firmware/feature")} == {"no"}
    with pytest.raises(BadDevice, match="cannot boot securely"):
        built(facts(pc=EMULATED), secureBoot="true", emulatedMachine="pc")
    with pytest.raises(BadDevice, match="without ACPI"):
        built(facts(pc=rich), firmware="efi", acpiEnable="false")


@pytest.mark.parametrize(
    ("custom", "page"),
    [({"hugepages": "2048"}, "2048"), ({"hugepages": "1048576"}, "1048576"), ({"hugepages": "512"}, None), ({}, None)],
)
def test_huge_pages_are_taken_by_their_size_only(custom, page):
    found = built(custom=custom).find("memoryBacking/hugepages/page")
    assert (None if found is None else found.get("size")) == page


def test_huge_pages_may_be_shared():
    assert built(custom={"hugepages": "2048", "hugepages_shared": "true"}).find("memoryBacking/access") is not None


DOCUMENT = f"""<domain type='kvm'><name>n</name><uuid>{ID}</uuid><memory>65536</memory>
<os firmware='efi'><type arch='x86_64' machine='q35'>hvm</type><loader secure='yes'/></os>
<cpu mode='host-passthrough' check='none' migratable='on'/>
<devices><video><model type='qxl' ram='1' vram='2'/></video><graphics type='spice'/>
<tpm model='tpm-crb'><backend type='emulator'/></tpm></devices></domain>"""


def test_a_clients_document_is_fitted_as_well():
    rich = Offers("q", cpu_modes=POOR.cpu_modes, videos=POOR.videos)
    asked = request(facts(q35=rich), xml=DOCUMENT)
    root = asked.domain({})
    assert (root.get("type"), dict(root.find("cpu").attrib)) == ("qemu", {"mode": "maximum"})
    assert dict(root.find("devices/video/model").attrib) == {"type": "vga"}
    assert len(asked.notices) == 2


@pytest.mark.parametrize(
    ("offered", "words"),
    [
        (Offers("q", known=False), "no machine type q35"),
        (Offers("q", firmwares=frozenset()), "install ovmf"),
        (Offers("q", secure_boot=False), "cannot boot securely"),
        (Offers("q", screens=frozenset({"vnc"})), "no spice"),
        (Offers("q", tpm_backends=frozenset({"passthrough"})), "swtpm"),
    ],
)
def test_a_clients_document_is_refused_with_a_reason(offered, words):
    asked = request(facts(q35=offered), xml=DOCUMENT)
    with pytest.raises(BadDevice, match=words):
        asked.domain({})


def test_what_must_be_asked_of_the_host_is_known_before_the_parameters_are_read():
    devices = [
        {"type": "hostdev", "device": "usb_1_2"},
        {"type": "interface", "device": "hostdev", "hostdev": "pci_0000_01_00_0"},
        {"type": "interface", "device": "bridge", "hostdev": "no"},
        "nonsense",
    ]
    assert machine_and_host_devices({"devices": devices, "emulatedMachine": "q35"}) == (
        "q35",
        {"usb_1_2", "pci_0000_01_00_0"},
    )
    assert machine_and_host_devices({"xml": DOCUMENT}) == ("q35", set())
    assert machine_and_host_devices({"xml": "<"}) == ("", set())
    assert machine_and_host_devices({}) == ("", set())
