"""Verbs about the volumes of running machines: snapshots, live merge, replication, size (spec xmlrpc-host-vm 2.7)."""

from virgate.api.verb import Reply, verb
from virgate.api.wire import Anything, Array, Flag, Integer, Struct, Text, integer, text
from virgate.node.node import Node
from virgate.node.storage.values import is_blank


@verb("VM.snapshot", xmlrpc="snapshot")
async def snapshot(
    node: Node,
    vm: Text,
    drives: Array,
    memory: Anything = None,
    frozen: Flag = False,
    job: Anything = None,
    timeout: Integer = 30,  # noqa: ASYNC109 (minutes, of the job)
    freeze_timeout: Integer = 8,
) -> Reply | None:
    """Put a machine's disks on new volumes; with a job id in the background, `timeout` minutes at most."""
    from virgate.node.vm.blocks.snapshots import Wanted, begin, now

    wanted = Wanted.read(drives, memory, frozen)
    machine = node.machines.find(vm)
    if is_blank(job):
        return Reply({"quiesce": await now(node.blocks, machine, wanted)})
    begin(node.blocks, machine, wanted, str(job), timeout, freeze_timeout)
    return None


@verb("VM.merge", xmlrpc="merge")
async def merge(
    node: Node, vm: Text, drive: Struct, base: Text, top: Text, bandwidth: Integer = 0, job: Anything = None
) -> None:
    """Begin to merge volumes of a machine's disk into `base`, with `bandwidth` MiB/s; `vmJobs` tells how it goes."""
    from uuid import uuid4

    from virgate.node.vm.blocks.merging import Wanted

    id = str(uuid4()) if is_blank(job) else str(job)
    await node.blocks.merges.begin(node.machines.find(vm), Wanted(drive, base, top, id, bandwidth))


@verb("Job.abort", xmlrpc="abortJob")
async def abort(node: Node, job: Text) -> None:
    """Abort a merge: the disk keeps its volumes, and the job is said to have failed."""
    await node.blocks.merges.abort(job)


@verb("VM.freeze", xmlrpc="freeze")
async def freeze(node: Node, vm: Text) -> None:
    """Freeze the guest's file systems, through its QEMU agent; nothing is written until they are thawed."""
    from virgate.node.vm.blocks import freezing

    await freezing.freeze(node.machines.find(vm))


@verb("VM.thaw", xmlrpc="thaw")
async def thaw(node: Node, vm: Text) -> None:
    """Thaw the guest's file systems."""
    from virgate.node.vm.blocks import freezing

    await freezing.thaw(node.machines.find(vm))


@verb("VM.diskReplicateStart", xmlrpc="diskReplicateStart")
async def replicate(node: Node, vm: Text, source: Struct, target: Struct) -> None:
    """Begin to write a machine's disk to another volume as well, which exists, and to copy its top there."""
    from virgate.node.vm.blocks.replication import begin

    await begin(node.blocks, node.machines.find(vm), source, target)


@verb("VM.diskReplicateFinish", xmlrpc="diskReplicateFinish")
async def finish_replication(node: Node, vm: Text, source: Struct, target: Struct) -> None:
    """Let a disk go on with its replica alone, or, if `target` is the source, without it."""
    from virgate.node.vm.blocks.replication import finish

    await finish(node.blocks, node.machines.find(vm), source, target)


@verb("VM.diskSizeExtend", xmlrpc="diskSizeExtend")
async def extend(node: Node, vm: Text, drive: Struct, size: Anything) -> Reply:
    """Make a disk larger; with a blank machine id one that no machine uses."""
    wanted = integer(size)
    if is_blank(vm):
        pool, domain, image, volume = (
            text(drive.get(f"{name}ID", "")) for name in ("pool", "domain", "image", "volume")
        )
        return Reply({"size": str(await node.storage.images.resize_offline(pool, domain, image, volume, wanted))})
    from virgate.node.vm.blocks.extend import extend as larger

    return Reply({"size": str(await larger(node.machines.find(vm), drive, wanted, node.storage.volumes))})
