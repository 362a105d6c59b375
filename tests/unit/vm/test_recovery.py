"""Finding machines again: who is adopted, who is external, and in which state (spec migration 12.2, 12.4)."""

import json
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from virgate.libvirt.errors import HypervisorAway
from virgate.node.vm import describe
from virgate.node.vm.life import Status

ID = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
CHANNEL = "<channel type='unix'><target type='virtio' name='{}'/></channel>"
FAMILY = "<metadata><ovirt-vm:vm xmlns:ovirt-vm='http://ovirt.org/vm/1.0'>{}</ovirt-vm:vm></metadata>"


def domain(uuid: str = OTHER, *, metadata: str = "", devices: str = "") -> str:
    return (
        f"<domain type='qemu'><name>other</name><uuid>{uuid}</uuid><memory unit='KiB'>65536</memory>"
        f"<vcpu>1</vcpu>{metadata}<os><type arch='x86_64'>hvm</type></os><devices>{devices}</devices></domain>"
    )


async def there(host: Any, xml: str, state: str = "running", reason: str = "booted", uuid: str = OTHER) -> None:
    await host.domains.define(xml)
    host.domains.domains[uuid].state, host.domains.domains[uuid].reason = state, reason


@pytest_twisted.async_yield_fixture
async def again(host: Any) -> Any:
    """Another daemon on the same host, not started yet."""
    machines = host.again()
    yield machines
    await machines.stop()


@pytest_twisted.ensureDeferred
async def test_a_running_machine_is_managed_again_with_all_its_properties(
    host: Any, again: Any, params: dict[str, Any]
) -> None:
    image = {"poolID": "p", "domainID": "d", "imageID": "i", "volumeID": "v"}
    disk = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw", "custom": {"c": "d"}, **image}
    params |= {"custom": {"colour": "blue"}, "timeOffset": "-3600", "somethingNew": "kept", "devices": [disk]}
    before = await host.run(params)
    host.clock.advance(100)
    await again.start()
    after = again.find(ID)
    assert after.vitals.status is Status.UP
    assert (after.record.name, after.record.custom, after.record.time_offset) == ("one", {"colour": "blue"}, -3600)
    assert after.record.started == before.record.started
    assert after.record.disks == before.record.disks
    changing = ("statusTime",)
    old, new = describe.full(before), describe.full(after)
    assert {k: v for k, v in new.items() if k not in changing} == {k: v for k, v in old.items() if k not in changing}


@pytest_twisted.ensureDeferred
async def test_a_recovered_machine_is_destroyed_like_any_other(host: Any, again: Any, params: dict[str, Any]) -> None:
    disk = {"type": "disk", "device": "disk", "iface": "virtio", "path": "/a", "custom": {"c": "d"}}
    await host.run({**params, "devices": [disk]})
    await host.machines.stop()
    await again.start()
    host.trace.points.clear()
    await again.destroy(ID)
    assert host.trace.points == [
        "before_device_destroy",
        "before_vm_destroy",
        "after_vm_destroy",
        "after_device_destroy",
    ]
    assert host.domains.domains == {}


@pytest.mark.parametrize(
    "mark",
    [
        {"metadata": FAMILY.format("")},
        {"devices": CHANNEL.format("com.redhat.rhevm.vdsm")},
    ],
)
@pytest_twisted.ensureDeferred
async def test_domains_of_the_family_are_adopted(host: Any, again: Any, mark: dict[str, str]) -> None:
    await there(host, domain(**mark))
    await again.start()
    assert not again.find(OTHER).record.external


@pytest_twisted.ensureDeferred
async def test_the_familys_metadata_is_read(host: Any, again: Any) -> None:
    values = (
        "<ovirt-vm:startTime type='float'>500.5</ovirt-vm:startTime>"
        "<ovirt-vm:custom><ovirt-vm:colour>blue</ovirt-vm:colour></ovirt-vm:custom>"
    )
    await there(host, domain(metadata=FAMILY.format(values)))
    await again.start()
    record = again.find(OTHER).record
    assert (record.started, record.custom) == (500.5, {"colour": "blue"})


@pytest_twisted.ensureDeferred
async def test_a_strangers_running_domain_is_external_and_its_definition_survives_destroy(
    host: Any, again: Any
) -> None:
    await there(host, domain())
    await again.start()
    machine = again.find(OTHER)
    assert machine.record.external and describe.full(machine)["external"] is True
    await again.destroy(OTHER)
    assert len(again) == 0
    assert list(host.domains.domains) == [OTHER]


@pytest.mark.parametrize("state", ["shutoff", "crashed"])
@pytest_twisted.ensureDeferred
async def test_a_strangers_domain_that_does_not_run_is_not_listed(host: Any, again: Any, state: str) -> None:
    await there(host, domain(), state, "unknown")
    await again.start()
    assert len(again) == 0


