"""A thin disk that is replicated while its guest writes: both volumes grow, twice as far ahead, and nobody waits."""

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest_twisted
from attrs import evolve, frozen
from real.vm.thin_stage import CHUNK, DOMAIN, FIRST, VOLUMES, Storage, allocated, boot, marks, storage
from twisted.internet import reactor
from twisted.internet.task import deferLater

from virgate.domxml.facts import DiskRequest, DiskSource
from virgate.node.vm.blocks import replication
from virgate.node.vm.life import Status
from virgate.node.vm.thin import Watermarks
from virgate.node.vm.thin.disks import thin_disks
from virgate.units import MiB

__all__ = ["boot", "marks", "storage"]

IMAGE, REPLICA = VOLUMES
SECOND = "00000003-5555-4555-8555-555555555555"
SOURCE = {"domainID": DOMAIN, "imageID": IMAGE, "volumeID": IMAGE}
TARGET = {"domainID": SECOND, "imageID": IMAGE, "volumeID": REPLICA}
WRITTEN = 24 * MiB
PACE = 8 * MiB
"""Bytes per second of the guest: half of what is kept free takes it a second."""


@frozen
class Linked:
    """Volumes where storage has them: in folders of domain and image."""

    storage: Storage
    folder: Path

    async def prepare(self, disk: DiskRequest) -> DiskSource:
        if not disk.is_image:
            return DiskSource(disk.path, disk.format, "file")
        path = self.folder / disk.domain_id / "images" / disk.image_id / disk.volume_id
        if not path.exists():
            path.parent.mkdir(parents=True)
            path.symlink_to(self.storage.volumes[disk.volume_id].device)
        return DiskSource(str(path), "qcow2", "block")

    async def teardown(self, disk: DiskRequest) -> None: ...


@pytest_twisted.ensureDeferred
async def test_a_replicated_disk_and_its_replica_grow_before_the_guest_notices(
    bench: Any, storage: Storage, marks: Watermarks, boot: Any, tmp_path: Path
) -> None:
    bench.machines.means = evolve(bench.machines.means, disks=Linked(storage, tmp_path))
    machine = bench.machines.get(await boot(WRITTEN))
    await machine.pause()
    before = len(storage.asked)
    slow = {"write_bytes_sec": PACE}
    await machine.means.domains.on(machine.id, lambda domain: domain.setBlockIoTune("vda", slow, 0))
    owner: Any = SimpleNamespace(room=marks)
    await replication.begin(owner, machine, SOURCE, TARGET)
    refused: list[str] = []
    bench.events.listen("libvirt.io_error", lambda **event: refused.append(event["reason"]))
    await machine.cont()
    volumes = [storage.volumes[name] for name in VOLUMES]
    while (await machine.means.domains.block_sizes(machine.id, "vda"))[1] < WRITTEN:
        await deferLater(reactor, 0.1)  # type: ignore[arg-type]
    assert refused == [] and machine.vitals.status is Status.UP
    asked = storage.asked[before:]
    assert asked and [name for name, _ in asked] == [REPLICA, IMAGE] * (len(asked) // 2), "the replica first"
    sizes = [*dict.fromkeys(size for name, size in asked if name == IMAGE)]
    assert all(after - ago == 2 * CHUNK for ago, after in pairwise(sizes)), "twice as far"
    assert volumes[0].size == volumes[1].size > FIRST

    async def finished() -> bool:
        try:
            await replication.finish(owner, machine, SOURCE, TARGET)
        except replication.NotInSync:
            return False
        return True

    while not await finished():
        await deferLater(reactor, 0.1)  # type: ignore[arg-type]
    (disk,) = thin_disks(machine).values()
    assert (disk.domain, disk.volume, disk.replica) == (SECOND, REPLICA, None)
    await bench.machines.destroy(machine.id)
    assert allocated(volumes[1]) >= WRITTEN
