"""Snapshots: which disks change, what the guest is asked, and that it is thawed whatever happens."""

import pytest
from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from unit.vm.blocks.conftest import BASE, DRIVE, FOLDER, INVALID, MIDDLE, NEW, OTHER, REFUSED, TOP, now

from virgate.domxml import tree
from virgate.domxml.facts import DiskRequest, DiskSource
from virgate.errors import InvalidParameter
from virgate.libvirt.errors import AgentUnresponsive, HypervisorAway, OperationTimedOut
from virgate.node.vm.blocks import freezing, kept, snapshot
from virgate.node.vm.blocks.errors import (
    AgentDead,
    CannotFreeze,
    CannotThaw,
    LeasedDrive,
    NoFreezing,
    SnapshotFailed,
    SnapshotUnseen,
    TransientDrive,
)
from virgate.node.vm.blocks.snapshots import Wanted
from virgate.node.vm.errors import Moving
from virgate.node.vm.exits import Exit, Reason
from virgate.node.vm.migration.departure import Departure

WANTED = {**DRIVE, "baseVolumeID": TOP, "volumeID": NEW}
AGENT = "<target type='virtio' name='org.qemu.guest_agent.0' state='connected'/>"


@pytest.fixture
def guest(played):
    """It has an agent."""
    played.agent = AGENT
    played.show()
    return played


def take(machine, *wanted, **how):
    return now(snapshot.snapshot(machine, wanted or [WANTED], **how))


def test_a_disk_goes_on_in_its_new_volume_and_the_record_follows(machine, played):
    assert take(machine) is False
    assert machine.record.disks[0].volume_id == NEW
    (device,) = [one for one in machine.record.conf["devices"] if one.get("name") == "vda"]
    assert (device["volumeID"], device["volumeChain"][-1]["volumeID"]) == (NEW, NEW)
    assert ("prepare", "vda") in played.host.disks.calls


def test_clients_are_told_of_the_new_volume_what_storage_tells_of_it(machine, played):
    chain = tuple(
        {**DRIVE, "volumeID": volume, "leasePath": f"/mnt/{volume}.lease"} for volume in (BASE, MIDDLE, TOP, NEW)
    )
    played.host.disks.chains[NEW] = chain
    take(machine)
    (device,) = [one for one in machine.record.conf["devices"] if one.get("name") == "vda"]
    assert (device["volumeChain"], device["volumeInfo"]) == (list(chain), chain[-1])


def test_a_disk_that_is_on_its_new_volume_stays_there(machine, played):
    take(machine)
    played.calls.clear()
    assert take(machine) is False
    assert played.calls == []


@pytest.mark.parametrize(
    ("wanted", "failure"),
    [
        ({**WANTED, "baseVolumeID": BASE}, SnapshotFailed),
        ({**WANTED, "imageID": "another"}, SnapshotFailed),
        ({"baseGUID": "g", "GUID": "h"}, SnapshotFailed),
        ({}, SnapshotFailed),
    ],
)
def test_a_disk_that_is_not_on_its_base_fails_before_anything_is_done(machine, played, wanted, failure):
    with pytest.raises(failure):
        take(machine, wanted)
    assert played.calls == []


@pytest.mark.parametrize(("shared", "failure"), [("transient", TransientDrive), ("exclusive", LeasedDrive)])
def test_disks_that_cannot_change_volumes_are_refused(machine, played, shared, failure):
    machine.record.disks = (evolve(machine.record.disks[0], shared=shared),)
    with pytest.raises(failure):
        take(machine)
    assert played.calls == []


def test_a_machine_on_its_way_to_another_host_is_left_alone(machine, played):
    machine.departure = Departure.__new__(Departure)
    with pytest.raises(Moving):
        take(machine)
    assert not machine.changing.locked


def test_luns_are_found_by_their_own_ids(machine):
    machine.record.disks = (DiskRequest("sda", guid="old"), DiskRequest("sdb", uuid="u"))
    first, second = snapshot.plan(machine, [{"baseGUID": "old", "GUID": "new"}, {"baseUUID": "u", "UUID": "v"}])
    assert (first.new.guid, second.new.uuid) == ("new", "v")
    assert snapshot.plan(machine, [{"baseGUID": "before", "GUID": "old"}]) == []


def test_the_guest_is_frozen_before_and_thawed_after(machine, guest):
    assert take(machine) is True
    assert guest.names == ["freeze", "snapshot", "thaw"]
    assert now(kept.read(machine)) == kept.Kept()


