"""Verbs for benches inside a host of the lab: work through the managers, and bare commands in turn with it."""

import time
from uuid import uuid4

from virgate.api.verb import Family, Reply, verb
from virgate.api.wire import Integer, Text
from virgate.node.node import Node
from virgate.node.storage.block.tags import INITIALIZING
from virgate.node.storage.formats.sizes import CHUNK
from virgate.node.storage.formats.volume_metadata import Allocation, VolumeFormat
from virgate.node.storage.images.volume_making import Wanted
from virgate.run.process import run
from virgate.units import MiB, Size

SIZE = Size(10 << 30)
SETTLE = ["udevadm", "settle", "--timeout=10"]
"""What udev still does for one of the two is not the other's."""


@verb("Bench.createVolumes", xmlrpc="benchCreateVolumes", family=Family.STORAGE)
async def create_volumes(node: Node, pool: Text, domain: Text, rounds: Integer) -> Reply:
    """Thin volumes to the end of their tasks, and lvcreate + qemu-img create of as large ones; seconds of each."""
    ours, theirs, bare = [], [], []
    for _ in range(rounds):
        wanted = Wanted(
            image=str(uuid4()),
            volume=str(uuid4()),
            capacity=SIZE,
            format=VolumeFormat.COW,
            allocation=Allocation.SPARSE,
        )
        await run(SETTLE)
        began = time.monotonic()
        task = node.tasks.find(await node.storage.volumes.create(pool, domain, wanted))
        await task.done()
        ours.append(time.monotonic() - began)
        assert task.code == 0, task.message
        bare.append(str(uuid4()))
        await run(SETTLE)
        began = time.monotonic()
        await _bare(node, domain, bare[-1])
        theirs.append(time.monotonic() - began)
    await node.storage.domains.lvm.remove(domain, *bare)
    return Reply({"ours": ours, "theirs": theirs})


async def _bare(node: Node, group: str, name: str) -> None:
    lvm = node.storage.domains.lvm
    await lvm.create(group, name, CHUNK.bytes // MiB, [INITIALIZING])
    argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-o", "compat=1.1", str(lvm.path(group, name)), str(SIZE.bytes)]
    finished = await run(argv)
    assert finished.code == 0, finished.stderr
