"""What went wrong, in words for people and as JSON for programs, and what to do next where that is known.

Exit status: 0 done, 1 the daemon or the host refused, 2 wrong arguments, 130 the user stopped waiting.
"""

import json
from typing import Any

import click

STOPPED = 130
HINTS = {
    1: "`virgate vm list` shows the machines this daemon knows.",
    44: "This daemon does not do that yet; `virgate verbs` lists what it does.",
    99: "The daemon is starting; ask again in a moment.",
    309: "Is it connected? `virgate storage pool list` tells, `virgate storage pool connect` does it.",
    358: "`virgate storage domain list` shows what is visible; `virgate storage server connect` makes more so.",
    360: "Connect the folder first: `virgate storage server connect FOLDER`.",
    401: "`virgate task list` shows the tasks that are known.",
    654: "Only the storage pool manager may do this: `virgate storage spm start`.",
    1500: "A hook script refused; `virgate hooks list --installed` shows them, `virgate hooks try` runs one.",
}


AWAY = "Is libvirtd running there? The daemon connects again by itself; guests that run go on."


class Problem(click.ClickException):
    """One sentence, what to do next, and the fields that programs get."""

    def __init__(self, message: str, hint: str = "", **fields: Any) -> None:
        super().__init__(message)
        self.hint = hint
        self.fields = fields

    def format_message(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class Stopped(Problem):
    """The user did not want to wait any longer; the work goes on."""

    exit_code = STOPPED


class Refused(Problem):
    """The daemon answered with a code other than 0."""

    def __init__(self, verb: str, code: int, message: str) -> None:
        hint = AWAY if message.startswith("No connection to libvirt") else HINTS.get(code, "")
        super().__init__(f"{verb}: {message} (code {code})", hint, verb=verb, code=code)
        self.code = code


def tell(problem: click.ClickException, as_json: bool) -> None:
    """Writes it to standard error."""
    if not as_json:
        problem.show()
        return
    found: dict[str, Any] = {"message": problem.format_message()}
    if isinstance(problem, Problem):
        found = {"message": problem.message, **problem.fields} | ({"hint": problem.hint} if problem.hint else {})
    click.echo(json.dumps({"error": found}), err=True)
