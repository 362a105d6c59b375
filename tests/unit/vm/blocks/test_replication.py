"""Replication: begun, refused, ended on either side; and larger disks."""

import pytest
from attrs import define, evolve, field
from unit.vm.blocks.conftest import BASE, DOMAIN, DRIVE, FOLDER, IMAGE, POOL, REFUSED, TOP, now

from virgate.domxml import tree
from virgate.domxml.facts import DiskSource
from virgate.libvirt.errors import HypervisorAway
from virgate.node.vm import ending
from virgate.node.vm.blocks import extend, kept, replication
from virgate.node.vm.blocks.errors import (
    BadSize,
    CannotLeaveReplica,
    CannotResize,
    NoSuchDrive,
    NotInSync,
    ReplicationFailed,
)
from virgate.node.vm.blocks.kept import Merge
from virgate.node.vm.thin.disks import thin_disks

SECOND = "00000009-7777-4777-8777-777777777777"
SOURCE = {"poolID": POOL, **DRIVE, "volumeID": TOP}
TARGET = {**SOURCE, "domainID": SECOND}
THERE = FOLDER.replace(DOMAIN, SECOND)


def mirror(ready="yes", kind="file"):
    place = "dev" if kind == "block" else "file"
    shown = f" ready='{ready}'" if ready else ""
    return f"<mirror type='{kind}' job='copy'{shown}><format type='qcow2'/><source {place}='{THERE}/{TOP}'/></mirror>"


@define
class Owner:
    """What replication needs of the node."""

    doubled: list[bool] = field(factory=list)
    grown: list[tuple[int, int]] = field(factory=list)

    @property
    def room(self):
        return self

    def double(self, vm, target, *, on=True):
        self.doubled.append(on)

    async def grow_for(self, disk, capacity, written, *, doubled=False):
        self.grown.append((capacity, written))


@pytest.fixture
def owner():
    return Owner()


def begin(owner, machine, source=SOURCE, target=TARGET):
    now(replication.begin(owner, machine, source, target))


def finish(owner, machine, source=SOURCE, target=TARGET):
    now(replication.finish(owner, machine, source, target))


def test_the_top_is_copied_to_a_volume_that_is_prepared_before(owner, machine, played):
    begin(owner, machine)
    ((name, target, xml, flags),) = played.calls
    assert (name, target, flags) == ("copy", "vda", 1 | 2 | 4)
    assert tree.parse(xml).find("source").get("file") == "/rhev/vda"
    assert owner.doubled == []


def test_a_replica_whose_copy_was_not_answered_stays_prepared_and_can_be_left(owner, machine, played):
    played.fail["copy"] = HypervisorAway("uri", "end of file")
    with pytest.raises(ReplicationFailed, match="diskReplicateFinish"):
        begin(owner, machine)
    assert ("teardown", "vda") not in played.host.disks.calls
    assert [one.domain_id for one in machine.record.replicas] == [SECOND]
    played.move(BASE, TOP, mirror=mirror())
    finish(owner, machine, target=SOURCE)
    assert machine.record.replicas == () and ("teardown", "vda") in played.host.disks.calls


@pytest.mark.parametrize(
    ("source", "target", "failure"),
    [
        ({**SOURCE, "imageID": "x"}, TARGET, NoSuchDrive),
        (SOURCE, {"GUID": "lun"}, ReplicationFailed),
        (SOURCE, {**TARGET, "imageID": SECOND}, ReplicationFailed),
    ],
)
def test_what_is_no_disk_or_no_volume_is_refused(owner, machine, played, source, target, failure):
    with pytest.raises(failure):
        begin(owner, machine, source, target)
    assert played.calls == []


def test_a_disk_is_replicated_once(owner, machine, played):
    played.move(BASE, TOP, mirror=mirror())
    with pytest.raises(ReplicationFailed):
        begin(owner, machine)


def test_a_replica_that_the_hypervisor_refuses_is_torn_down(owner, machine, played):
    played.fail["copy"] = REFUSED
    with pytest.raises(ReplicationFailed):
        begin(owner, machine)
    assert played.host.disks.calls[-1] == ("teardown", "vda")
    assert owner.doubled == [False]
    assert not machine.changing.locked


@pytest.mark.parametrize("found", [False, True], ids=["its own", "of another daemon"])
def test_a_machine_that_ends_meanwhile_gives_the_replica_back(owner, machine, played, found):
    begin(owner, machine)
    if found:
        machine.record.replicas = ()
        played.move(BASE, TOP, mirror=mirror())
        now(machine.document())
        replication.find(owner, machine)
    given_back = []
    machine.means = evolve(machine.means, disks=TornDown(given_back))
    now(ending.free(machine))
    assert [(disk.domain_id, disk.image_id) for disk in given_back] == [(DOMAIN, IMAGE), (SECOND, IMAGE)]
    assert owner.doubled == [True] * found


class TornDown:
    """Disks, of which is kept what was given back."""

    def __init__(self, given_back):
        self.given_back = given_back

    async def teardown(self, disk):
        self.given_back.append(disk)


