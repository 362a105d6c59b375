"""V2: what scripts of the shipped kind make of a machine, through `hooking` and the real runner."""

import os
import stat

import pytest
import pytest_twisted
from lxml import etree
from lxml.builder import E

from virgate.hookscripts.report import Report
from virgate.hookspecs.documents import JsonDocument
from virgate.hookspecs.errors import HookError

QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
MAC = "02:00:00:00:00:01"
CONSOLE = "/var/log/libvirt/qemu/vmα-console.log"


def arguments(*words):
    """The expected qemu:commandline."""
    line = etree.Element(f"{{{QEMU}}}commandline", nsmap={"qemu": QEMU})
    for word in words:
        etree.SubElement(line, f"{{{QEMU}}}arg", value=word)
    return line


def with_arguments(*words):
    """libvirt sees the namespace on the root; canonical XML cares where it is declared."""

    def change(root):
        made = etree.Element(root.tag, root.attrib, nsmap=root.nsmap | {"qemu": QEMU})
        made.extend(list(root))
        made.append(arguments(*words))
        return made

    return change


def add(path, *elements):
    def change(root):
        root.find(path).extend(elements) if path else root.extend(elements)

    return change


def put(path, **attributes):
    return lambda root: root.find(path).attrib.update(attributes)


def text(path, value):
    def change(root):
        root.find(path).text = value

    return change


def drop(path):
    def change(root):
        found = root.find(path) if path.startswith(".") else root.find(f".//{path}")
        found.getparent().remove(found)

    return change


def later_boot(root):
    for boot in root.iterfind("devices/*/boot"):
        boot.set("order", str(int(boot.get("order")) + 1))


def all_of(*changes):
    def change(root):
        for one in changes:
            one(root)

    return change


def feature(name, policy="require"):
    return E.feature(name=name, policy=policy)


def disk(path, dev, form):
    return E.disk(
        E.source(file=path),
        E.target(bus="virtio", dev=dev),
        E.driver(cache="none", name="qemu", type=form),
        device="disk",
        type="file",
        snapshot="no",
    )


def https_cdrom():
    return E.disk(
        E.driver(name="qemu", type="raw"),
        E.source(E.host(name="repo.example.org", port="8443"), protocol="https", name="/a/b.iso?x=1"),
        E.target(bus="ide", tray="closed", dev="hda"),
        E.readonly(),
        E.boot(order="1"),
        type="network",
        device="cdrom",
    )


def filterref(name, parameter, value):
    return E.filterref(E.parameter(name=parameter, value=value), filter=name)


HTTPS = "https://repo.example.org:8443/a/b.iso?x=1"
SPICE = "{'image': {'compression': 'auto_glz'}, 'MOUSE': {'mode': 'server'}, 'jpeg': {'compression':'bogus'}}"
QOS = f"{MAC}=in{{'average':'1','peak':'2','burst':'5'}}^out{{'average':'0.5'}}"
LUN = "devices/disk[@device='lun']/driver"
FIRMWARE = "isa-debugcon,iobase=0x402,chardev=firmware"

