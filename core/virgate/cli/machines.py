"""Finds a machine by what a person types: its id, the beginning of it, or its name."""

from typing import Any

import click
from click.shell_completion import CompletionItem

from virgate.cli.client import Client


class Machine(click.ParamType):  # type: ignore[type-arg]
    """A machine argument; completes names."""

    name = "machine"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        client = ctx.find_root().obj or Client(None, None, None, False)
        try:
            found = client.call("list", True)["vmList"]
        except click.ClickException:
            return []
        names = [str(one.get("vmName", one["vmId"])) for one in found]
        return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


def find(client: Client, wanted: str) -> dict[str, Any]:
    """The full configuration of the one machine that is meant."""
    machines = client.call("list", True)["vmList"]
    exact = [one for one in machines if wanted in (one["vmId"], one.get("vmName"))]
    found = exact or [one for one in machines if one["vmId"].startswith(wanted)]
    if len(found) == 1:
        return dict(found[0])
    if not found:
        raise click.ClickException(f"No machine is called {wanted}. `virgate vm list` shows those there are.")
    ids = ", ".join(one["vmId"] for one in found)
    raise click.ClickException(f"{wanted} may be any of {ids}; give more of the id.")
