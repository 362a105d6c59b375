"""`virgate storage server`: where storage comes from."""

import click

from virgate.cli import show
from virgate.cli.client import Client
from virgate.cli.problems import Problem
from virgate.cli.storage.finding import BLANK

LOCALFS = 4


@click.group()
def server() -> None:
    """Where storage comes from: folders of this host, for now."""


@server.command()
@click.argument("folder", type=click.Path(resolve_path=True))
@click.pass_obj
def connect(client: Client, folder: str) -> None:
    """Make a local folder known to the repository. Repeat it after the daemon was restarted."""
    _ask(client, "connectStorageServer", folder)
    show.said(
        client,
        f"{folder} is connected. An empty one: `virgate storage domain create NAME {folder}`; "
        "one with a domain: `virgate storage domain list`.",
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
    code = answer["status"]
    if code == 469:
        hint = "Give a folder of the daemon's host that the daemon's user may read and write."
        raise Problem(f"{folder} cannot be used (code 469)", hint, verb=verb, code=code)
    if code:
        raise Problem(f"{folder}: code {code}", "The daemon's log says more.", verb=verb, code=code)
