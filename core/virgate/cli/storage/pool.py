"""`virgate storage pool` and `virgate storage spm`: domains together, and who may change them."""

import uuid
from typing import Any

import click

from virgate.cli import show
from virgate.cli.client import Client
from virgate.cli.problems import Problem
from virgate.cli.progress import wait_for_task
from virgate.cli.storage import finding
from virgate.cli.storage.finding import Domain

HOST_ID = 1

_host_id = click.option("--host-id", default=HOST_ID, show_default=True, help="This host's number in the pool.")


@click.group()
def pool() -> None:
    """Domains that are used together. A host uses one pool at a time."""


@pool.command()
@click.argument("name")
@click.argument("master", type=Domain())
@click.pass_obj
def create(client: Client, name: str, master: str) -> None:
    """Make a pool whose master domain is MASTER."""
    id, domain = str(uuid.uuid4()), finding.domain(client, master)
    client.call("createStoragePool", 0, id, name, domain, [domain], 1, "ON", 5, 60, 10, 3)
    show.said(client, f"Pool {name} is {id}; `virgate storage pool connect {master}` comes next.", id=id)


@pool.command()
@click.argument("master", type=Domain())
@_host_id
@click.option("--master-version", default=1, show_default=True, help="It grows when the master's role moves.")
@click.pass_obj
def connect(client: Client, master: str, host_id: int, master_version: int) -> None:
    """Use the pool whose master domain is MASTER. Repeat it after the daemon was restarted."""
    domain = finding.domain(client, master)
    pools = client.call("getStorageDomainInfo", domain)["info"]["pool"]
    if not pools:
        raise Problem(f"The domain {master} is in no pool.", f"`virgate storage pool create NAME {master}` makes one.")
    client.call("connectStoragePool", pools[0], host_id, pools[0], domain, master_version)
    show.said(
        client, f"Pool {pools[0]} is connected; `virgate storage spm start` lets this host change it.", id=pools[0]
    )


@pool.command()
@_host_id
@click.pass_obj
def disconnect(client: Client, host_id: int) -> None:
    """Stop using the pool on this host."""
    id = finding.pool(client)
    client.call("disconnectStoragePool", id, host_id, id)
    show.said(client, f"Pool {id} is disconnected.", id=id)


@pool.command()
@_host_id
@click.confirmation_option("--yes", "-y", prompt="The pool will be forgotten; its domains stay. Go on?")
@click.pass_obj
def destroy(client: Client, host_id: int) -> None:
    """Take every domain out of the connected pool and forget it (on the storage pool manager)."""
    id = finding.pool(client)
    client.call("destroyStoragePool", id, host_id, id)
    show.said(client, f"Pool {id} is gone; its domains stay and may be formatted or join another pool.", id=id)


@pool.command("list")
@click.pass_obj
def list_(client: Client) -> None:
    """The pools that are known here: the connected one, and those of the domains this host sees."""
    found = [
        {"id": id, "state": "connected", **client.call("getStoragePoolInfo", id)["info"]}
        for id in client.call("getConnectedStoragePoolsList")["poollist"]
    ]
    known = {one["id"] for one in found}
    for domain in finding.domains(client):
        for id in set(domain["pool"]) - known if domain["role"] == "Master" else ():
            found.append({"id": id, "state": "not connected", "master_uuid": domain["uuid"]})
    columns = {"id": "id", "name": "name", "state": "state", "master_uuid": "master domain", "spm_id": "SPM host"}
    show.rows(client, found, columns, "No pool is known; `virgate storage pool create NAME MASTER` makes one.")


@pool.command("show")
@click.pass_obj
def show_(client: Client) -> None:
    """The connected pool and its domains."""
    found: dict[str, Any] = client.call("getStoragePoolInfo", finding.pool(client))
    if not client.as_json:
        for one in found["dominfo"].values():
            one |= {key: show.size(one[key]) for key in ("disktotal", "diskfree") if key in one}
    show.fields(client, found)


@click.group()
def spm() -> None:
    """The storage pool manager: the one host that may change the pool."""


@spm.command()
@click.pass_obj
def start(client: Client) -> None:
    """Make this host the manager of its pool. Repeat it after the daemon was restarted."""
    pool = finding.pool(client)
    now = client.call("getSpmStatus", pool)["spm_st"]
    if now["spmStatus"] != "SPM":
        wait_for_task(client, client.call("spmStart", pool, now["spmId"], str(now["spmLver"]), 0, "false")["uuid"])
    show.said(client, f"This host manages pool {pool}.", pool=pool)


@spm.command()
@click.pass_obj
def stop(client: Client) -> None:
    """Give the manager's role back."""
    pool = finding.pool(client)
    client.call("spmStop", pool)
    show.said(client, f"This host does not manage pool {pool} any more.", pool=pool)


@spm.command()
@click.pass_obj
def status(client: Client) -> None:
    """Who manages the pool."""
    show.fields(client, client.call("getSpmStatus", finding.pool(client))["spm_st"])