DOMAINS = {
    "S1": ("cpuflags/50_cpuflags", {"cpuflags": "+aes,-svm"}, add("cpu", feature("aes"), feature("svm", "disable"))),
    "S4": ("cpuflags/50_cpuflags", {"sap_agent": "true"}, add("cpu", feature("invtsc"), feature("rdtscp"))),
    "S5": ("diskunmap/50_diskunmap", {"diskunmap": "on"}, put(LUN, discard="unmap")),
    "S6": ("diskunmap/50_diskunmap", {"diskunmap": "off"}, None),
    "S7": (
        "smbios/50_smbios",
        {"smbios": "{'serial': '1234'}^{'vendor': 'oVirt'}^{'family': 'Zeta'}"},
        all_of(
            text("sysinfo/system/entry[@name='serial']", "1234"),
            add("sysinfo/system", E.entry("Zeta", name="family")),
            add("sysinfo", E.bios(E.entry("oVirt", name="vendor"))),
        ),
    ),
    "S8": (
        "smbios/50_smbios",
        {"smbios": "{'serial': '1234'}^{'vendor': 'oVirt'}"},
        all_of(
            text("sysinfo/system/entry[@name='serial']", "1234"),
            add("sysinfo", E.bios(E.entry("oVirt", name="vendor"))),
        ),
    ),
    "S9": (
        "spiceoptions/50_spiceoptions",
        {"spiceoptions": SPICE},
        add("devices/graphics", E.image(compression="auto_glz"), E.mouse(mode="server")),
    ),
    "S11": (
        "qemucmdline/50_qemucmdline",
        {"qemu_cmdline": '["-cdrom","/tmp/ü.iso"]'},
        with_arguments("-cdrom", "/tmp/ü.iso"),
    ),
    "S12, S14": (
        "httpsisoboot/50_httpsisoboot",
        {"httpsisoboot": HTTPS},
        all_of(later_boot, add("devices", https_cdrom())),
    ),
    "S15": (
        "boot_hostdev/50_boot_hostdev",
        {"boot_hostdev": "pci_0000_0b_00_1"},
        all_of(later_boot, add("devices/hostdev", E.boot(order="1"))),
    ),
    "S17": (
        "log_console/50_log_console",
        {"log_console": "on"},
        add("devices/serial", E.log(file=CONSOLE, append="on")),
    ),
    "S18 absent": ("log_console/50_log_console", {}, None),
    "S18 off": ("log_console/50_log_console", {"log_console": "off"}, None),
    "S20": (
        "log_firmware/50_log_firmware",
        {"log_firmware": "on", "log_firmware_dir": "/srv/fw"},
        with_arguments("-chardev", "file,id=firmware,path=/srv/fw/vmα-firmware.log", "-device", FIRMWARE),
    ),
    "S25": ("pincpu/50_pincpu", {"pincpu": "1-4,^3"}, put("vcpu", cpuset="1-4,^3")),
    "S26": (
        "numa/50_numa",
        {"numa": "strict:1-4,^3"},
        add("", E.numatune(E.memory(mode="strict", nodeset="1-4,^3"))),
    ),
    "S27": (
        "qos/50_qos",
        {"qos": QOS},
        add(
            "devices/interface",
            E.bandwidth(E.inbound(average="1", peak="2", burst="5"), E.outbound(average="0.5")),
        ),
    ),
    "S28 true": ("macspoof/50_macspoof", {"macspoof": "true"}, drop("filterref")),
    "S28 false": ("macspoof/50_macspoof", {"macspoof": "false"}, None),
    "S34": (
        "vmdisk/50_vmdisk",
        {"vmdisk": "/a/d1.img:qcow2,/a/d2.img:raw"},
        add("devices", disk("/a/d1.img", "vdb", "qcow2"), disk("/a/d2.img", "vdc", "raw")),
    ),
    "S35": (
        "isolatedprivatevlan/50_isolatedprivatevlan",
        {"isolatedprivatevlan": "aa:bb:cc:dd:ee:ff,192.0.2.5"},
        add(
            "devices/interface",
            filterref("clean-traffic", "IP", "192.0.2.5"),
            filterref("isolatedprivatevlan-vdsm", "GATEWAY_MAC", "aa:bb:cc:dd:ee:ff"),
        ),
    ),
    "S35 MAC only": (
        "isolatedprivatevlan/50_isolatedprivatevlan",
        {"isolatedprivatevlan": "aa:bb:cc:dd:ee:ff"},
        add("devices/interface", filterref("isolatedprivatevlan-vdsm", "GATEWAY_MAC", "aa:bb:cc:dd:ee:ff")),
    ),
}


