"""`virgate plugins`: what is plugged into the running daemon."""

import click

from virgate.cli import show
from virgate.cli.client import Client


@click.group()
def plugins() -> None:
    """What is plugged into the daemon."""


@plugins.command("list")
@click.pass_obj
def list_(client: Client) -> None:
    """Name, version, origin, hooks and state of every plugin."""
    found = client.call("virgatePlugins")["plugins"]
    columns = {"name": "plugin", "version": "version", "state": "state", "origin": "origin", "hooks": "hooks"}
    for plugin in found:
        plugin["hooks"] = _brief(plugin["hooks"]) if not client.as_json else plugin["hooks"]
    show.rows(client, found, columns, "No plugins.")
    if not client.as_json:
        for plugin in found:
            if plugin["problem"]:
                click.secho(f"{plugin['name']}: {plugin['problem']}", fg="red", err=True)


def _brief(hooks: list[str]) -> str:
    return ", ".join(hooks) if len(hooks) <= 3 else f"{', '.join(hooks[:2])} and {len(hooks) - 2} more"
