"""Thin disks of machines: marks set, room asked for, machines that stopped go on."""

from typing import Any

import pytest
import pytest_twisted
from attrs import define, evolve, field
from twisted.internet.defer import Deferred

from virgate.domxml.facts import DiskRequest
from virgate.libvirt.errors import HypervisorFailed
from virgate.node.storage.errors import CannotExtendVolume
from virgate.node.storage.thin.policy import Policy
from virgate.node.vm.life import Status
from virgate.node.vm.thin import Watermarks
from virgate.node.vm.thin.disks import thin_disks
from virgate.units import GiB, MiB, Size

pytestmark = pytest.mark.usefixtures("host")
CHUNK = 1024 * MiB
SIZES = (10 * GiB, 0, GiB)


def disk_xml(target: str, kind: str = "block", form: str = "qcow2") -> str:
    place = "dev" if kind == "block" else "file"
    return (
        f"<disk type='{kind}' device='disk'><driver name='qemu' type='{form}'/><source {place}='/dev/sd/{target}'/>"
        f"<target dev='{target}'/><alias name='ua-{target}'/></disk>"
    )


def request(target: str) -> DiskRequest:
    return DiskRequest(
        target, format="qcow2", pool_id="p", domain_id="d", image_id=f"i-{target}", volume_id=f"v-{target}"
    )


@define
class PlayedGrowing:
    """Grows at once, or as `hold` and `fail` say."""

    domains: Any
    asked: list[tuple[str, int]] = field(factory=list)
    fail: int = 0
    hold: Deferred[None] | None = None

    async def grow(self, pool: str, domain: str, image: str, volume: str, size: int, *, first: Any = None) -> int:
        self.asked.append((volume, size))
        if self.hold is not None:
            await self.hold
        if self.fail:
            self.fail -= 1
            raise CannotExtendVolume(volume, "no room")
        capacity, allocation, _ = self.domains.sizes[volume[2:]]
        self.domains.sizes[volume[2:]] = (capacity, allocation, size)
        return size


@define
class Scene:
    host: Any
    machine: Any
    growing: PlayedGrowing
    marks: Watermarks

    def thresholds(self, target: str = "vda") -> list[int]:
        return [call[3] for call in self.host.domains.calls if call[0] == "set_block_threshold" and call[2] == target]

    def write(self, target: str, offset: int) -> None:
        """The guest writes up to there."""
        capacity, _, physical = self.host.domains.sizes[target]
        self.host.domains.sizes[target] = (capacity, offset, physical)

    def cross(self, target: str, offset: int) -> None:
        self.write(target, offset)
        self.host.events.tell(
            "libvirt.block_threshold", uuid=self.machine.id, target=target, path="", threshold=1, excess=1
        )

    def starve(self, *targets: str) -> None:
        """QEMU stops the machine: an event for each disk and one for the machine."""
        domains = self.host.domains
        domains.domains[self.machine.id].state = "paused"
        for target in targets:
            domains.errors[target] = "no_space"
        holding = self.growing.hold = Deferred()
        domains.lifecycle(self.machine.id, "suspended", "ioerror")
        for target in targets:
            told = {"uuid": self.machine.id, "path": "", "alias": f"ua-{target}", "action": "pause"}
            self.host.events.tell("libvirt.io_error", **told, reason="enospc")
        self.growing.hold = None
        holding.callback(None)


@pytest_twisted.async_yield_fixture
async def scene(host: Any, params: dict[str, Any]):
    machine = await host.running(params)
    found = host.domains.domains[machine.id]
    found.xml = machine.record.xml = machine.record.xml.replace(
        "</devices>",
        disk_xml("vda") + disk_xml("vdb") + disk_xml("vdc", "file") + disk_xml("vdd", form="raw") + "</devices>",
    )
    machine.record.disks = tuple(map(request, ("vda", "vdb", "vdc", "vdd")))
    host.domains.sizes = {"vda": SIZES, "vdb": SIZES}
    growing = PlayedGrowing(host.domains)
    marks = Watermarks(host.machines, growing, Policy(Size(CHUNK), 50), retry=5)
    yield Scene(host, machine, growing, marks)
    marks.stop()


def test_qcow2_on_block_devices_of_images_is_thin(scene: Scene) -> None:
    assert set(thin_disks(scene.machine)) == {"vda", "vdb"}
    scene.machine.record.disks = (evolve(request("vda"), volume_id=""),)
    assert thin_disks(scene.machine) == {}