@pytest.mark.parametrize("base", ["domain", "old"])
@pytest.mark.parametrize("vector", DOMAINS)
@pytest_twisted.ensureDeferred
async def test_a_script_changes_the_domain_as_its_vector_says(bench, documents, same, vector, base):
    script, custom, change = DOMAINS[vector]
    bench.install("before_vm_start", script)
    expected = etree.fromstring(documents[base].replace("vm1", "vmα").encode())
    if change:
        made = change(expected)
        expected = expected if made is None else made
    same(await bench.start(custom, documents[base].replace("vm1", "vmα")), expected)


FAILURES = {
    "S2": ("cpuflags/50_cpuflags", {"cpuflags": "aes"}, 1),
    "S3": ("cpuflags/50_cpuflags", {"cpuflags": "+aes,-aes"}, 1),
    "S10": ("spiceoptions/50_spiceoptions_broken", {"spiceoptions": SPICE}, 2),
    "S13": ("httpsisoboot/50_httpsisoboot", {"httpsisoboot": "http://repo.example.org/b.iso"}, 2),
    "S16": ("boot_hostdev/50_boot_hostdev", {"boot_hostdev": "pci_0000_0b_00_0"}, 1),
    "S26": ("numa/50_numa", {"numa": "strict"}, 2),
    "S27": ("qos/50_qos", {"qos": QOS.replace("00:01", "00:02")}, 2),
    "S33": ("floppy/50_floppy", {"floppy": "/no/such/file"}, 2),
    "S34": ("vmdisk/50_vmdisk", {"vmdisk": "/a/d1.img:vmdk"}, 2),
    "S36": ("scratchpad/50_scratchpad", {"scratchpad": "1M,relative"}, 2),
    "S42": ("vhostmd/50_vhostmd", {"sap_agent": "anything"}, 1),
    "S43": ("macbind/50_macbind", {"macbind": "{'02:00:00:00:00:01': 'br0'}"}, 2),
}


@pytest.mark.parametrize("vector", FAILURES)
@pytest_twisted.ensureDeferred
async def test_a_script_that_refuses_aborts_the_start_with_what_it_said(bench, vector):
    script, custom, code = FAILURES[vector]
    bench.install("before_vm_start", script)
    with pytest.raises(HookError) as caught:
        await bench.start(custom)
    assert caught.value.code == 1500
    assert str(caught.value) == f"Hook Error: {caught.value.detail}"
    assert len(caught.value.detail) > 10
    assert [ended.code for ended in (await bench.judge(custom)).ended] == [code]


@pytest_twisted.ensureDeferred
async def test_s9_a_wrong_option_is_named_and_does_no_harm(bench, documents):
    bench.install("before_vm_start", "spiceoptions/50_spiceoptions")
    verdict = await bench.judge({"spiceoptions": SPICE}, documents["old"])
    assert not verdict.failed
    assert "bogus" in verdict.ended[0].stderr


@pytest_twisted.ensureDeferred
async def test_s19_the_daemons_environment_reaches_a_script(bench, same, documents, monkeypatch):
    bench.install("before_vm_start", "log_console/50_log_console")
    monkeypatch.setenv("log_console_vm_regexp", "vm.*")
    expected = etree.fromstring(documents["domain"].encode())
    add("devices/serial", E.log(file=CONSOLE, append="on"))(expected)
    same(await bench.start(), expected)


NICS = {
    "S21": ("extnet/50_extnet", {"extnet": "ovs-net"}, {}, {"network": "ovs-net"}),
    "S23": ("allocate_net/10_allocate_net", {"equivnets": "  red "}, {}, {"bridge": "red"}),
}


@pytest.mark.parametrize("point", ["before_device_create", "before_nic_hotplug"])
@pytest.mark.parametrize("vector", NICS)
@pytest_twisted.ensureDeferred
async def test_a_script_plugs_an_interface_elsewhere(bench, documents, same, vector, point):
    script, custom, machine, source = NICS[vector]
    bench.install(point, script)
    expected = etree.fromstring(documents["nic"])
    if "network" in source:
        expected.set("type", "network")
    expected.replace(expected.find("source"), E.source(**source))
    same(await bench.device(point, custom, machine), expected)


