"""Machines with all devices this QEMU has, on a real guest: built, read back, found again; read from the inside."""

import base64
import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_twisted
from lab.guests import build_guest
from lab.libvirtd import PrivateLibvirtd, passing_libvirtd
from lxml import etree

from virgate import hookimpl
from virgate.domxml import metadata, running
from virgate.domxml.tree import parse
from virgate.node.host.facts import Facts
from virgate.node.vm import describe
from virgate.node.vm.payload import PayloadImages
from virgate.node.vm.registry import Machines

NETWORK = """
ip link set lo up
ip link add red type bridge
ip address add 192.0.2.1/24 dev red
ip link set red up"""
CLOUD_INIT = {
    "openstack/latest/meta_data.json": b'{"hostname": "inside"}',
    "openstack/latest/user_data": b"#cloud-config\nssh_pwauth: true\n",
}
MAC = "00:1a:4a:00:00:07"


@pytest.fixture(scope="module")
def libvirtd(libvirt_cache: Path) -> Iterator[PrivateLibvirtd]:
    """With a network of its own, where guests' nics and screens are nobody else's."""
    with passing_libvirtd(cache=libvirt_cache, unshare=("unshare", "--mount", "--net"), extra=NETWORK) as running_:
        (running_.root / "lib/qemu/channels").mkdir(parents=True)
        yield running_


