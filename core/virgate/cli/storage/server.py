"""`virgate storage server`: where storage comes from."""

import click

from virgate.cli import show
from virgate.cli.client import Client

BLANK = "00000000-0000-0000-0000-000000000000"
LOCALFS = 4


@click.group()
def server() -> None:
    """Where storage comes from."""


@server.command()
@click.argument("folder", type=click.Path(resolve_path=True))
@click.pass_obj
def connect(client: Client, folder: str) -> None:
    """Make a local folder known to the repository."""
    _ask(client, "connectStorageServer", folder)
    show.said(
        client,
        f"{folder} is connected; `virgate storage domain create NAME {folder}` makes a domain on it.",
        folder=folder,
    )


@server.command()
@click.argument("folder", type=click.Path(resolve_path=True))
@click.pass_obj
def disconnect(client: Client, folder: str) -> None:
    """Take a local folder out of the repository; its content stays."""
    _ask(client, "disconnectStorageServer", folder)
    show.said(client, f"{folder} is disconnected.", folder=folder)


def _ask(client: Client, verb: str, folder: str) -> None:
    (answer,) = client.call(verb, LOCALFS, BLANK, [{"id": "1", "connection": folder}])["statuslist"]
    if answer["status"] == 469:
        raise click.ClickException(f"{folder} is no folder, or the daemon may not read and write it (code 469)")
    if answer["status"]:
        raise click.ClickException(f"{folder}: code {answer['status']}; the daemon's log says more")
