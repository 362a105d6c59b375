"""The node's view of work on volumes: what is told of quiet machines, found after a restart, handed on."""

from typing import Any

import pytest
from attrs import define, field
from unit.vm.blocks.conftest import BASE, DOMAIN, FOLDER, IMAGE, MIDDLE, TOP, now

from virgate.libvirt import blocks as calls
from virgate.node.vm.blocks import kept
from virgate.node.vm.blocks.kept import Merge
from virgate.node.vm.blocks.watching import Blocks
from virgate.node.vm.figures import statistics

MERGE = Merge("job", "vda", DOMAIN, IMAGE, BASE, MIDDLE, (MIDDLE,))


@define
class Room:
    doubled: list[tuple[str, bool]] = field(factory=list)

    def double(self, vm: str, target: str, *, on: bool = True) -> None:
        self.doubled.append((target, on))


@pytest.fixture
def owner(host, machine, played, merges):
    made = Blocks(host.machines, None, Room())
    made._merges = merges
    yield made
    made.stop()


def vm_jobs(machine) -> Any:
    return statistics(machine)["vmJobs"]


def test_a_machine_without_work_is_known_to_have_none(owner, machine):
    owner.start()
    assert vm_jobs(machine) == {}


def test_merges_that_another_daemon_began_are_told_of_and_ended(owner, machine, played, storage):
    now(kept.put(machine, MERGE))
    played.move(BASE, MIDDLE, TOP, job=3)
    now(machine.document())
    owner.start()
    assert list(vm_jobs(machine)) == ["job"]
    played.move(BASE, TOP)
    told = {"uuid": machine.id, "disk": "vda", "job": "commit", "status": "completed"}
    owner._means.events.tell("libvirt.block_job", **told)
    assert vm_jobs(machine) == {}
    assert storage.asked == [("agree", (BASE, TOP), (MIDDLE,))]


def test_a_guest_that_another_daemon_froze_is_thawed(owner, machine, played):
    now(kept.owe_thaw(machine, True))
    now(machine.document())
    owner.start()
    assert played.names == ["thaw"]
    assert not now(kept.read(machine)).thaw


def test_a_replication_that_another_daemon_began_is_kept_twice_as_far_ahead(owner, machine, played):
    played.move(BASE, TOP, mirror=f"<mirror type='file' job='copy'><source file='{FOLDER}/x'/></mirror>")
    now(machine.document())
    owner.start()
    assert owner.room.doubled == [("vda", True)]
    told = {"uuid": machine.id, "disk": "vda", "job": "copy"}
    owner._means.events.tell("libvirt.block_job", **told, status="ready")
    assert owner.room.doubled == [("vda", True)]
    owner._means.events.tell("libvirt.block_job", **told, status="failed")
    assert owner.room.doubled[1:] == [("vda", False)]


def test_a_machine_that_ends_takes_its_merges_with_it(owner, machine, played, merges, host):
    now(kept.put(machine, MERGE))
    played.move(BASE, MIDDLE, TOP, job=3)
    now(machine.document())
    owner.start()
    host.domains.stop(machine.id, "crashed")
    assert len(merges) == 0


def test_storage_that_is_back_lets_merges_be_settled(owner, machine, played, storage, host):
    now(kept.put(machine, MERGE))
    played.move(BASE, TOP)
    storage.fail = [OSError("gone")]
    now(machine.document())
    owner.start()
    assert list(vm_jobs(machine)) == ["job"]
    host.events.tell("storage.domain", domain=DOMAIN, valid=False)
    assert list(vm_jobs(machine)) == ["job"]
    host.events.tell("storage.domain", domain=DOMAIN, valid=True)
    assert vm_jobs(machine) == {}


def test_events_missed_while_the_hypervisor_was_away_are_made_up_for(owner, machine, played, host):
    now(kept.put(machine, MERGE))
    played.move(BASE, MIDDLE, TOP, job=3)
    now(machine.document())
    owner.start()
    played.move(BASE, TOP)
    host.events.tell("libvirt.connected", uri="test:///default")
    assert vm_jobs(machine) == {}


def test_a_job_is_read_in_words(machine, played):
    played.job = {"type": 4, "bandwidth": 3, "cur": 1, "end": 2}
    found = now(calls.job(machine.means.domains, machine.id, "vda"))
    assert found == calls.BlockJob("active_commit", 3, 1, 2)