@pytest_twisted.ensureDeferred
async def test_s22_without_its_property_a_script_leaves_an_interface_alone(bench, documents):
    bench.install("before_nic_hotplug", "extnet/50_extnet")
    assert await bench.device("before_nic_hotplug") == documents["nic"]


@pytest_twisted.ensureDeferred
async def test_s24_a_script_may_insist_on_its_property(bench):
    bench.install("before_device_create", "allocate_net/10_allocate_net")
    with pytest.raises(HookError, match="equivnets"):
        await bench.device("before_device_create")


@pytest.mark.parametrize(("device", "machine"), [("True", {}), ("false", {"ifacemacspoof": "1"})], ids=["S29", "S30"])
@pytest_twisted.ensureDeferred
async def test_s29_s30_the_machines_property_wins_over_the_devices(bench, documents, same, device, machine):
    bench.install("before_device_create", "macspoof_nic/50_macspoof")
    expected = etree.fromstring(documents["nic"])
    expected.remove(expected.find("filterref"))
    same(await bench.device("before_device_create", {"ifacemacspoof": device}, machine), expected)


@pytest.mark.parametrize(
    ("custom", "addresses"),
    [({"noipspoof": "192.0.2.1,192.0.2.2"}, ["192.0.2.1", "192.0.2.2"]), ({}, [""])],
    ids=["S31", "S32"],
)
@pytest_twisted.ensureDeferred
async def test_s31_s32_addresses_of_an_interface_are_filtered(bench, documents, same, custom, addresses):
    bench.install("before_device_create", "noipspoof/50_noipspoof")
    expected = etree.fromstring(documents["nic"])
    rule = expected.find("filterref")
    rule.set("filter", "clean-traffic")
    rule.extend(E.parameter(name="IP", value=address) for address in addresses)
    same(await bench.device("before_device_create", custom), expected)


@pytest_twisted.ensureDeferred
async def test_s25_a_cpuset_that_is_there_stays(bench, documents):
    bench.install("before_vm_start", "pincpu/50_pincpu")
    domain = documents["old"].replace("<vcpu ", '<vcpu cpuset="0" ')
    assert await bench.start({"pincpu": "1-4"}, domain) == domain


@pytest_twisted.ensureDeferred
async def test_s33_a_floppy_is_added_and_keeps_the_machine_here(bench, documents, same, tmp_path):
    for point in ("before_vm_start", "before_vm_migrate_source"):
        bench.install(point, "floppy/50_floppy")
    image = tmp_path / "image"
    image.touch()
    expected = etree.fromstring(documents["old"].encode())
    drive = E.disk(E.source(file=str(image)), E.target(dev="fda"), type="file", device="floppy")
    add("devices", drive)(expected)
    custom = {"floppy": str(image)}
    same(await bench.start(custom, documents["old"]), expected)
    with pytest.raises(HookError, match="stays on its host"):
        await bench.start(custom, documents["old"], "before_vm_migrate_source")


@pytest_twisted.ensureDeferred
async def test_s36_s37_s38_a_scratchpad_lives_as_long_as_its_machine(bench, documents, same, tmp_path):
    for point in ("before_vm_start", "before_vm_migrate_source", "after_vm_destroy"):
        bench.install(point, "scratchpad/50_scratchpad")
    bench.install("before_vm_migrate_source", "localdisk/localdisk")
    first, second = tmp_path / "one", tmp_path / "two"
    expected = etree.fromstring(documents["domain"].encode())
    add("devices", disk(str(first), "vdb", "raw"))(expected)
    made = expected.find("devices")[-1]
    del made.attrib["snapshot"]
    made.find("driver").attrib.update({"cache": "writeback", "error_policy": "stop"})

    same(await bench.start({"scratchpad": f"1M,{first}"}), expected)
    there = first.stat()
    assert (there.st_size, stat.S_IMODE(there.st_mode)) == (1 << 20, 0o660)

    for custom in ({"scratchpad": f"1M,{first}"}, {"localdisk": "lvm"}):
        with pytest.raises(HookError, match="stays on its host"):
            await bench.start(custom, point="before_vm_migrate_source")
    await bench.start({}, point="before_vm_migrate_source")

    await bench.start({"scratchpad": f"1M,{first}:1M,{second}"}, point="after_vm_destroy")
    assert not first.exists()


