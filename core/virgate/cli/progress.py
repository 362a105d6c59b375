"""Waits for something the daemon does, and shows how far it is. Ctrl-C ends the waiting, never the work."""

import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from virgate.cli.client import Client
from virgate.cli.problems import Problem, Stopped

T = TypeVar("T")
SHORTEST, LONGEST = 0.02, 0.5
DONE = ("finished", "recovered", "failed")


def wait_for_task(client: Client, id: str, clear: bool = True) -> None:
    """Shows a bar on a terminal until the task ends; raises with its message if it failed."""
    verb = "task"
    try:
        verb = client.call("getTaskInfo", id)["TaskInfo"]["verb"]
        status = _watch(client, id, verb)
    except KeyboardInterrupt:
        hint = f"`virgate task wait {id}` waits for it again, `virgate task stop {id}` ends it and undoes its work."
        raise Stopped(f"The task {id} ({verb}) goes on.", hint, task=id) from None
    if clear:
        client.call("clearTask", id)
    if status["taskResult"] != "success":
        undone = status["taskResult"] == "cleanSuccess"
        raise Problem(
            f"{verb}: {status['message']} (code {status['code']}, {status['taskResult']})",
            "What it had done was undone." if undone else "The log of the daemon says more.",
            verb=verb,
            code=status["code"],
            task=id,
            result=status["taskResult"],
        )


def watch_tasks(client: Client) -> None:
    """A bar for each task that runs; those that begin meanwhile come in. Ends when none runs."""
    lines: dict[str, TaskID] = {}
    with _bars(client) as bars:

        def quiet() -> bool | None:
            tasks = client.call("getAllTasks")["tasks"]
            running = {id: one for id, one in tasks.items() if one["state"] not in DONE}
            for id in running.keys() - lines.keys():
                lines[id] = bars.add_task(running[id]["verb"], total=100)
            for id, line in lines.items():
                if id not in running:
                    bars.update(line, completed=100)
                    continue
                status = client.call("getTaskStatus", id)["taskStatus"]
                bars.update(line, completed=float(status.get("progress", 0)))
            return None if running else True

        try:
            ask_until(quiet)
        except KeyboardInterrupt:
            raise Stopped("The tasks go on.", "`virgate task list` shows them.") from None


def _bars(client: Client) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    visible = sys.stderr.isatty() and not client.as_json
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not visible)


def _watch(client: Client, id: str, verb: str) -> dict[str, Any]:
    """What is said of the task when it has ended."""
    with _bars(client) as bar:
        line = bar.add_task(verb, total=100)

        def ended() -> dict[str, Any] | None:
            status: dict[str, Any] = client.call("getTaskStatus", id)["taskStatus"]
            bar.update(line, completed=float(status.get("progress", 0)), description=status["message"] or verb)
            return status if status["taskState"] == "finished" else None

        return ask_until(ended)


def ask_until(answer: Callable[[], T | None]) -> T:
    """Asks, ever more rarely, until there is an answer."""
    pause = SHORTEST
    while (found := answer()) is None:
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST)
    return found