class Logged:
    """Writes what the guest says on its first serial port to a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @hookimpl
    def before_vm_start(self, domain: Any) -> None:
        root = parse(domain.text)
        for port in root.iterfind("devices/serial"):
            port.append(parse(f"<log file='{self.path}' append='on'/>"))
        domain.text = running.to_text(root)


def disk(**more: Any) -> dict[str, Any]:
    return {"type": "disk", "device": "disk", "format": "raw", **more}


def spec(kind: str, device: str, **wishes: Any) -> dict[str, Any]:
    return {"type": kind, "device": device, "specParams": wishes}


def everything(folder: Path) -> list[dict[str, Any]]:
    """One device of every kind that needs nothing which this machine may lack."""
    images = []
    for name in ("a", "b", "c"):
        images.append(folder / f"{name}.img")
        images[-1].write_bytes(bytes(1 << 20))
    payload = {"volId": "config-2", "file": {name: base64.b64encode(data) for name, data in CLOUD_INIT.items()}}
    payload["file"] = {name: data.decode() for name, data in payload["file"].items()}
    limits = {"total_iops_sec": "500", "read_bytes_sec": "1000000"}
    return [
        disk(iface="virtio", path=str(images[0]), specParams={"pinToIoThread": "1", "ioTune": limits}, deviceId="d0"),
        disk(iface="scsi", path=str(images[1]), propagateErrors="on", serial="S1", custom={"shade": "dark"}),
        disk(iface="scsi", path=str(images[2]), index="4", readonly="true", shared="true"),
        {"type": "disk", "device": "cdrom", "iface": "ide", "index": "3", "path": "", "readonly": "true"},
        {"type": "disk", "device": "cdrom", "iface": "ide", "index": "2", "specParams": {"vmPayload": payload}},
        {
            "type": "interface",
            "device": "bridge",
            "network": "red",
            "macAddr": MAC,
            "nicModel": "pv",
            "linkActive": "false",
            "bootOrder": "2",
        },
        {"type": "sound", "device": "ich6"},
        spec("video", "qxl", vram="65536", heads="1"),
        spec("graphics", "vnc", keyMap="de"),
        spec("graphics", "spice", copyPasteEnable="false", disableTicketing="true"),
        {"type": "controller", "device": "usb", "model": "ich9-ehci1", "index": "0"},
        {
            "type": "controller",
            "device": "usb",
            "model": "ich9-uhci1",
            "index": "0",
            "master": {"startport": "0"},
        },
        {"type": "controller", "device": "scsi", "model": "virtio-scsi", "index": "0"},
        {"type": "controller", "device": "virtio-serial"},
        {"type": "controller", "device": "ccid"},
        spec("balloon", "memballoon", model="virtio"),
        {"type": "channel", "device": "unix", "name": "org.virgate.test.0"},
        spec("watchdog", "watchdog", model="i6300esb", action="pause"),
        spec("smartcard", "smartcard", mode="passthrough", type="spicevmc"),
        spec("console", "console", consoleType="serial"),
        {"type": "redir", "device": "spicevmc"},
        {**spec("rng", "virtio", source="random", bytes="1000", period="500"), "model": "virtio"},
        {"type": "memory", "device": "memory", "size": "128", "node": "1"},
        {"type": "lease", "lease_id": "l1", "sd_id": "d1", "path": str(images[0]), "offset": "512"},
    ]


LARGE = {
    "memSize": "512",
    "maxMemSize": "1024",
    "maxMemSlots": "4",
    "smp": "2",
    "maxVCpus": "4",
    "smpCoresPerSocket": "2",
    "cpuType": "EPYC",
    "numOfIoThreads": "1",
    "guestNumaNodes": [
        {"nodeIndex": 0, "cpus": "0-1", "memory": "256"},
        {"nodeIndex": 1, "cpus": "2-3", "memory": "256"},
    ],
    "tabletEnable": "true",
    "hypervEnable": "true",
    "custom": {"colour": "blue"},
}


@pytest_twisted.async_yield_fixture
async def furnished(bench: Any, tmp_path: Path, libvirtd: PrivateLibvirtd) -> AsyncIterator[Any]:
    """The bench with payloads and with what this libvirt really offers."""
    base = bench.machines.means
    facts = Facts(base.facts, base.domains._hypervisor, bench.events)
    bench.machines.means = attrs.evolve(
        base, payloads=PayloadImages(tmp_path / "payload"), facts=facts, learn=facts.learn
    )
    yield bench


def shown(machine: Any) -> dict[str, Any]:
    told = {name: value for name, value in describe.full(machine).items() if name not in ("statusTime", "pid")}
    return json.loads(metadata.conf_element(told).text)  # contents of payloads are forgotten by intention


def differing(asked: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[Any]:
    """Members that are not told as they were asked for, in whatever words."""
    wrong = []
    for wanted, got in zip(asked, found, strict=False):
        for name, value in wanted.items():
            if name in ("specParams", "custom", "master"):
                told = got.get(name, {})
                kept = {key: text for key, text in value.items() if key != "vmPayload"}
                wrong += [(wanted, key) for key, text in kept.items() if _word(told.get(key)) != _word(text)]
            elif _word(got.get(name)) != _word(value):
                wrong.append((wanted, name, got.get(name)))
    return wrong


def _what(device: dict[str, Any]) -> Any:
    return device["type"], device["device"], device.get("specParams"), device.get("address"), device.get("alias")


def _word(value: Any) -> str:
    if isinstance(value, dict):
        return str({name: _word(below) for name, below in sorted(value.items())})
    return str(value).lower()


@pytest_twisted.ensureDeferred
async def test_a_guest_with_every_device_reads_its_files_and_is_found_again_as_it_was(
    furnished: Any, params: dict[str, Any], libvirtd: PrivateLibvirtd, tmp_path: Path, until: Any
) -> None:
    guest, log, vm = build_guest(), tmp_path / "console", params["vmId"]
    furnished.hooks.register(Logged(log), "log")
    asked = everything(tmp_path)
    boot = {
        "kernel": str(guest / "vmlinuz"),
        "initrd": str(guest / "initrd.img"),
        "kernelArgs": "console=ttyS0 quiet virgate.payload=1",
    }
    machine = await furnished.machines.create(params | boot | LARGE | {"devices": everything(tmp_path)})
    await furnished.until(vm, "Powering up", "Up", "Down")
    assert machine.vitals.exit is None, machine.vitals.exit
    devices = shown(machine)["devices"]
    assert differing(asked, devices) == []
    unplaced = [one["type"] for one in devices if "alias" not in one and one["type"] != "lease"]
    assert set(unplaced) <= {"graphics", "lease"}, unplaced
    assert (shown(machine)["smp"], shown(machine)["maxVCpus"]) == ("2", "4")
    assert any("cannot give all of a EPYC" in notice for notice in machine.request.notices)

    await until(lambda: log.exists() and b"VIRGATE-GUEST-UP" in log.read_bytes(), 60)
    said = log.read_text(errors="replace").replace("\r\n", "\n")
    assert "== openstack/latest/meta_data.json\n" + CLOUD_INIT["openstack/latest/meta_data.json"].decode() in said
    assert CLOUD_INIT["openstack/latest/user_data"].decode() in said

    before = shown(machine)
    await furnished.machines.stop()
    other = Machines(furnished.machines.means)
    await other.start()
    try:
        after = shown(other.find(vm))
        assert differing(before["devices"], after["devices"]) == []
        assert after == before
    finally:
        await other.stop()
        await furnished.machines.start()

    schema = etree.RelaxNG(etree.parse("/usr/share/libvirt/schemas/domain.rng"))
    assert schema.validate(parse(libvirtd.virsh("dumpxml", "--inactive", vm))), schema.error_log


@pytest_twisted.ensureDeferred
async def test_a_document_brings_the_same_devices_as_the_list_it_was_made_from(
    furnished: Any, params: dict[str, Any], libvirtd: PrivateLibvirtd, tmp_path: Path
) -> None:
    vm = params["vmId"]
    machine = await furnished.machines.create(params | LARGE | {"devices": everything(tmp_path)})
    await furnished.until(vm, "Powering up", "Up", "Down")
    assert machine.vitals.exit is None, machine.vitals.exit
    listed = shown(machine)["devices"]
    document = libvirtd.virsh("dumpxml", "--inactive", vm)
    await furnished.machines.destroy(vm)
    root = parse(document)
    for ours in root.findall("metadata/{http://virgate.org/vm/1.0}machine"):
        ours.getparent().remove(ours)
    payload = root.find("devices/disk/target[@dev='hdc']/../source")
    assert payload is not None
    (tmp_path / "payload.img").write_bytes(bytes(1 << 16))
    payload.set("file", str(tmp_path / "payload.img"))
    machine = await furnished.machines.create({"vmId": vm, "xml": running.to_text(root)})
    await furnished.until(vm, "Powering up", "Up", "Down")
    assert machine.vitals.exit is None, machine.vitals.exit
    brought = [_what(one) for one in shown(machine)["devices"]]
    missing = [
        one for one in listed if one["type"] not in ("disk", "graphics", "console") and _what(one) not in brought
    ]
    assert missing == []
    disks = {one["name"]: one for one in shown(machine)["devices"] if one["type"] == "disk"}
    assert disks["vda"]["specParams"] == {
        "ioTune": {"read_bytes_sec": "1000000", "total_iops_sec": "500"},
        "pinToIoThread": "1",
    }
    assert (disks["sda"]["serial"], disks["sda"]["custom"]) == ("S1", {"shade": "dark"})


@pytest_twisted.ensureDeferred
async def test_what_a_device_hook_changed_is_told(furnished: Any, params: dict[str, Any]) -> None:
    class Changes:
        @hookimpl
        def before_vm_start(self, domain: Any) -> None:
            domain.text = domain.text.replace('type="virtio"/>', 'type="e1000"/>', 1).replace(
                '<model type="virtio"', '<model type="e1000"'
            )

    furnished.hooks.register(Changes(), "changes")
    nic = {"type": "interface", "device": "bridge", "network": "red", "macAddr": MAC, "nicModel": "pv"}
    machine = await furnished.machines.create(params | {"devices": [nic]})
    await furnished.until(params["vmId"], "Powering up", "Up", "Down")
    assert machine.vitals.exit is None, machine.vitals.exit
    (told,) = [one for one in shown(machine)["devices"] if one["type"] == "interface"]
    assert told["nicModel"] == "e1000"


@pytest_twisted.ensureDeferred
async def test_a_machine_boots_securely_with_a_chip_of_its_own(
    furnished: Any, params: dict[str, Any], libvirtd: PrivateLibvirtd
) -> None:
    devices = [
        spec("tpm", "tpm", mode="emulator", model="tpm-crb", version="2.0"),
        {"type": "video", "device": "virtio"},
    ]
    vm = params["vmId"]
    machine = await furnished.machines.create(params | {"secureBoot": "true", "memSize": 128, "devices": devices})
    await furnished.until(vm, "Powering up", "Up", "Down")
    assert machine.vitals.exit is None, machine.vitals.exit
    root = parse(libvirtd.virsh("dumpxml", vm))
    loader = root.find("os/loader")
    assert loader is not None and (loader.get("secure"), loader.get("type")) == ("yes", "pflash")
    nvram = libvirtd.outside(root.findtext("os/nvram", ""))
    assert nvram.stat().st_size > 0
    assert differing(devices, shown(machine)["devices"]) == []
    await furnished.machines.destroy(vm)
    assert not os.path.exists(nvram)


@pytest_twisted.ensureDeferred
async def test_what_this_host_cannot_give_is_said_before_qemu_is_started(
    furnished: Any, params: dict[str, Any]
) -> None:
    machine = await furnished.machines.create(params | {"emulatedMachine": "pc-i440fx-rhel7.6.0"})
    await furnished.until(params["vmId"], "Down")
    assert "QEMU on this host has no machine type pc-i440fx-rhel7.6.0" in machine.vitals.exit.message


@pytest.mark.parametrize("custom", [{"hugepages": "2048", "hugepages_shared": "true"}])
@pytest_twisted.ensureDeferred
async def test_huge_pages_are_understood_by_libvirt(
    furnished: Any, params: dict[str, Any], custom: dict[str, str], libvirtd: PrivateLibvirtd
) -> None:
    machine = await furnished.machines.create(params | {"custom": custom})
    await furnished.until(params["vmId"], "Powering up", "Up", "Down")
    if machine.vitals.exit is not None:  # a host without a mounted hugetlbfs; libvirt took the document all the same
        assert "huge" in machine.vitals.exit.message
    assert "<hugepages>" in libvirtd.virsh("dumpxml", params["vmId"])