@pytest_twisted.ensureDeferred
async def test_s39_network_properties_travel_in_the_document(bench):
    bench.install("before_network_setup", "ipv6/50_ipv6")
    networks = {
        "n1": {"nic": "e0", "custom": {"ipv6addr": "2001:db8::1/64", "dhcpv6": "0"}},
        "n2": {"remove": True, "custom": {"dhcpv6": "1"}},
    }
    request = {"request": {"networks": networks, "bondings": {}, "options": {}}}
    found = (await bench.value("before_network_setup", request))["request"]["networks"]
    assert found["n1"] == networks["n1"] | {"ipv6addr": "2001:db8::1/64", "dhcpv6": "0"}
    assert found["n2"] == networks["n2"]


@pytest_twisted.ensureDeferred
async def test_s40_settings_of_the_host_reach_a_script_through_its_shim(bench, documents, same, tmp_path, monkeypatch):
    (tmp_path / "vdsm.conf").write_text("[vars]\nfake_kvm_support = true\nfake_kvm_memory = 65536\n")
    monkeypatch.setenv("VDSM_CONF", str(tmp_path / "vdsm.conf"))
    bench.install("before_vm_start", "faqemu/10_faqemu")
    expected = etree.fromstring(documents["domain"].encode())
    expected.set("type", "qemu")
    drop("model")(expected.find("cpu"))
    expected.find("os/type").set("arch", os.uname().machine)
    for tag in ("memory", "currentMemory"):
        expected.find(tag).text = "65536"
    same(await bench.start(), expected)


@pytest_twisted.ensureDeferred
async def test_s43_a_script_that_breaks_leaves_the_statistics_alone(bench):
    bench.install("after_get_all_vm_stats", "fakevmstats/10_fakevmstats")
    statistics = [{"vmId": "V", "status": "Up", "memUsage": "20"}]
    assert await bench.value("after_get_all_vm_stats", statistics) == statistics
    verdict = await bench.runner.run("after_get_all_vm_stats", None, JsonDocument(statistics), {})
    assert [ended.code for ended in verdict.ended] == [1]


@pytest_twisted.ensureDeferred
async def test_s44_scripts_of_one_point_work_on_one_document(bench, documents, same):
    flags = bench.run_dir / "5e0a6c3e-19c0-4d4f-9d5a-0c8b5a4a7f01" / "launchflags"
    flags.parent.mkdir(parents=True)
    flags.write_text("0")
    for script in ("flags/05_flags", "cpuflags/50_cpuflags", "diskunmap/50_diskunmap", "smbios/50_smbios"):
        bench.install("before_vm_start", script)
    bench.write("before_vm_start", "90_notes.txt", "not a script", mode=0o644)
    expected = etree.fromstring(documents["domain"].encode())
    add("cpu", feature("aes"))(expected)
    put(LUN, discard="unmap")(expected)
    text("sysinfo/system/entry[@name='serial']", "1234")(expected)
    custom = {"cpuflags": "+aes", "diskunmap": "on", "smbios": "{'serial': '1234'}"}
    same(await bench.start(custom), expected)
    assert flags.read_text() == "1"
    installed = Report().installed([bench.root])
    assert sorted(installed["before_vm_start"]) == ["05_flags", "50_cpuflags", "50_diskunmap", "50_smbios"]
