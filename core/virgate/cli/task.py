"""`virgate task`: long jobs, and waiting for one."""

from typing import Any

import click
from click.shell_completion import CompletionItem

from virgate.cli import show
from virgate.cli.client import Client, for_completion
from virgate.cli.progress import wait_for_task, watch_tasks


class Task(click.ParamType):  # type: ignore[type-arg]
    """A task's id; completes."""

    name = "task"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            found = for_completion(ctx).call("getAllTasks")["tasks"]
        except click.ClickException:
            return []
        return [CompletionItem(id, help=one["verb"]) for id, one in found.items() if id.startswith(incomplete)]


@click.group()
def task() -> None:
    """Long jobs of storage."""


@task.command("list")
@click.pass_obj
def list_(client: Client) -> None:
    """Every task the daemon knows."""
    found = [{"id": id, **one} for id, one in client.call("getAllTasks")["tasks"].items()]
    columns = {"id": "task", "verb": "verb", "state": "state", "code": "code", "message": "message"}
    show.rows(client, found, columns, "No tasks.")


@task.command()
@click.pass_obj
def watch(client: Client) -> None:
    """Show how far every task is until none is running. Ctrl-C ends the watching, not the tasks."""
    watch_tasks(client)
    show.said(client, "No task is running.")


@task.command("show")
@click.argument("id", type=Task())
@click.pass_obj
def show_(client: Client, id: str) -> None:
    """How far a task is."""
    found: dict[str, Any] = client.call("getTaskStatus", id)["taskStatus"]
    show.fields(client, {"verb": client.call("getTaskInfo", id)["TaskInfo"]["verb"], **found})


@task.command()
@click.argument("id", type=Task())
@click.option("--clear/--keep", default=True, help="Forget the task when it has ended; default: forget.")
@click.pass_obj
def wait(client: Client, id: str, clear: bool) -> None:
    """Wait until a task has ended, with a progress bar. Ctrl-C ends the waiting, not the task."""
    wait_for_task(client, id, clear)
    show.said(client, f"Task {id} has ended well.", id=id, result="success")


@task.command()
@click.argument("id", type=Task())
@click.pass_obj
def stop(client: Client, id: str) -> None:
    """End a task; what it made is taken back."""
    client.call("stopTask", id)
    show.said(client, f"Task {id} is being stopped; `virgate task wait {id}` tells when it has ended.", id=id)


@task.command()
@click.argument("id", type=Task())
@click.pass_obj
def clear(client: Client, id: str) -> None:
    """Forget a task that has ended."""
    client.call("clearTask", id)
    show.said(client, f"Task {id} is forgotten.", id=id)
