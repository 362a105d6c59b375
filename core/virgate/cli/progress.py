"""Waits for something the daemon does, and shows how far it is. Ctrl-C ends the waiting, never the work."""

import sys
import time
from collections.abc import Callable
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from virgate.cli.client import Client
from virgate.cli.problems import Problem, Stopped

T = TypeVar("T")
SHORTEST, LONGEST = 0.02, 0.5


def wait_for_task(client: Client, id: str, clear: bool = True) -> None:
    """Shows a bar on a terminal until the task ends; raises with its message if it failed."""
    verb = client.call("getTaskInfo", id)["TaskInfo"]["verb"]
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    visible = sys.stderr.isatty() and not client.as_json
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not visible) as bar:
        line = bar.add_task(verb, total=100)

        def ended() -> bool:
            status.update(client.call("getTaskStatus", id)["taskStatus"])
            bar.update(line, completed=float(status.get("progress", 0)), description=status["message"] or verb)
            return bool(status["taskState"] == "finished")

        status: dict[str, str] = {}
        until(
            ended,
            f"The task {id} ({verb}) goes on.",
            f"`virgate task wait {id}` waits for it again, `virgate task stop {id}` ends it and undoes its work.",
            task=id,
        )
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


def until(true: Callable[[], T], goes_on: str, hint: str, **fields: str) -> T:
    """Asks, ever more rarely, until the answer is true, and gives it back."""
    pause = SHORTEST
    try:
        while not (found := true()):
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST)
    except KeyboardInterrupt:
        raise Stopped(goes_on, hint, **fields) from None
    return found
