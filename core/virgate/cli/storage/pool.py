"""`virgate storage pool` and `virgate storage spm`: domains together, and who may change them."""

import uuid

import click

from virgate.cli import show
from virgate.cli.client import Client
from virgate.cli.task import wait_for

HOST_ID = 1


@click.group()
def pool() -> None:
    """Domains that are used together."""


@pool.command()
@click.argument("name")
@click.argument("master")
@click.pass_obj
def create(client: Client, name: str, master: str) -> None:
    """Make a pool whose master domain is MASTER."""
    id = str(uuid.uuid4())
    client.call("createStoragePool", 0, id, name, master, [master], 1, "ON", 5, 60, 10, 3)
    show.said(client, f"Pool {name} is {id}; `virgate storage pool connect {id} {master}` comes next.", id=id)


@pool.command()
@click.argument("id")
@click.argument("master")
@click.option("--host-id", default=HOST_ID, show_default=True, help="This host's number in the pool.")
@click.option("--master-version", default=1, show_default=True)
@click.pass_obj
def connect(client: Client, id: str, master: str, host_id: int, master_version: int) -> None:
    """Use a pool on this host."""
    client.call("connectStoragePool", id, host_id, id, master, master_version)
    show.said(client, f"Pool {id} is connected; `virgate storage spm start {id}` lets this host change it.", id=id)


@pool.command()
@click.argument("id")
@click.option("--host-id", default=HOST_ID, show_default=True)
@click.pass_obj
def disconnect(client: Client, id: str, host_id: int) -> None:
    """Stop using a pool on this host."""
    client.call("disconnectStoragePool", id, host_id, id)
    show.said(client, f"Pool {id} is disconnected.", id=id)


@pool.command("list")
@click.pass_obj
def list_(client: Client) -> None:
    """The pools this host is connected to."""
    found = [
        {"id": id, **client.call("getStoragePoolInfo", id)["info"]}
        for id in client.call("getConnectedStoragePoolsList")["poollist"]
    ]
    columns = {"id": "id", "name": "name", "master_uuid": "master", "spm_id": "SPM host", "domains": "domains"}
    show.rows(client, found, columns, "No pool is connected; `virgate storage pool connect ID MASTER`.")


@pool.command("show")
@click.argument("id")
@click.pass_obj
def show_(client: Client, id: str) -> None:
    """A pool and its domains."""
    show.fields(client, client.call("getStoragePoolInfo", id))


@click.group()
def spm() -> None:
    """The storage pool manager: the one host that may change a pool."""


@spm.command()
@click.argument("pool")
@click.pass_obj
def start(client: Client, pool: str) -> None:
    """Make this host the manager of POOL."""
    now = client.call("getSpmStatus", pool)["spm_st"]
    wait_for(client, client.call("spmStart", pool, now["spmId"], str(now["spmLver"]), 0, "false")["uuid"])
    show.said(client, f"This host manages pool {pool}.", pool=pool)


@spm.command()
@click.argument("pool")
@click.pass_obj
def stop(client: Client, pool: str) -> None:
    """Give the manager's role back."""
    client.call("spmStop", pool)
    show.said(client, f"This host does not manage pool {pool} any more.", pool=pool)


@spm.command()
@click.argument("pool")
@click.pass_obj
def status(client: Client, pool: str) -> None:
    """Who manages POOL."""
    show.fields(client, client.call("getSpmStatus", pool)["spm_st"])