@pytest.mark.parametrize(
    "how", [{"frozen": True}, {"agent": ""}, {"agent": AGENT.replace("'connected'", "'disconnected'")}]
)
def test_the_guest_is_not_asked_when_the_client_did_or_nobody_listens(machine, guest, how):
    guest.agent = how.get("agent", AGENT)
    guest.show()
    assert take(machine, frozen=how.get("frozen", False)) is False
    assert guest.names == ["snapshot"]


def test_a_guest_that_does_not_freeze_is_taken_as_it_is_and_thawed_all_the_same(machine, guest):
    guest.fail["freeze"] = REFUSED
    assert take(machine) is False
    assert guest.names == ["freeze", "snapshot", "thaw"]


def test_the_guest_is_thawed_when_the_hypervisor_fails(machine, guest):
    guest.fail["snapshot"] = REFUSED
    with pytest.raises(SnapshotFailed):
        take(machine)
    assert guest.names == ["freeze", "snapshot", "thaw"]
    assert machine.record.disks[0].volume_id == TOP
    assert not machine.changing.locked


@pytest.mark.parametrize("call", ["set_metadata", "on"])
def test_the_guest_is_thawed_when_the_snapshot_is_cancelled(machine, guest, call):
    domains = machine.means.domains
    hold = Deferred()
    taking = Deferred.fromCoroutine(snapshot.snapshot(machine, [WANTED]))
    taking.addErrback(lambda failure: failure.trap(CancelledError))
    guest.calls.clear()
    domains.hold[call] = hold
    guest.move(BASE, TOP)
    again = Deferred.fromCoroutine(snapshot.snapshot(machine, [WANTED]))
    again.addErrback(lambda failure: failure.trap(CancelledError))
    domains.hold.clear()
    again.cancel()
    assert guest.names.count("thaw") >= guest.names.count("freeze")
    assert not machine.changing.locked
    assert now(kept.read(machine)) == kept.Kept()


AWAY = HypervisorAway("uri", "end of file")


class Lost(list):
    """Fails as long as it is there."""

    def pop(self, _):
        return AWAY


def is_lost(played):
    """As soon as it is asked for a snapshot, and what it answers does not come."""

    def lose():
        played.host.domains.fail = {name: Lost([AWAY]) for name in ("on", "xml", "set_metadata")}
        raise AWAY

    played.act["snapshot"] = lose


def is_back(played):
    played.act.clear()
    played.host.domains.fail.clear()
    played.calls.clear()
    played.host.events.tell("libvirt.connected", uri="uri")


@pytest.mark.parametrize("done", [True, False])
def test_a_hypervisor_lost_in_the_middle_is_a_failed_snapshot_and_the_record_is_right_when_it_is_back(
    machine, guest, done
):
    guards = guest.host.guards
    guards.calls.clear()
    is_lost(guest)
    with pytest.raises(SnapshotUnseen) as failure:
        take(machine)
    assert failure.value.code == 48 and "ask for the same snapshot again" in str(failure.value)
    assert guards.calls == ["take", "started"], "the guest may write there"
    guest.host.events.tell("libvirt.connected", uri="it is lost again")
    if done:
        guest.move(*guest.chain, NEW)
    is_back(guest)
    assert guest.names == ["thaw"] and not now(kept.read(machine)).thaw
    assert machine.record.disks[0].volume_id == (NEW if done else TOP)
    assert guards.calls[2:] == ([] if done else ["give back"])
    assert not machine.changing.locked
    assert take(machine) is not done, "asked again"
    assert ("snapshot" in guest.names) is not done


def test_memory_of_a_snapshot_that_was_lost_is_not_kept_and_the_client_is_told(machine, played):
    class Memory:
        async def prepare(self, machine):
            return "/memory"

        async def release(self, machine):
            released.append(machine)

    released = []
    is_lost(played)
    with pytest.raises(SnapshotUnseen, match="take another one"):
        take(machine, memory=Memory())
    assert released == [machine]


def test_a_hypervisor_lost_before_has_changed_nothing(machine, played):
    played.host.domains.fail["xml"] = [AWAY]
    with pytest.raises(SnapshotFailed, match="nothing was changed"):
        take(machine)
    assert played.calls == [] and not machine.changing.locked


def test_a_hypervisor_lost_right_after_is_no_failure_and_the_record_follows(machine, played):
    played.act["snapshot"] = lambda: played.host.domains.fail.update(xml=Lost([AWAY]))
    take(machine)
    assert machine.record.disks[0].volume_id == TOP
    is_back(played)
    assert machine.record.disks[0].volume_id == NEW


