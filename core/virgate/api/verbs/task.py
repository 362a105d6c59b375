"""Verbs about tasks: the long work of storage (spec xmlrpc-storage 3.7)."""

from virgate.api.verb import Family, Reply, verb
from virgate.api.wire import Anything, Text
from virgate.node.node import Node
from virgate.node.storage.errors import NotSpm

STORAGE = Family.STORAGE


@verb("Task.getStatus", xmlrpc="getTaskStatus", family=STORAGE)
async def status(node: Node, task: Text) -> Reply:
    """How far a task is."""
    return Reply({"taskStatus": node.tasks.status(task)})


@verb("Task.getInfo", xmlrpc="getTaskInfo", family=STORAGE)
async def info(node: Node, task: Text) -> Reply:
    """What a task does."""
    return Reply({"TaskInfo": node.tasks.info(task)})


@verb("Host.getAllTasksStatuses", xmlrpc="getAllTasksStatuses", family=STORAGE)
async def statuses(node: Node) -> Reply:
    """How far the tasks of the pool are."""
    _require_spm(node)
    return Reply({"allTasksStatus": node.tasks.statuses()})


@verb("Host.getAllTasksInfo", xmlrpc="getAllTasksInfo", family=STORAGE)
async def infos(node: Node) -> Reply:
    """What the tasks of the pool do."""
    _require_spm(node)
    return Reply({"allTasksInfo": node.tasks.infos()})


@verb("Host.getAllTasks", xmlrpc="getAllTasks", family=STORAGE)
async def all_tasks(node: Node, options: Anything = None) -> Reply:
    """Every task of this host."""
    return Reply({"tasks": node.tasks.all()})


@verb("Task.stop", xmlrpc="stopTask", family=STORAGE)
async def stop(node: Node, task: Text) -> None:
    """Ask a task to end; what it did is undone."""
    node.tasks.stop(task)


@verb("Task.clear", xmlrpc="clearTask", family=STORAGE)
async def clear(node: Node, task: Text) -> None:
    """Forget a task that is done."""
    await node.tasks.clear(task)


@verb("Task.revert", xmlrpc="revertTask", family=STORAGE)
async def revert(node: Node, task: Text) -> None:
    """Undo a task that is done."""
    node.tasks.revert(task)


def _require_spm(node: Node) -> None:
    found = node.storage.pools.connected
    if found is None:
        raise NotSpm("none")
    found.spm.require()
