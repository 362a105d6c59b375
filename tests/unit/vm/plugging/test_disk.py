"""Disks plugged and unplugged: the order of what happens, what is kept, and what a failure leaves."""

from typing import Any

import pytest
import pytest_twisted
from doubles.machines import ID
from twisted.internet.defer import Deferred
from unit.vm.plugging.conftest import VOLUME

from virgate.domxml.errors import BadDevice, MissingParameter
from virgate.hookspecs.errors import HookError
from virgate.libvirt.errors import DomainNotFound, HypervisorAway, HypervisorFailed
from virgate.node.storage.errors import LeaseNotAcquired
from virgate.node.vm.errors import Moving, NoSuchMachine
from virgate.node.vm.plugging import disk
from virgate.node.vm.plugging.errors import DiskNotPlugged, DiskNotUnplugged

DRIVE = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw", **VOLUME, "custom": {"colour": "red"}}


def named(machine: Any, name: str) -> dict[str, Any] | None:
    return next((one for one in machine.record.conf["devices"] if one.get("name") == name), None)


@pytest_twisted.ensureDeferred
async def test_a_plugged_disk_is_prepared_guarded_attached_and_listed(host: Any, machine: Any, domain: Any) -> None:
    told = []
    host.events.listen("vm.devices", lambda vm: told.append(vm))
    await disk.plug(machine, {"drive": {**DRIVE, "index": "9"}})
    found = named(machine, "vdb")
    assert found is not None and found["volumeID"] == "volume" and found["alias"] and found["address"]
    assert host.disks.calls == [("prepare", "vdb")]
    assert host.guards.calls == ["take", "started"]
    assert host.trace.points == ["before_disk_hotplug", "after_disk_hotplug"]
    assert host.trace.given["before_disk_hotplug"]["device"].custom == {"colour": "red"}
    assert [one.target for one in machine.record.disks][-1] == "vdb"
    assert told == [ID]
    assert "image" in host.domains.domains[ID].xml, "a daemon that starts later knows whose disk it is"


@pytest_twisted.ensureDeferred
async def test_whose_disk_it_is_is_written_before_the_hypervisor_is_asked(host: Any, machine: Any, domain: Any) -> None:
    domain.fail["attach"] = HypervisorAway("qemu:///system", "gone")
    with pytest.raises(DiskNotPlugged):
        await disk.plug(machine, {"drive": DRIVE})
    assert "volume" in host.domains.domains[ID].xml
    assert host.disks.calls == [("prepare", "vdb")], "it may be plugged: nothing is torn down under a guest"
    assert host.guards.calls == ["take", "started"]


@pytest_twisted.ensureDeferred
async def test_what_a_hook_leaves_is_attached(host: Any, machine: Any, domain: Any) -> None:
    async def change(device: Any, **_: Any) -> None:
        device.text = device.text.replace("vdb", "vdx")

    host.trace.act["before_disk_hotplug"] = change
    await disk.plug(machine, {"drive": DRIVE})
    assert named(machine, "vdx") is not None and named(machine, "vdb") is None
    assert [one.target for one in machine.record.disks][-1] == "vdx"