def test_a_lun_is_followed_too_when_the_hypervisor_is_back(machine, played):
    machine.record.disks = (DiskRequest("vda", guid="old", path="/dev/old"),)
    is_lost(played)
    with pytest.raises(SnapshotUnseen):
        take(machine, {"baseGUID": "old", "GUID": "new"})
    found = played.host.domains.domains[machine.id]
    found.xml = found.xml.replace(f"{FOLDER}/{TOP}", "/dev/old")
    is_back(played)
    assert machine.record.disks[0].guid == "new"


def test_a_machine_that_ended_meanwhile_is_not_looked_at(machine, guest):
    is_lost(guest)
    with pytest.raises(SnapshotUnseen):
        take(machine)
    machine.life.down(Exit.of(Reason.LOST_QEMU))
    is_back(guest)
    assert guest.calls == []


def test_volumes_of_a_snapshot_that_was_cancelled_are_looked_at_when_the_hypervisor_is_through(machine, played, host):
    hold = host.domains.hold["on"] = Deferred()
    taking = Deferred.fromCoroutine(snapshot.snapshot(machine, [WANTED]))
    taking.addErrback(lambda failure: failure.trap(CancelledError))
    host.domains.hold.clear()
    host.domains.fail["set_metadata"] = [OperationTimedOut(68, "another job")]
    taking.cancel()
    assert hold.called and machine.record.disks[0].volume_id == TOP and not machine.changing.locked
    played.move(*played.chain, NEW)
    host.clock.advance(30)
    assert machine.record.disks[0].volume_id == NEW


def test_a_snapshot_that_came_about_unheard_is_not_taken_again(machine, played):
    played.move(*played.chain, NEW)
    assert take(machine) is False
    assert played.calls == []
    (device,) = [one for one in machine.record.conf["devices"] if one.get("name") == "vda"]
    assert device["volumeID"] == NEW


def test_a_thaw_stays_owed_while_the_hypervisor_is_away(machine, guest):
    guest.fail["thaw"] = HypervisorAway("uri", "gone")
    take(machine)
    assert now(kept.read(machine)).thaw
    guest.fail.clear()
    guest.calls.clear()
    now(freezing.owed(machine))
    assert guest.names == ["thaw"]
    assert not now(kept.read(machine)).thaw


@pytest.mark.parametrize(
    ("problem", "frozen", "thawed"),
    [
        (AgentUnresponsive(86, "no answer"), AgentDead, AgentDead),
        (type(REFUSED)(3, "cannot"), NoFreezing, NoFreezing),
        (REFUSED, CannotFreeze, CannotThaw),
        (INVALID, CannotFreeze, CannotThaw),
    ],
)
def test_what_a_client_hears_of_a_freeze_that_did_not_succeed(machine, played, problem, frozen, thawed):
    played.fail = {"freeze": problem, "thaw": problem}
    with pytest.raises(frozen):
        now(freezing.freeze(machine))
    with pytest.raises(thawed):
        now(freezing.thaw(machine))


def test_the_document_names_every_disk_and_the_memory():
    sources = {"vda": DiskSource("/f/1"), "vdb": DiskSource("/dev/x", kind="block")}
    root = tree.parse(snapshot.document(sources, ["vda", "vdb", "hdc"], "/m&m"))
    assert [(one.get("name"), one.get("snapshot")) for one in root.find("disks")] == [
        ("vda", "external"),
        ("vdb", "external"),
        ("hdc", "no"),
    ]
    assert root.find("disks")[0].find("source").get("file") == "/f/1"
    assert root.find("disks")[1].find("source").get("dev") == "/dev/x"
    assert root.find("memory").get("file") == "/m&m"


def test_no_other_host_may_write_to_the_new_volume(machine, played):
    guards = played.host.guards
    guards.calls.clear()
    take(machine)
    assert guards.calls == ["take", "started"]
    guards.calls.clear()
    played.fail["snapshot"] = REFUSED
    with pytest.raises(SnapshotFailed):
        take(machine, {**WANTED, "baseVolumeID": NEW, "volumeID": OTHER})
    assert guards.calls == ["take", "end"]


def test_clients_say_memory_in_two_forms():
    place = {"domainID": "d", "poolID": "p", "imageID": "i", "volumeID": "v"}
    both = Wanted.read([], {"dst": place, "dstparams": {**place, "volumeID": "w"}}).memory
    assert both == Wanted.read([], "d,p,i,v,i,w").memory
    assert Wanted.read([], "").memory is None
    with pytest.raises(InvalidParameter):
        Wanted.read(["x"])
