"""The `xml` form on a real QEMU: the client's document, its metadata, a payload on a CD."""

import base64
from pathlib import Path
from typing import Any

import attrs
import pytest_twisted

from virgate.domxml import metadata
from virgate.domxml.tree import parse
from virgate.node.vm import describe
from virgate.node.vm.payload import PayloadImages

VM_NS = "xmlns:ovirt-vm='http://ovirt.org/vm/1.0'"


def document(vm: str, name: str) -> str:
    content = base64.b64encode(b"hello guest").decode()
    return f"""<domain type='qemu'><name>{name}</name><uuid>{vm}</uuid><memory unit='KiB'>65536</memory><vcpu>1</vcpu>
<metadata><ovirt-vm:vm {VM_NS}><ovirt-vm:custom><ovirt-vm:colour>blue</ovirt-vm:colour></ovirt-vm:custom>
<ovirt-vm:resumeBehavior>auto_resume</ovirt-vm:resumeBehavior>
<ovirt-vm:device devtype='disk' name='sdc'><ovirt-vm:payload><ovirt-vm:volId>config-2</ovirt-vm:volId>
<ovirt-vm:file path='meta.json'>{content}</ovirt-vm:file></ovirt-vm:payload></ovirt-vm:device>
</ovirt-vm:vm></metadata><os><type arch='x86_64'>hvm</type></os><features><acpi/></features>
<devices><disk type='file' device='cdrom'><source file='PAYLOAD:'/><target dev='sdc' bus='ide'/><readonly/></disk>
</devices></domain>"""


@pytest_twisted.ensureDeferred
async def test_a_document_runs_with_its_payload_and_keeps_its_metadata(
    bench: Any, params: dict[str, Any], libvirtd: Any, tmp_path: Path
) -> None:
    vm, name = params["vmId"], params["vmName"]
    machines = bench.machines
    machines.means = attrs.evolve(machines.means, payloads=PayloadImages(tmp_path / "payload"))
    machine = await machines.create({"vmID": vm, "xml": document(vm, name)})
    await bench.until(vm, "Powering up", "Down")
    assert machine.vitals.exit is None, machine.vitals.exit
    (image,) = (tmp_path / "payload").iterdir()
    live = libvirtd.virsh("dumpxml", vm)
    assert str(image) in live
    kept = metadata.read(parse(live))
    assert kept.custom == {"colour": "blue"} and kept.values["resumeBehavior"] == "auto_resume"
    assert kept.values["startTime"] == machine.record.started
    assert describe.full(machine)["custom"] == {"colour": "blue"}

    await machines.destroy(vm)
    assert list((tmp_path / "payload").iterdir()) == []


@pytest_twisted.ensureDeferred
async def test_exit_reasons_do_not_disturb_what_the_client_wrote(
    bench: Any, params: dict[str, Any], libvirtd: Any, tmp_path: Path
) -> None:
    vm, name = params["vmId"], params["vmName"]
    machines = bench.machines
    machines.means = attrs.evolve(machines.means, payloads=PayloadImages(tmp_path / "payload"))
    await machines.create({"vmID": vm, "xml": document(vm, name)})
    await bench.until(vm, "Powering up", "Down")
    libvirtd.virsh("destroy", vm)
    await bench.until(vm, "Down")
    kept = metadata.read(parse(libvirtd.virsh("dumpxml", vm)))
    assert (kept.values["exitCode"], kept.values["exitReason"]) == (0, 6)
    assert kept.custom == {"colour": "blue"} and kept.device(devtype="disk", name="sdc") is not None
