"""`virgate storage`: servers, domains, pools and volumes. One module per noun."""

import click

from virgate.cli import show
from virgate.cli.client import Client
from virgate.cli.storage.domain import domain
from virgate.cli.storage.pool import pool, spm
from virgate.cli.storage.server import server
from virgate.cli.storage.volume import volume


@click.group()
def storage() -> None:
    """Servers, domains, pools and volumes."""


for noun in (server, domain, pool, spm, volume):
    storage.add_command(noun)


@storage.command()
@click.pass_obj
def status(client: Client) -> None:
    """How each monitored domain does."""
    found = [{"domain": id, **one} for id, one in client.call("repoStats").items()]
    columns = {
        "domain": "domain",
        "valid": "valid",
        "code": "code",
        "delay": "read delay (s)",
        "lastCheck": "checked (s ago)",
    }
    show.rows(client, found, columns, "No domain is monitored; `virgate storage pool connect` starts that.")