@pytest.mark.parametrize(("kind", "grown"), [("block", []), ("file", [(500, 500)])])
def test_a_thin_replica_grows_with_its_source_or_gets_all_at_once(owner, machine, played, kind, grown):
    class Disks:
        async def prepare(self, disk):
            return DiskSource(f"{THERE}/{TOP}", "qcow2", "block")

    machine.means = evolve(machine.means, disks=Disks())
    played.kind = kind
    played.show()
    played.host.domains.sizes["vda"] = (500, 100, 200)
    begin(owner, machine)
    assert owner.doubled == [True]
    assert owner.grown == grown


def test_a_replica_takes_over_when_both_are_alike(owner, machine, played):
    played.move(BASE, TOP, mirror=mirror(), job=2)
    with pytest.raises(NotInSync):
        finish(owner, machine)
    played.job |= {"cur": 10}
    finish(owner, machine)
    assert played.names == ["pivot"]
    assert played.host.disks.calls[-1] == ("teardown", "vda")
    assert owner.doubled == [False]


def test_a_replica_is_given_up_when_the_source_is_named_twice(owner, machine, played):
    played.move(BASE, TOP, mirror=mirror(""), job=2)
    played.fail["abort"] = REFUSED
    with pytest.raises(CannotLeaveReplica):
        finish(owner, machine, target=SOURCE)
    played.fail.clear()
    finish(owner, machine, target=SOURCE)
    assert played.names == ["abort", "abort"]


@pytest.mark.parametrize("target", [TARGET, SOURCE])
def test_a_disk_that_is_not_replicated_cannot_be_finished(owner, machine, played, target):
    with pytest.raises(ReplicationFailed):
        finish(owner, machine, target=target)


def test_a_replica_elsewhere_than_said_is_not_gone_to(owner, machine, played):
    played.move(BASE, TOP, mirror=mirror(), job=2)
    with pytest.raises(ReplicationFailed):
        finish(owner, machine, target={**TARGET, "domainID": "third"})
    assert played.calls == []


def test_a_thin_disk_knows_its_replica(machine, played):
    played.kind = "block"
    played.move(BASE, TOP, mirror=mirror(kind="block"))
    now(machine.document())
    disk = thin_disks(machine)["vda"]
    assert (disk.domain, disk.replica.domain, disk.replica.volume) == (DOMAIN, SECOND, TOP)
    played.move(BASE, TOP)
    now(machine.document())
    assert thin_disks(machine)["vda"].replica is None


@define
class Volumes:
    form: str = "COW"
    asked: list = field(factory=list)

    async def info(self, *ids):
        return {"format": self.form}

    async def refresh(self, *ids):
        self.asked.append("refresh")

    async def size(self, *ids):
        return 700, 700

    async def set_capacity(self, domain, image, volume, size):
        self.asked.append(size)


def larger(machine, size, volumes, drive=SOURCE):
    machine.means.domains.sizes["vda"] = (500, 100, 200)
    return now(extend.extend(machine, drive, size, volumes))


def test_while_a_thin_disk_is_resized_its_metadata_say_so(machine, played):
    volumes = Volumes()
    larger(machine, 900, volumes)
    assert played.calls == [("resize", "vda", 900)]
    assert volumes.asked == [0, 500]


def test_a_resize_that_fails_leaves_the_metadata_true(machine, played):
    volumes = Volumes()
    played.fail["resize"] = REFUSED
    with pytest.raises(CannotResize):
        larger(machine, 900, volumes)
    assert volumes.asked == [0, 500]


MERGE = Merge("e1e1", "vda", DOMAIN, IMAGE, BASE, TOP, (TOP,))


@pytest.mark.parametrize(
    ("merge", "job", "named"),
    [(MERGE, 3, "merge e1e1"), (MERGE, 0, "merge e1e1"), (None, 2, "replication"), (None, 5, "backup job")],
)
def test_a_disk_that_a_job_works_on_is_not_resized_and_the_job_is_named(machine, played, merge, job, named):
    if merge is not None:
        now(kept.put(machine, merge))
    played.move(BASE, TOP, job=job)
    volumes = Volumes()
    with pytest.raises(CannotResize) as failure:
        larger(machine, 900, volumes)
    assert failure.value.code == 56 and named in str(failure.value)
    assert played.calls == [] and volumes.asked == []
    assert not machine.changing.locked


def test_a_merge_of_another_disk_hinders_no_resize(machine, played):
    now(kept.put(machine, evolve(MERGE, target="vdb")))
    larger(machine, 900, Volumes())
    assert played.calls == [("resize", "vda", 900)]


def test_no_disk_is_made_smaller(machine, played):
    with pytest.raises(BadSize):
        larger(machine, 499, Volumes())
    assert played.calls == []


def test_a_raw_disk_is_as_large_as_its_volume(machine, played):
    volumes = Volumes("RAW")
    assert larger(machine, 600, volumes) == 700
    assert played.calls == [("resize", "vda", 700)]
    assert volumes.asked == ["refresh"]


def test_a_disk_that_is_not_there_is_not_resized(machine, played):
    with pytest.raises(NoSuchDrive):
        larger(machine, 600, Volumes(), {**SOURCE, "imageID": IMAGE[::-1]})
