"""Thin disks that grow while their machine moves: the destination sees them first (spec migration 13)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from doubles.machines import Domain, Host
from twisted.internet.defer import Deferred

from virgate.domxml.facts import DiskRequest
from virgate.node.storage.thin.policy import Policy
from virgate.node.vm.blocks.errors import NoSuchDrive
from virgate.node.vm.life import Status
from virgate.node.vm.machine import Machine
from virgate.node.vm.migration import arrival, commands, description
from virgate.node.vm.migration.errors import PeerRefused, PeerUnreachable
from virgate.node.vm.thin import Watermarks
from virgate.units import GiB, Size

DISK = (
    "<disk type='block' device='disk'><driver name='qemu' type='qcow2'/><source dev='/dev/d/v'/>"
    "<target dev='vda'/><alias name='ua-vda'/></disk></devices>"
)
REQUEST = DiskRequest("vda", format="qcow2", pool_id="p", domain_id="d", image_id="i", volume_id="v")
SHOWN = ["getVdsCapabilities", "VM.refresh_disk v"]


@define
class PlayedGrowing:
    """`hold` is waited for before the volume grows, `first` before it is seen here."""

    host: Host
    trace: list[str]
    hold: Deferred[None] | None = None
    asked: list[int] = field(factory=list)

    async def grow(self, pool: str, domain: str, image: str, volume: str, size: int, *, first: Any = None) -> int:
        self.asked.append(size)
        if self.hold is not None:
            await self.hold
        if first is not None:
            await first()
        self.trace.append(f"seen here {size // GiB}")
        capacity, written, _ = self.host.domains.sizes["vda"]
        self.host.domains.sizes["vda"] = (capacity, written, size)
        return size


@define
class Scene:
    host: Host
    move: Any
    machine: Machine
    growing: PlayedGrowing

    def write(self, offset: int = GiB - 1) -> None:
        domains = self.host.domains
        domains.sizes["vda"] = (domains.sizes["vda"][0], offset, domains.sizes["vda"][2])
        told = {"uuid": self.machine.id, "target": "vda", "path": "", "threshold": 1, "excess": 1}
        self.host.events.tell("libvirt.block_threshold", **told)

    def starve(self) -> None:
        self.write(self.host.domains.sizes["vda"][2])
        domains = self.host.domains
        domains.errors["vda"] = "no_space"
        domains.domains[self.machine.id].state = "paused"
        domains.lifecycle(self.machine.id, "suspended", "ioerror")

    @property
    def told(self) -> list[str]:
        """What happened about the disk."""
        return [step for step in self.move.trace if step in SHOWN or step.startswith("seen")]

    async def on_the_way(self) -> Deferred[None]:
        self.move.libvirt.hold = holding = Deferred()
        await self.move.begin(self.machine)
        assert self.machine.vitals.status is Status.LEAVING
        return holding


def thin(host: Host, machine: Machine) -> None:
    found = host.domains.domains[machine.id]
    found.xml = machine.record.xml = machine.record.xml.replace("</devices>", DISK)
    machine.record.disks = (REQUEST,)
    host.domains.sizes = {"vda": (10 * GiB, 0, GiB)}


@pytest_twisted.async_yield_fixture
async def scene(host: Host, move: Any, machine: Machine) -> AsyncIterator[Scene]:
    thin(host, machine)
    growing = PlayedGrowing(host, host.trace.points)
    marks = Watermarks(host.machines, growing, Policy(Size(GiB), 50), retry=5)
    marks.start()
    yield Scene(host, move, machine, growing)
    marks.stop()


@pytest_twisted.ensureDeferred
async def test_the_destination_sees_a_disk_at_its_new_size_before_the_guest_does(scene: Scene) -> None:
    holding = await scene.on_the_way()
    scene.move.peer.answers["VM.refresh_disk v"] = [2 * GiB, 3 * GiB]
    scene.write()
    assert scene.told == [*SHOWN, "seen here 2"]
    scene.write(2 * GiB - 1)
    assert scene.told == [*SHOWN, "seen here 2", SHOWN[1], "seen here 3"], "what it can is asked once"
    holding.callback(None)
    assert scene.machine.standing.message == "Migration done"


@pytest_twisted.ensureDeferred
async def test_a_disk_that_grows_while_the_destination_prepares_is_shown_once_it_is_ready(scene: Scene) -> None:
    preparing: Deferred[dict[str, Any]] = Deferred()
    scene.move.peer.answers = {"migrationCreate": [preparing], "VM.refresh_disk v": [2 * GiB]}
    holding = await scene.on_the_way()
    scene.write()
    assert scene.told == SHOWN[:1]
    preparing.callback({})
    assert scene.told == [*SHOWN, "seen here 2"]
    holding.callback(None)


@pytest_twisted.ensureDeferred
async def test_a_disk_that_began_to_grow_before_the_move_is_shown_too(scene: Scene) -> None:
    growing = scene.growing.hold = Deferred()
    scene.write()
    holding = await scene.on_the_way()
    scene.move.peer.answers["VM.refresh_disk v"] = [2 * GiB]
    growing.callback(None)
    assert scene.told == ["seen here 2", *SHOWN]
    holding.callback(None)
    assert scene.machine.standing.code == 0


@pytest_twisted.ensureDeferred
async def test_a_machine_stays_whose_disk_may_be_too_short_there(scene: Scene) -> None:
    growing = scene.growing.hold = Deferred()
    scene.write()
    scene.move.peer.answers["getVdsCapabilities"] = [False]
    await scene.on_the_way()
    growing.callback(None)
    assert (scene.machine.standing.code, scene.machine.vitals.status) == (47, Status.UP)


@pytest.mark.parametrize("answer", [GiB, PeerUnreachable("hostb", "no answer"), PeerRefused(13, "no such disk")])
@pytest_twisted.ensureDeferred
async def test_a_size_that_is_not_seen_there_is_not_seen_here_and_tried_again(scene: Scene, answer: Any) -> None:
    holding = await scene.on_the_way()
    scene.move.peer.answers["VM.refresh_disk v"] = [answer, 2 * GiB]
    scene.write()
    assert scene.told == SHOWN
    scene.host.clock.advance(5)
    assert scene.told == [*SHOWN, SHOWN[1], "seen here 2"]
    holding.callback(None)


@pytest_twisted.ensureDeferred
async def test_a_destination_that_cannot_be_told_keeps_disks_from_growing_until_the_machine_stays(
    scene: Scene,
) -> None:
    scene.move.peer.answers["getVdsCapabilities"] = [False]
    await scene.on_the_way()
    scene.write()
    scene.host.clock.advance(5)
    assert scene.growing.asked == [] and scene.told == SHOWN[:1]
    await commands.cancel(scene.machine)
    assert scene.machine.vitals.status is Status.UP
    assert scene.told == [*SHOWN[:1], "seen here 2"], "at once, not at the next attempt"


@pytest_twisted.ensureDeferred
async def test_a_destination_that_fails_to_prepare_holds_nothing_up(scene: Scene) -> None:
    preparing: Deferred[dict[str, Any]] = Deferred()
    scene.move.peer.answers["migrationCreate"] = [preparing]
    await scene.on_the_way()
    scene.write()
    preparing.errback(PeerRefused(9, "too slow"))
    assert scene.told == [*SHOWN[:1], "seen here 2"]


@pytest_twisted.ensureDeferred
async def test_disks_do_not_grow_on_a_way_that_another_daemon_began(scene: Scene) -> None:
    from virgate.node.vm.migration.departure import Departure

    async def forget() -> None: ...

    scene.move.libvirt.jobs = [{"type": 2}] * 9
    scene.machine.life.leave()
    Departure(scene.machine, None, scene.machine.means.traffic, forget).begin(found=True)
    scene.write()
    assert scene.growing.asked == []
    scene.move.libvirt.leave(scene.machine.id)
    scene.host.clock.advance(60)
    assert scene.machine.vitals.status is Status.DOWN and scene.growing.asked == []


@pytest_twisted.ensureDeferred
async def test_a_guest_that_stops_for_want_of_room_on_its_way_goes_on(scene: Scene) -> None:
    holding = await scene.on_the_way()
    scene.move.peer.answers["VM.refresh_disk v"] = [2 * GiB]
    scene.starve()
    assert scene.told == [*SHOWN, "seen here 2"]
    assert "resume" in scene.host.domains.names
    assert (scene.machine.vitals.status, scene.machine.vitals.pause_code) == (Status.LEAVING, "")
    holding.callback(None)


@pytest_twisted.ensureDeferred
async def test_a_disk_is_no_longer_watched_where_its_machine_has_left(scene: Scene) -> None:
    assert await scene.move.run(scene.machine) == (0, "Migration done")
    scene.host.domains.calls.clear()
    scene.write()
    scene.host.clock.advance(60)
    assert scene.growing.asked == [] and "set_block_threshold" not in scene.host.domains.names


@pytest.mark.parametrize("starved", [False, True])
@pytest_twisted.ensureDeferred
async def test_a_disk_is_watched_where_its_machine_has_come(scene: Scene, host: Host, starved: bool) -> None:
    """Also when it stood still for want of room: nothing but the source's word tells that here."""
    holding: Deferred[None] = Deferred()
    if starved:
        scene.growing.hold = holding
        scene.starve()
    told = description.tell(scene.machine, scene.machine.record.xml, guest={}, guest_events=False)
    xml = scene.machine.record.xml
    assert told.get("pauseCode", "") == ("ENOSPC" if starved else "")
    await host.machines.destroy(scene.machine.id)
    scene.growing.hold = None
    holding.callback(None)
    host.domains.sizes["vda"] = (10 * GiB, GiB - 1, GiB)
    host.domains.calls.clear()
    host.domains.errors.clear()
    machine = await commands.arrive(host.machines, told, None)
    machine.record.disks = (REQUEST,)
    host.domains.domains[machine.id] = Domain(xml, "paused" if starved else "running", "migrated")
    host.domains.lifecycle(machine.id, *(("suspended", "paused") if starved else ("resumed", "migrated")))
    assert "set_block_threshold" not in host.domains.names
    host.clock.advance(arrival.SETTLE)
    assert "set_block_threshold" in host.domains.names
    assert machine.vitals.status is Status.UP


@pytest_twisted.ensureDeferred
async def test_only_disks_of_the_machine_are_looked_at_for_another_host(scene: Scene) -> None:
    looked: list[tuple[str, ...]] = []

    class Storage:
        async def see(self, *ids: str) -> int:
            looked.append(ids)
            return 2 * GiB

        async def size(self, *_: str) -> tuple[int, int]:
            return 2 * GiB, GiB

        @property
        def growing(self) -> "Storage":
            return self

        images = volumes = growing

    named = {"device": "disk", "poolID": "p", "domainID": "d", "imageID": "i", "volumeID": "v"}
    storage: Any = Storage()
    assert await commands.refresh(scene.machine, named, storage) == (2 * GiB, GiB)
    assert looked == [("d", "i", "v")]
    with pytest.raises(NoSuchDrive):
        await commands.refresh(scene.machine, named | {"imageID": "another"}, storage)
