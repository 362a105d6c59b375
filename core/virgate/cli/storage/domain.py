"""`virgate storage domain`: the places images lie in."""

import uuid

import click

from virgate.cli import show
from virgate.cli.client import Client
from virgate.cli.storage.server import BLANK, LOCALFS

CLASSES = {"data": 1, "iso": 2, "backup": 3}


@click.group()
def domain() -> None:
    """The places images lie in."""


@domain.command("list")
@click.pass_obj
def list_(client: Client) -> None:
    """Every domain this host sees."""
    ids = client.call("getStorageDomainsList", BLANK)["domlist"]
    found = [client.call("getStorageDomainInfo", id)["info"] for id in ids]
    columns = {
        "uuid": "id",
        "name": "name",
        "type": "type",
        "class": "class",
        "role": "role",
        "version": "version",
        "pool": "pool",
    }
    show.rows(client, found, columns, "No domain is visible; `virgate storage server connect FOLDER` comes first.")


@domain.command("show")
@click.argument("id")
@click.pass_obj
def show_(client: Client, id: str) -> None:
    """What a domain is and how full."""
    found = client.call("getStorageDomainInfo", id)["info"] | client.call("getStorageDomainStats", id)["stats"]
    if not client.as_json:
        found |= {key: show.size(found[key]) for key in ("disktotal", "diskfree")}
    show.fields(client, found)


@domain.command()
@click.argument("name")
@click.argument("folder", type=click.Path(resolve_path=True))
@click.option("--class", "kind", type=click.Choice(list(CLASSES)), default="data", show_default=True)
@click.option("--version", default="5", show_default=True, help="On-disk format.")
@click.pass_obj
def create(client: Client, name: str, folder: str, kind: str, version: str) -> None:
    """Make a domain in a connected, empty FOLDER."""
    id = str(uuid.uuid4())
    client.call("createStorageDomain", LOCALFS, id, name, folder, CLASSES[kind], version)
    show.said(client, f"Domain {name} is {id}; `virgate storage pool create NAME {id}` makes a pool of it.", id=id)


@domain.command("format")
@click.argument("id")
@click.confirmation_option(prompt="Everything on the domain will be destroyed. Go on?")
@click.pass_obj
def format_(client: Client, id: str) -> None:
    """Destroy a detached domain with everything on it."""
    client.call("formatStorageDomain", id)
    show.said(client, f"Domain {id} is gone.", id=id)


def _pool_command(name: str, verb: str, done: str, *more: object) -> None:
    @domain.command(name, help=f"The domain {done} the pool (on the storage pool manager).")
    @click.argument("id")
    @click.argument("pool")
    @click.pass_obj
    def act(client: Client, id: str, pool: str) -> None:
        client.call(verb, id, pool, *more)
        show.said(client, f"Domain {id} {done} pool {pool}.", id=id, pool=pool)


_pool_command("attach", "attachStorageDomain", "is attached to")
_pool_command("activate", "activateStorageDomain", "is active in")
_pool_command("deactivate", "deactivateStorageDomain", "is inactive in", BLANK, 0)
_pool_command("detach", "detachStorageDomain", "is detached from", BLANK, 0)
