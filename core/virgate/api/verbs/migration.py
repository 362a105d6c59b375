"""Verbs that move running machines between hosts (spec migration 1)."""

from typing import TYPE_CHECKING, Any

from virgate.api.verb import Reply, verb
from virgate.api.wire import Anything, Struct, Text, integer
from virgate.node.node import Node

if TYPE_CHECKING:
    from virgate.node.vm.machine import Machine


@verb("VM.migrate", xmlrpc="migrate")
async def migrate(node: Node, params: Struct) -> Reply:
    """Begin to move a running machine to another host; mode `file` saves it to storage. Watch migrateStatus."""
    from virgate.node.vm.migration import commands

    if params.get("mode") == "file":
        machine = _save(node, params)
    else:
        machine = await commands.leave(node.machines, params)
    return Reply({"progress": machine.standing.progress}, "Migration in progress")


def _save(node: Node, params: dict[str, Any]) -> "Machine":
    from virgate.node.vm.hibernation import save
    from virgate.node.vm.hibernation.handle import Handle
    from virgate.node.vm.migration.errors import BadOrder

    machine = node.machines.find(str(params.get("vmId") or params.get("vmID") or ""))
    volumes = {"memoryDumpVolume": params.get("dst"), "memoryConfVolume": params.get("dstparams")}
    handle = Handle.of_params(params) or Handle.of_params(volumes)
    if handle is None:
        raise BadOrder("mode", "file needs the volumes to save to")
    save.hibernate(machine, handle)
    return machine


@verb("VM.getMigrationStatus", xmlrpc="migrateStatus")
async def migrate_status(node: Node, vm: Text) -> Reply:
    """How far the machine's last move is, and how it ended."""
    members = node.machines.find(vm).standing.members
    return Reply({"migrationStats": members, **{name: value for name, value in members.items() if name != "status"}})


@verb("VM.migrateCancel", xmlrpc="migrateCancel")
async def migrate_cancel(node: Node, vm: Text) -> Reply:
    """Stop a move; the machine goes on here."""
    from virgate.node.vm.migration import commands

    await commands.cancel(node.machines.find(vm))
    return Reply(message="Migration process cancelled")


@verb("VM.migrateChangeParams", xmlrpc="migrateChangeParams")
async def migrate_change_params(node: Node, vm: Text, params: Struct) -> None:
    """Change a move that is under way: `maxBandwidth` in MiB/s."""
    from virgate.node.vm.migration import commands

    await commands.change(node.machines.find(vm), params)


@verb("VM.migrationCreate", xmlrpc="migrationCreate")
async def migration_create(node: Node, params: Struct, limit: Anything = None) -> Reply:
    """Prepare to receive a machine; called by the host it leaves. The guest may come when this answers."""
    from virgate.node.vm import describe
    from virgate.node.vm.migration import commands

    given = limit if limit is not None else params.pop("incomingLimit", None)
    machine: Machine = await commands.arrive(node.machines, params, integer(given) if given else None)
    return Reply({"migrationPort": 0, "params": describe.full(machine)})


@verb("VM.refresh_disk", xmlrpc="refreshDisk")
async def refresh_disk(node: Node, vm: Text, disk: Struct) -> Reply:
    """See how large a machine's disk has become; called by the host that the machine leaves, where the disk grows."""
    from virgate.node.vm.migration import commands

    seen, occupied = await commands.refresh(node.machines.find(vm), disk, node.storage)
    return Reply({"apparentsize": str(seen), "truesize": str(occupied)})
