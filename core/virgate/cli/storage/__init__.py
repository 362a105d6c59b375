"""`virgate storage`: servers, devices, domains, pools, images and volumes. One module per noun.

A host is connected to one pool at a time, so commands ask for none. Domains are named by name or id, volumes by id or
description, and the beginning of an id will do.
"""

import click

from virgate.cli import show
from virgate.cli.client import Client
from virgate.cli.storage.device import device
from virgate.cli.storage.domain import domain
from virgate.cli.storage.image import image
from virgate.cli.storage.pool import pool, spm
from virgate.cli.storage.server import server
from virgate.cli.storage.volume import volume


@click.group()
def storage() -> None:
    """Servers, devices, domains, pools, images and volumes."""


for noun in (server, device, domain, pool, spm, image, volume):
    storage.add_command(noun)


@storage.command()
@click.pass_obj
def status(client: Client) -> None:
    """How each monitored domain does."""
    found = [{"domain": id, **one} for id, one in client.call("repoStats").items()]
    if not client.as_json:
        for one in found:
            one["delay"] = f"{float(one['delay']) * 1000:.1f} ms"
            one["lastCheck"] = f"{one['lastCheck']} s ago"
    columns = {"domain": "domain", "valid": "usable", "code": "code", "delay": "read delay", "lastCheck": "checked"}
    show.rows(client, found, columns, "No domain is monitored; `virgate storage pool connect` starts that.")