@pytest_twisted.ensureDeferred
async def test_a_tools_appliance_is_nobodys(host: Any, again: Any) -> None:
    await there(host, domain(devices=CHANNEL.format("org.libguestfs.channel.0"), metadata=FAMILY.format("")))
    await again.start()
    assert len(again) == 0


@pytest.mark.parametrize(
    ("state", "reason", "status", "exit"),
    [
        ("running", "booted", Status.UP, None),
        ("running", "unpaused", Status.UP, None),
        ("blocked", "unknown", Status.UP, None),
        ("nostate", "unknown", Status.UP, None),
        ("paused", "user", Status.PAUSED, None),
        ("paused", "ioerror", Status.PAUSED, None),
        ("shutoff", "shutdown", Status.DOWN, (0, 7)),
        ("shutoff", "destroyed", Status.DOWN, (0, 6)),
        ("shutoff", "migrated", Status.DOWN, (0, 4)),
        ("shutoff", "saved", Status.DOWN, (0, 5)),
        ("shutoff", "failed", Status.DOWN, (1, 3)),
        ("shutoff", "unknown", Status.DOWN, (1, 1)),
        ("crashed", "panicked", Status.DOWN, (1, 2)),
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_state_libvirt_tells_becomes_ours(
    host: Any, again: Any, state: str, reason: str, status: Status, exit: tuple[int, int] | None
) -> None:
    await there(host, domain(metadata=FAMILY.format("")), state, reason)
    await again.start()
    vitals = again.find(OTHER).vitals
    assert vitals.status is status
    assert (exit is None) == (vitals.exit is None)
    if exit is not None:
        assert (vitals.exit.code, vitals.exit.reason) == exit


@pytest_twisted.ensureDeferred
async def test_a_guest_that_ended_while_no_daemon_was_there_is_released_by_destroy(host: Any, again: Any) -> None:
    await there(host, domain(metadata=FAMILY.format("")), "shutoff", "shutdown")
    await again.start()
    assert host.trace.points == []
    await again.destroy(OTHER)
    assert host.trace.points == ["before_vm_destroy", "after_vm_destroy"]


@pytest_twisted.ensureDeferred
async def test_why_a_recovered_machine_is_paused_is_told(host: Any, again: Any) -> None:
    await there(host, domain(metadata=FAMILY.format("")), "paused", "ioerror")
    await again.start()
    assert again.find(OTHER).vitals.pause_code == "EOTHER"


@pytest_twisted.ensureDeferred
async def test_one_of_ours_that_cannot_be_read_is_kept_running_and_reported(host: Any, again: Any) -> None:
    await there(host, domain(metadata=FAMILY.format("<ovirt-vm:startTime type='float'>x</ovirt-vm:startTime>")))
    await again.start()
    assert len(again) == 0
    assert OTHER in again.recovery.unreadable
    assert host.domains.domains[OTHER].state == "running"
    assert "destroy" not in host.domains.names


@pytest.mark.parametrize(
    "damage",
    [
        "<x xmlns='http://somebody.else'><![CDATA[<!DOCTYPE]]></x>",
        f"<v:machine xmlns:v='http://virgate.org/vm/1.0' version='1'>{'[' * 100_000}</v:machine>",
    ],
    ids=["refused XML", "nested without end"],
)
@pytest_twisted.ensureDeferred
async def test_a_domain_that_cannot_be_read_does_not_keep_the_others_from_being_found(
    host: Any, again: Any, params: dict[str, Any], damage: str
) -> None:
    await there(host, domain(metadata=f"<metadata>{damage}</metadata>"))
    await host.run(params)
    await again.start()
    assert ID in again
    assert again.find(ID).vitals.status is Status.UP


@pytest_twisted.ensureDeferred
async def test_metadata_cannot_make_one_domain_pass_for_another(host: Any, again: Any) -> None:
    conf = json.dumps(
        {"vmId": ID, "memSize": 64, "devices": [{"type": "disk", "device": "disk", "path": "/etc/shadow"}]}
    )
    claim = f"<v:machine xmlns:v='http://virgate.org/vm/1.0' version='1'>{conf}</v:machine>"
    await there(host, domain(metadata=f"<metadata>{claim}</metadata>"))
    await again.start()
    assert ID not in again
    assert OTHER in again.recovery.unreadable


@pytest_twisted.ensureDeferred
async def test_recovery_tries_again_every_five_seconds_until_the_hypervisor_answers(host: Any, again: Any) -> None:
    await there(host, domain(metadata=FAMILY.format("")))
    host.domains.fail["list"] = [HypervisorAway("u", "away"), HypervisorAway("u", "away")]
    recovering = Deferred.fromCoroutine(again.start())
    host.clock.advance(5)
    assert not recovering.called
    host.clock.advance(5)
    await recovering
    assert OTHER in again


@pytest_twisted.ensureDeferred
async def test_a_domain_that_vanishes_while_it_is_looked_at_is_left_out(host: Any, again: Any) -> None:
    await there(host, domain(metadata=FAMILY.format("")))
    host.domains.hold["xml"] = Deferred()
    recovering = Deferred.fromCoroutine(again.start())
    del host.domains.domains[OTHER]
    host.domains.hold.pop("xml").callback(None)
    await recovering
    assert len(again) == 0


@pytest_twisted.ensureDeferred
async def test_a_domain_that_somebody_starts_later_is_listed_as_external(host: Any) -> None:
    await there(host, domain())
    host.domains.lifecycle(OTHER, "started", "booted")
    assert host.machines.find(OTHER).record.external


@pytest_twisted.ensureDeferred
async def test_recovery_fires_no_hook_of_the_start(host: Any, again: Any) -> None:
    await there(host, domain(metadata=FAMILY.format("")))
    await again.start()
    assert host.trace.points == []


@pytest_twisted.ensureDeferred
async def test_after_a_lost_connection_every_machine_is_looked_at_afresh(host: Any, params: dict[str, Any]) -> None:
    machine = await host.run(params)
    host.domains.domains[ID].state, host.domains.domains[ID].reason = "shutoff", "shutdown"
    await there(host, domain())
    host.events.tell("libvirt.connected", uri="u")
    await machine.release.run(machine.document)
    assert (machine.vitals.exit.code, machine.vitals.exit.reason) == (0, 7)
    assert host.machines.find(OTHER).record.external


@pytest_twisted.ensureDeferred
async def test_a_machine_that_libvirt_lost_meanwhile_is_down_with_reason_nine(
    host: Any, params: dict[str, Any]
) -> None:
    machine = await host.run(params)
    del host.domains.domains[ID]
    host.events.tell("libvirt.connected", uri="u")
    await machine.release.run(machine.document)
    assert (machine.vitals.exit.code, machine.vitals.exit.reason) == (1, 9)


@pytest.mark.parametrize(("state", "status"), [("paused", Status.PAUSED), ("running", Status.UP)])
@pytest_twisted.ensureDeferred
async def test_a_pause_or_continue_that_nobody_heard_of_is_noticed(
    host: Any, params: dict[str, Any], state: str, status: Status
) -> None:
    machine = await host.run(params)
    if state == "running":
        await machine.pause()
    host.domains.domains[ID].state = state
    host.events.tell("libvirt.connected", uri="u")
    assert machine.vitals.status is status


@pytest_twisted.ensureDeferred
async def test_a_machine_that_is_down_and_that_somebody_starts_again_is_managed_again(
    host: Any, params: dict[str, Any]
) -> None:
    machine = await host.run(params)
    host.domains.stop(ID, "shutdown")
    await machine.release.run(machine.document)
    await host.domains.start(ID)
    assert host.machines.find(ID) is not machine
    assert host.machines.find(ID).vitals.status is Status.UP
    assert not host.machines.find(ID).record.external


IMAGE = {"poolID": "p", "domainID": "d", "imageID": "i", "volumeID": "v"}


@pytest_twisted.ensureDeferred
async def test_images_of_recovered_machines_are_prepared_as_soon_as_their_storage_is_there(
    host: Any, again: Any, params: dict[str, Any]
) -> None:
    disk = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw", **IMAGE}
    machine = await host.machines.create({**params, "devices": [disk]})
    assert machine.launch is None
    host.trace.points.clear()
    host.disks.calls.clear()
    host.disks.fail["prepare vda"] = HypervisorAway("u", "no pool yet")
    await again.start()
    assert again.find(ID).vitals.status is Status.UP
    host.clock.advance(5)
    assert host.disks.calls == [("prepare", "vda")] * 2 and host.trace.points == []
    host.disks.fail.clear()
    host.clock.advance(5)
    assert host.disks.calls == [("prepare", "vda")] * 3 and host.trace.points == ["after_disk_prepare"]
    host.clock.advance(50)
    assert len(host.disks.calls) == 3


@pytest_twisted.ensureDeferred
async def test_nobody_prepares_disks_of_a_machine_that_ended_meanwhile(
    host: Any, again: Any, params: dict[str, Any]
) -> None:
    disk = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw", **IMAGE}
    await host.machines.create({**params, "devices": [disk]})
    host.disks.fail["prepare vda"] = HypervisorAway("u", "no pool yet")
    await host.machines.stop()
    await again.start()
    host.disks.calls.clear()
    host.domains.stop(ID, "shutdown")
    host.clock.advance(50)
    assert host.disks.calls == [("teardown", "vda")]


@pytest_twisted.ensureDeferred
async def test_the_guests_clock_is_where_the_guest_left_it(host: Any, again: Any, params: dict[str, Any]) -> None:
    await host.machines.create({**params, "timeOffset": "-3600"})
    domain = host.domains.domains[ID]
    domain.xml = domain.xml.replace('adjustment="-3600"', 'adjustment="-3500"')
    await again.start()
    assert again.find(ID).record.time_offset + again.find(ID).record.clock_drift == -3500