@pytest.mark.parametrize(
    ("what", "error", "raised"),
    [
        ("hook", HookError("no"), HookError),
        ("prepare", BadDevice("disk", "no such volume"), DiskNotPlugged),
        ("guard", LeaseNotAcquired("domain", "host 7 has it"), DiskNotPlugged),
        ("attach", HypervisorFailed(1, "no bus"), DiskNotPlugged),
        ("attach", DomainNotFound(ID), DomainNotFound),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_failure_leaves_nothing_behind(
    host: Any, machine: Any, domain: Any, what: str, error: Exception, raised: type[Exception]
) -> None:
    async def refuse(**_: Any) -> None:
        raise error

    before, xml = machine.record.conf["devices"], domain.root.find("metadata")
    if what == "hook":
        host.trace.act["before_disk_hotplug"] = refuse
    elif what == "prepare":
        host.disks.fail["prepare vdb"] = error
    elif what == "guard":
        host.guards.fail = error
    else:
        domain.fail["attach"] = error
    with pytest.raises(raised):
        await disk.plug(machine, {"drive": DRIVE})
    assert machine.record.conf["devices"] == before
    assert "vdb" not in [one.target for one in machine.record.disks]
    assert "after_disk_hotplug" not in host.trace.points
    if what != "prepare":
        assert host.disks.calls[-1] == ("teardown", "vdb")
    if what in ("hook", "attach"):
        assert host.guards.calls == ["take", "end"]
    assert [len(one) for one in domain.root.find("metadata")] == [len(one) for one in xml]
    assert not machine.changing.locked


@pytest_twisted.ensureDeferred
async def test_a_document_is_attached_with_the_source_of_this_host(machine: Any, domain: Any) -> None:
    ids = "".join(f"<ovirt-vm:{name}>{value}</ovirt-vm:{name}>" for name, value in VOLUME.items())
    text = f"""<hotplug><devices><disk type="block" device="disk"><target dev="sdc" bus="scsi"/>
        <source dev="/dev/x" index="3"><seclabel model="dac"/></source><driver name="qemu" type="qcow2"/>
        </disk></devices><metadata xmlns:ovirt-vm="http://ovirt.org/vm/1.0"><ovirt-vm:vm>
        <ovirt-vm:device devtype="disk" name="sdc">{ids}
        <ovirt-vm:managed type="bool">False</ovirt-vm:managed></ovirt-vm:device></ovirt-vm:vm></metadata></hotplug>"""
    await disk.plug(machine, {"xml": text})
    attached = next(call[1] for call in domain.calls if call[0] == "attach")
    assert (
        '<source file="/rhev/sdc">' in attached and '<seclabel model="dac"/>' in attached and 'type="raw"' in attached
    )
    found = named(machine, "sdc")
    assert found is not None and found["imageID"] == "image"
    assert "managed" in machine.record.xml, "what only the client knows is kept"
    with pytest.raises(DiskNotPlugged, match="taken"):
        await disk.plug(machine, {"xml": text})


@pytest.mark.parametrize("asked", [{}, {"drive": {}}, {"xml": "<hotplug/>"}])
@pytest_twisted.ensureDeferred
async def test_nothing_to_plug_is_told_as_such(machine: Any, asked: dict[str, Any]) -> None:
    with pytest.raises(MissingParameter):
        await disk.plug(machine, asked)


@pytest_twisted.ensureDeferred
async def test_a_machine_that_leaves_or_has_no_guest_is_not_changed(machine: Any, domain: Any) -> None:
    machine.life.leave()
    with pytest.raises(Moving):
        await disk.plug(machine, {"drive": DRIVE})
    with pytest.raises(Moving):
        await disk.unplug(machine, {"drive": DRIVE})
    from virgate.node.vm.exits import Exit, Reason

    machine.life.down(Exit.of(Reason.USER))
    with pytest.raises(NoSuchMachine):
        await disk.plug(machine, {"drive": DRIVE})
    assert domain.calls == []


@pytest_twisted.ensureDeferred
async def test_two_disks_asked_for_at_once_get_targets_of_their_own(host: Any, machine: Any, domain: Any) -> None:
    waits: Deferred[None] = Deferred()

    async def wait(**_: Any) -> None:
        await waits

    host.trace.act["before_disk_hotplug"] = wait
    one = Deferred.fromCoroutine(disk.plug(machine, {"drive": DRIVE}))
    other = Deferred.fromCoroutine(disk.plug(machine, {"drive": {**DRIVE, "imageID": "other"}}))
    waits.callback(None)
    await one
    await other
    assert (named(machine, "vdb") or {})["imageID"] == "image"
    assert (named(machine, "vdc") or {})["imageID"] == "other"


@pytest_twisted.ensureDeferred
async def test_an_unplugged_disk_is_told_torn_down_and_forgotten_in_that_order(
    host: Any, machine: Any, domain: Any
) -> None:
    await disk.plug(machine, {"drive": DRIVE})
    order: list[str] = []

    async def note(**_: Any) -> None:
        order.append(f"hook, {len(host.disks.calls)} calls of storage")

    host.trace.act["after_disk_hotunplug"] = note
    await disk.unplug(machine, {"drive": VOLUME})
    assert order == ["hook, 1 calls of storage"]
    assert host.disks.calls == [("prepare", "vdb"), ("teardown", "vdb")]
    assert host.guards.calls == ["take", "started", "give back"]
    assert named(machine, "vdb") is None and "vdb" not in machine.record.xml
    assert "vdb" not in [one.target for one in machine.record.disks]


@pytest_twisted.ensureDeferred
async def test_a_hook_can_keep_a_disk(host: Any, machine: Any, domain: Any) -> None:
    async def refuse(**_: Any) -> None:
        raise HookError("no")

    host.trace.act["before_disk_hotunplug"] = refuse
    with pytest.raises(HookError):
        await disk.unplug(machine, {"drive": {"path": "/images/first"}})
    assert named(machine, "vda") is not None and domain.names == []


@pytest.mark.parametrize(
    "wanted", [{"path": "/images/other"}, {**VOLUME}, {"GUID": "3600"}, {"name": "vdq"}, {"alias": "x"}, {"size": 1}]
)
@pytest_twisted.ensureDeferred
async def test_a_disk_that_is_not_there_is_not_found(machine: Any, domain: Any, wanted: dict[str, Any]) -> None:
    with pytest.raises(DiskNotUnplugged, match="Disk not found") as problem:
        await disk.unplug(machine, {"drive": wanted})
    assert problem.value.code == 46
