"""`virgate storage domain`: the places images lie in."""

import uuid

import click

from virgate.cli import show
from virgate.cli.client import Client
from virgate.cli.problems import Problem
from virgate.cli.storage import finding
from virgate.cli.storage.finding import BLANK, Domain
from virgate.cli.storage.server import BLOCK, type_number, whole

CLASSES = {"data": 1, "iso": 2, "backup": 3}
DIGITS = ("disktotal", "diskfree")


@click.group()
def domain() -> None:
    """The places images lie in."""


@domain.command("list")
@click.pass_obj
def list_(client: Client) -> None:
    """Every domain this host sees."""
    columns = {
        "uuid": "id",
        "name": "name",
        "type": "type",
        "class": "class",
        "role": "role",
        "version": "version",
        "pool": "pool",
    }
    empty = "No domain is visible; `virgate storage server connect FOLDER` comes first."
    show.rows(client, finding.domains(client), columns, empty, spare=("version", "class"))


@domain.command("show")
@click.argument("domain", type=Domain())
@click.pass_obj
def show_(client: Client, domain: str) -> None:
    """What a domain is and how full."""
    id = finding.domain(client, domain)
    found = client.call("getStorageDomainInfo", id)["info"] | client.call("getStorageDomainStats", id)["stats"]
    if not client.as_json:
        found |= {key: show.size(found[key]) for key in DIGITS}
    show.fields(client, found)


@domain.command()
@click.argument("name")
@click.argument("remote", required=False, default="")
@click.option("--type", "kind", default="", help="As for `virgate storage server connect`.")
@click.option("--device", "devices", multiple=True, metavar="ID", help="iscsi, fcp: a disk to use; may be repeated.")
@click.option("--force", is_flag=True, help="Use disks that something is on; it will be lost.")
@click.option("--class", "use", type=click.Choice(list(CLASSES)), default="data", show_default=True, help="Use of it.")
@click.option("--version", default="5", show_default=True, help="On-disk format.")
@click.pass_obj
def create(
    client: Client, name: str, remote: str, kind: str, devices: tuple[str, ...], force: bool, use: str, version: str
) -> None:
    """Make a domain in the connected, empty place REMOTE, or of disks.

    \b
    virgate storage domain create data nas.example:/export/data
    virgate storage domain create fast --type iscsi --device 36001405aa1 --device 36001405bb2
    """
    id, number = str(uuid.uuid4()), type_number(kind, remote)
    if (number in BLOCK) != bool(devices) or bool(devices) == bool(remote):
        raise click.UsageError("a domain is made in a place, or with --type iscsi or fcp of one --device or more")
    place = client.call("createVG", id, list(devices), force)["uuid"] if devices else whole(remote, number)
    client.call("createStorageDomain", number, id, name, place, CLASSES[use], version)
    show.said(
        client,
        f"Domain {name} is {id}. `virgate storage pool create POOL {name}` makes a pool with it, "
        f"`virgate storage domain attach {name}` adds it to the connected one.",
        id=id,
    )


@domain.command()
@click.argument("domain", type=Domain())
@click.pass_obj
def check(client: Client, domain: str) -> None:
    """Look, without changing anything, whether a domain is sound. Exit status 1 if it is not.

    Metadata, checksums, chains, headers of the data and leases are read. What is being changed meanwhile may show up.
    """
    found = client.call("checkStorageDomain", finding.domain(client, domain))["check"]
    if client.as_json:
        show.fields(client, found)
    else:
        for one in found["findings"]:
            click.echo(f"{one['severity']}: {one['place']}: {one['what']}")
            if one["mend"]:
                click.echo(f"    {one['mend']}")
        click.echo(f"{found['volumes']} volumes in {found['images']} images were looked at.")
    if not found["sound"]:
        raise Problem(f"The domain {domain} is not sound.", "" if client.as_json else "What to do stands above.")
    if not client.as_json:
        click.echo(f"The domain {domain} is sound.")


@domain.command()
@click.argument("domain", type=Domain())
@click.argument("devices", nargs=-1, required=True, metavar="DEVICE...")
@click.option("--force", is_flag=True, help="Use disks that something is on; it will be lost.")
@click.pass_obj
def extend(client: Client, domain: str, devices: tuple[str, ...], force: bool) -> None:
    """Give a domain of disks more of them."""
    id, pool = finding.domain(client, domain), finding.pool(client)
    client.call("extendStorageDomain", id, pool, list(devices), force)
    show.said(client, f"Domain {domain} has {len(devices)} more disks.", id=id)


@domain.command("format")
@click.argument("domain", type=Domain())
@click.confirmation_option("--yes", "-y", prompt="Everything on the domain will be destroyed. Go on?")
@click.pass_obj
def format_(client: Client, domain: str) -> None:
    """Destroy a detached domain with everything on it."""
    id = finding.domain(client, domain)
    client.call("formatStorageDomain", id)
    show.said(client, f"Domain {id} is gone.", id=id)


def _pool_command(name: str, verb: str, text: str, done: str, *more: object) -> None:
    @domain.command(name, help=f"{text} Only the storage pool manager may do it.")
    @click.argument("domain", type=Domain())
    @click.pass_obj
    def act(client: Client, domain: str) -> None:
        id, pool = finding.domain(client, domain), finding.pool(client)
        client.call(verb, id, pool, *more)
        show.said(client, f"Domain {domain} {done} pool {pool}.", id=id, pool=pool)


_pool_command("attach", "attachStorageDomain", "Add a domain to the pool; activate comes next.", "is attached to")
_pool_command("activate", "activateStorageDomain", "Let the hosts of the pool use a domain.", "is active in")
_pool_command("deactivate", "deactivateStorageDomain", "Stop the use of a domain.", "is inactive in", BLANK, 0)
_pool_command("detach", "detachStorageDomain", "Take an inactive domain out of the pool.", "is detached from", BLANK, 0)