def test_machines_that_run_when_the_daemon_starts_are_watched(scene: Scene) -> None:
    scene.marks.start()
    assert scene.thresholds("vda") == scene.thresholds("vdb") == [GiB // 2]
    assert scene.growing.asked == []


def test_a_guest_that_writes_beyond_the_mark_gets_room_and_a_new_mark(scene: Scene) -> None:
    scene.marks.start()
    scene.cross("vda", GiB // 2 + 1)
    assert scene.growing.asked == [("v-vda", 2 * GiB)]
    assert scene.thresholds()[-1] == 2 * GiB - GiB // 2
    assert scene.machine.status is not Status.PAUSED


def test_a_guest_that_was_faster_than_its_mark_gets_room_at_once(scene: Scene) -> None:
    scene.host.domains.sizes["vda"] = (10 * GiB, GiB - 1, GiB)
    scene.marks.start()
    assert scene.growing.asked == [("v-vda", 2 * GiB)]


def test_events_of_one_disk_while_it_grows_are_looked_at_once_more(scene: Scene) -> None:
    scene.marks.start()
    scene.growing.hold = Deferred()
    scene.cross("vda", GiB // 2 + 1)
    scene.cross("vda", GiB // 2 + 2)
    scene.cross("vda", GiB // 2 + 3)
    holding, scene.growing.hold = scene.growing.hold, None
    holding.callback(None)
    assert scene.growing.asked == [("v-vda", 2 * GiB)]


def test_disks_grow_beside_each_other(scene: Scene) -> None:
    scene.marks.start()
    scene.growing.hold = Deferred()
    scene.cross("vda", GiB // 2 + 1)
    scene.cross("vdb", GiB // 2 + 1)
    assert [volume for volume, _ in scene.growing.asked] == ["v-vda", "v-vdb"]
    scene.growing.hold.callback(None)


def test_growing_that_fails_is_tried_again_later_and_later(scene: Scene) -> None:
    scene.marks.start()
    scene.growing.fail = 2
    scene.cross("vda", GiB // 2 + 1)
    assert len(scene.growing.asked) == 1
    scene.host.clock.advance(5)
    assert len(scene.growing.asked) == 2
    scene.host.clock.advance(5)
    assert len(scene.growing.asked) == 2
    scene.host.clock.advance(5)
    assert len(scene.growing.asked) == 3
    assert scene.thresholds()[-1] == 2 * GiB - GiB // 2


def test_growing_that_failed_is_tried_again_at_once_when_storage_is_back(scene: Scene) -> None:
    scene.marks.start()
    scene.growing.fail = 1
    scene.cross("vda", GiB // 2 + 1)
    scene.host.events.tell("storage.domain", domain="d", valid=False)
    assert len(scene.growing.asked) == 1
    scene.host.events.tell("storage.domain", domain="d", valid=True)
    assert len(scene.growing.asked) == 2


def test_a_quiet_guest_costs_nothing(scene: Scene) -> None:
    scene.marks.start()
    scene.host.domains.calls.clear()
    scene.host.clock.advance(3600)
    assert {call[0] for call in scene.host.domains.calls} <= {"statistics"}


def test_figures_that_cannot_be_pause_the_machine(scene: Scene) -> None:
    scene.marks.start()
    scene.cross("vda", 3 * GiB)
    assert scene.growing.asked == []
    assert (scene.machine.vitals.status, scene.machine.vitals.pause_code) == (Status.PAUSED, "EOTHER")


def test_a_machine_that_stopped_for_want_of_room_goes_on_by_itself(scene: Scene) -> None:
    scene.marks.start()
    scene.write("vda", GiB)
    scene.starve("vda")
    assert scene.growing.asked == [("v-vda", 2 * GiB)]
    assert "resume" in scene.host.domains.names
    assert scene.machine.vitals.status is Status.UP
    assert scene.thresholds()[-1] == 2 * GiB - GiB // 2


def test_it_goes_on_when_the_last_of_its_disks_has_room(scene: Scene) -> None:
    scene.marks.start()
    scene.write("vda", GiB)
    scene.write("vdb", GiB)
    scene.growing.fail = 1
    scene.starve("vda", "vdb")
    assert [volume for volume, _ in scene.growing.asked] == ["v-vda", "v-vdb"]
    assert (scene.machine.vitals.status, scene.machine.vitals.pause_code) == (Status.PAUSED, "ENOSPC")
    scene.host.clock.advance(5)
    assert [volume for volume, _ in scene.growing.asked] == ["v-vda", "v-vdb", "v-vda"]
    assert scene.machine.vitals.status is Status.UP


def test_a_machine_that_stands_still_only_after_its_disk_told_goes_on_too(scene: Scene) -> None:
    scene.marks.start()
    scene.write("vda", GiB)
    scene.host.domains.fail["resume"] = [HypervisorFailed(55, "it runs") for _ in range(2)]
    scene.starve("vda")
    assert scene.machine.vitals.status is Status.PAUSED
    scene.host.domains.lifecycle(scene.machine.id, "suspended", "ioerror")
    assert scene.machine.vitals.status is Status.UP


def test_a_machine_with_an_error_of_another_kind_is_left_alone(scene: Scene) -> None:
    scene.marks.start()
    scene.write("vda", GiB)
    scene.host.domains.errors["vdb"] = "unspec"
    scene.starve("vda")
    assert "resume" not in scene.host.domains.names and scene.growing.asked == []


def test_a_machine_whose_full_disk_is_no_thin_volume_is_left_alone(scene: Scene) -> None:
    scene.marks.start()
    scene.starve("vdc")
    assert "resume" not in scene.host.domains.names and scene.growing.asked == []


def test_a_volume_that_may_not_grow_does_not_let_its_machine_stop_and_go_forever(scene: Scene) -> None:
    scene.host.domains.sizes["vda"] = (10 * GiB, 11 * GiB, 11 * GiB)
    scene.marks.start()
    scene.starve("vda")
    assert scene.host.domains.names.count("resume") == 1
    scene.starve("vda")
    assert scene.host.domains.names.count("resume") == 1
    assert scene.machine.vitals.status is Status.PAUSED


def test_a_disk_that_has_not_come_to_write_since_does_not_keep_the_others_from_going_on(scene: Scene) -> None:
    scene.marks.start()
    scene.write("vda", GiB)
    scene.starve("vda")
    assert scene.machine.vitals.status is Status.UP
    scene.write("vdb", GiB)
    scene.starve("vda", "vdb")  # QEMU still says so of the first, which has its room
    assert [volume for volume, _ in scene.growing.asked] == ["v-vda", "v-vdb"]
    assert scene.machine.vitals.status is Status.UP


def test_a_machine_found_standing_still_for_want_of_room_goes_on(scene: Scene) -> None:
    scene.write("vda", GiB)
    scene.starve("vda")
    assert scene.machine.vitals.status is Status.PAUSED
    scene.marks.start()
    assert scene.machine.vitals.status is Status.UP


@pytest_twisted.ensureDeferred
async def test_a_machine_that_somebody_paused_stays_so(scene: Scene) -> None:
    await scene.machine.pause()
    scene.marks.start()
    assert scene.machine.vitals.status is Status.PAUSED


def test_a_machine_that_ends_is_not_waited_for(scene: Scene) -> None:
    scene.marks.start()
    scene.growing.fail = 9
    scene.cross("vda", GiB // 2 + 1)
    scene.host.domains.stop(scene.machine.id, "shutdown")
    scene.host.clock.advance(3600)
    assert len(scene.growing.asked) == 1


def test_marks_are_set_again_when_events_may_have_been_missed(scene: Scene) -> None:
    scene.marks.start()
    scene.write("vda", GiB // 2 + 1)
    scene.host.events.tell("libvirt.connected", uri="")
    assert scene.growing.asked == [("v-vda", 2 * GiB)]


def test_a_disk_that_is_replicated_is_kept_twice_as_far_ahead(scene: Scene) -> None:
    scene.marks.start()
    scene.host.domains.sizes["vda"] = (10 * GiB, GiB, 2 * GiB - 1)
    scene.marks.double(scene.machine.id, "vda")
    assert scene.growing.asked == [("v-vda", 4 * GiB)]
    assert scene.thresholds()[-1] == 3 * GiB


@pytest_twisted.ensureDeferred
async def test_the_target_of_a_merge_gets_room_for_what_is_written_to_it(scene: Scene) -> None:
    disk = thin_disks(scene.machine)["vda"]
    assert await scene.marks.grow_for(disk, 10 * GiB, 3 * GiB) == 4 * GiB
    assert await scene.marks.grow_for(disk, 10 * GiB, 3 * GiB, doubled=True) == 5 * GiB
