"""`virgate events`: what happens on the host, as it happens."""

import json
import time
from collections.abc import Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from virgate.cli.client import Client
from virgate.cli.machines import Machine, find, machines
from virgate.cli.subscriber import heard

QUEUE = "jms.queue.events"
QUIET = ("status", "vmId", "vmName", "statusTime", "hash", "pid")
"""Members that say nothing beside the others."""
_WHOSE = {"net": "the host", "jobs": "job {}"}


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return Machine().shell_complete(ctx, param, incomplete)


@click.command()
@click.option("--machine", shell_complete=_complete, help="Only what happens to this machine.")
@click.option("--count", type=click.IntRange(1), help="End after so many events; default: on Ctrl-C.")
@click.option("--queue", default=QUEUE, show_default=True, help="Where the daemon sends its events.")
@click.pass_obj
def events(client: Client, machine: str | None, count: int | None, queue: str) -> None:
    """Watch machines, jobs and networks change; with --json a line per event, as clients are notified of it."""
    wanted = find(client, machine)["vmId"] if machine else None
    names = Names(client)
    left = count
    for body in heard(client, queue):
        event = Event.read(body)
        if event is None or (wanted and event.id != wanted):
            continue
        click.echo(json.dumps(event.whole) if client.as_json else event.line(names))
        left = None if left is None else left - 1
        if left == 0:
            return


class Names:
    """What machines are called; asked for when a new one appears."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[str, str] = {}

    def of(self, id: str) -> str:
        if id not in self._known:
            found = {one["vmId"]: str(one.get("vmName") or one["vmId"]) for one in machines(self._client)}
            self._known = {**self._known, id: id, **found}
        return self._known[id]


class Event:
    """A notification: `|family|kind|id`, and what it says of that id."""

    def __init__(self, whole: Mapping[str, Any]) -> None:
        self.whole = whole
        _, self.family, self.kind, self.id = str(whole["method"]).split("|", 3)
        params = whole.get("params", {})
        found = params.get(self.id, params) if isinstance(params, Mapping) else {}
        self.said: Mapping[str, Any] = found if isinstance(found, Mapping) else {}

    @classmethod
    def read(cls, body: bytes) -> "Event | None":
        """None for what is no event: others may send to the same queue."""
        try:
            return cls(json.loads(body))
        except (ValueError, KeyError, TypeError):
            return None

    def line(self, names: Names) -> str:
        status = self.said.get("status", "changed")
        what = {
            "VM_status": f"is {status}",
            "VM_migration_status": f"moves: {self.said.get('progress', 0)} %",
            "host_conn": "has other networks",
            "status": f"is {status}",
        }.get(self.kind, self.kind)
        who = names.of(self.id) if self.family == "virt" else _WHOSE.get(self.family, "{}").format(self.id)
        return f"{time.strftime('%H:%M:%S')}  {who}  {what}{self._more()}"

    def _more(self) -> str:
        """Short members only: on start a machine tells all its statistics."""
        if len(self.said) > 10:
            return ""
        more = {
            name: value
            for name, value in self.said.items()
            if name not in (*QUIET, "id", "notify_time", "progress") and isinstance(value, str | int | float)
        }
        return "".join(f"  {name}={value}" for name, value in more.items())
