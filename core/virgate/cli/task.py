"""`virgate task`: long jobs, and waiting for one."""

import time

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from virgate.cli import show
from virgate.cli.client import Client


@click.group()
def task() -> None:
    """Long jobs."""


@task.command("list")
@click.pass_obj
def list_(client: Client) -> None:
    """Every task the daemon knows."""
    found = [{"id": id, **one} for id, one in client.call("getAllTasks")["tasks"].items()]
    columns = {"id": "task", "verb": "verb", "state": "state", "message": "message"}
    show.rows(client, found, columns, "No tasks.")


@task.command()
@click.argument("id")
@click.option("--clear/--keep", default=True, help="Forget the task when it has ended; default: forget.")
@click.pass_obj
def wait(client: Client, id: str, clear: bool) -> None:
    """Wait until a task has ended, with a progress bar."""
    wait_for(client, id, clear)
    show.said(client, f"Task {id} has ended well.", id=id, result="success")


@task.command()
@click.argument("id")
@click.pass_obj
def stop(client: Client, id: str) -> None:
    """End a task; what it made is taken back."""
    client.call("stopTask", id)
    show.said(client, f"Task {id} is being stopped; `virgate task wait {id}` tells when it has ended.", id=id)


@task.command()
@click.argument("id")
@click.pass_obj
def clear(client: Client, id: str) -> None:
    """Forget a task that has ended."""
    client.call("clearTask", id)
    show.said(client, f"Task {id} is forgotten.", id=id)


def wait_for(client: Client, id: str, clear: bool = True) -> None:
    """Shows a bar until the task ends; raises with its message if it failed."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    verb = client.call("getTaskInfo", id)["TaskInfo"]["verb"]
    with Progress(*columns, transient=True, disable=client.as_json) as bar:
        line = bar.add_task(verb, total=100)
        while (status := client.call("getTaskStatus", id)["taskStatus"])["taskState"] != "finished":
            bar.update(line, completed=float(status.get("progress", 0)), description=status["message"] or verb)
            time.sleep(0.1)
    if clear:
        client.call("clearTask", id)
    if status["taskResult"] != "success":
        raise click.ClickException(f"{verb}: {status['message']} (code {status['code']}, {status['taskResult']})")
