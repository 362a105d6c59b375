"""`virgate storage volume`: disks of machines."""

import re
import uuid
from typing import Any

import click

from virgate.cli import show
from virgate.cli.client import Client
from virgate.cli.problems import Problem
from virgate.cli.progress import wait_for_task
from virgate.cli.storage import finding
from virgate.cli.storage.finding import BLANK, Disk, Domain

FORMATS = {"cow": 4, "raw": 5}
PREALLOCATED, SPARSE = 1, 2
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class Bytes(click.ParamType):  # type: ignore[type-arg]
    """A size such as 10G, 512MiB or 1048576; K is 1024."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"([0-9]+)\s*([KMGT]?)(?:iB|B)?", str(value), re.IGNORECASE)
        if not found or not int(found[1]):
            self.fail(f"{value} is no size; write it like 10G or 512M", param, ctx)
        return int(found[1]) * UNITS[found[2].upper()]


_volume = click.argument("volume", metavar="VOLUME")


@click.group()
def volume() -> None:
    """Disks of machines. A volume lies in an image, an image in a domain.

    VOLUME is a volume's id, the beginning of it, its description, or POOL/DOMAIN/IMAGE/VOLUME.
    """


@volume.command()
@click.argument("domain", type=Domain())
@click.argument("size", type=Bytes())
@click.option(
    "--format", "form", type=click.Choice(list(FORMATS)), default="raw", show_default=True, help="cow is qcow2."
)
@click.option("--preallocate", is_flag=True, help="Take the space now.")
@click.option("--description", default="", help="A name for people; commands find the volume by it.")
@click.option("--parent", metavar="VOLUME", help="Lie upon this volume and start from its content (cow only).")
@click.pass_obj
def create(client: Client, /, domain: str, size: int, form: str, **asked: Any) -> None:
    """Make a volume of SIZE (10G, 512M) and wait until it is there."""
    pool, image, parents = finding.pool(client), str(uuid.uuid4()), (BLANK, BLANK)
    if asked["parent"]:
        if form != "cow":
            raise click.UsageError("a volume upon another one has the format cow: --format cow")
        below = finding.disk(client, asked["parent"])
        image, parents = below.image, (below.image, below.volume)
    made = Disk(pool, finding.domain(client, domain), image, str(uuid.uuid4()))
    allocation = PREALLOCATED if asked["preallocate"] else SPARSE
    what = (str(size), FORMATS[form], allocation, "DATA", made.volume, asked["description"], *parents)
    wait_for_task(client, client.call("createVolume", made.domain, pool, image, *what)["uuid"])
    show.said(
        client,
        f"Volume {made.volume}; give it to a machine with --disk {asked['description'] or made.volume[:8]}",
        image=image,
        volume=made.volume,
        disk=str(made),
    )


@volume.command("list")
@click.argument("domain", type=Domain(), required=False)
@click.pass_obj
def list_(client: Client, domain: str | None) -> None:
    """The volumes of a domain, or of all active domains of the pool, image by image."""
    pool = finding.pool(client)
    places = [finding.domain(client, domain)] if domain else finding.pool_domains(client, pool)
    found = []
    for info in (one for place in places for one in client.call("dumpStorageDomain", place)["volumes"]):
        readable = "capacity" in info
        sizes = {"size": show.size(info["capacity"]), "used": show.size(info["truesize"])} if readable else {}
        disk = Disk(pool, info["domain"], info["image"], info["uuid"])
        found.append({"description": info["status"], **info, **sizes, "disk": str(disk)})
    columns = {
        "uuid": "volume",
        "description": "description",
        "size": "size",
        "used": "used",
        "format": "format",
        "voltype": "role",
        "image": "image",
    }
    empty = "No volumes; `virgate storage volume create DOMAIN SIZE` makes one."
    show.rows(client, found, columns, empty, spare=("voltype",))


@volume.command("show")
@_volume
@click.pass_obj
def show_(client: Client, volume: str) -> None:
    """Everything about a volume."""
    found = finding.disk(client, volume)
    info = found.info(client)
    if not client.as_json:
        info |= {key: show.size(info[key]) for key in ("apparentsize", "capacity", "truesize")}
    show.fields(client, info | {"disk": str(found)})


@volume.command()
@_volume
@click.argument("size", type=Bytes())
@click.pass_obj
def extend(client: Client, volume: str, size: int) -> None:
    """Make a raw volume larger."""
    at = finding.disk(client, volume)
    wait_for_task(client, client.call("extendVolumeSize", at.pool, at.domain, at.image, at.volume, str(size))["uuid"])
    show.said(client, f"Volume {at.volume} holds {show.size(size)}.", volume=at.volume, size=size)


@volume.command()
@_volume
@click.confirmation_option("--yes", "-y", prompt="The volume's content will be lost. Go on?")
@click.pass_obj
def delete(client: Client, volume: str) -> None:
    """Delete a volume that no other builds on."""
    at = finding.disk(client, volume)
    if at.info(client).get("voltype") == "INTERNAL":
        raise Problem(f"Another volume builds on {at.volume}.", "`virgate storage volume list` shows which: delete it.")
    wait_for_task(
        client, client.call("deleteVolume", at.domain, at.pool, at.image, [at.volume], "false", "false")["uuid"]
    )
    show.said(client, f"Volume {at.volume} is deleted.", volume=at.volume)


@volume.command()
@_volume
@click.pass_obj
def prepare(client: Client, volume: str) -> None:
    """Make a volume usable on its host and print the path, to fill it for example.

    qemu-img convert -n -O raw debian.qcow2 $(virgate storage volume prepare VOLUME)
    """
    at = finding.disk(client, volume)
    path = client.call("prepareImage", at.pool, at.domain, at.image, at.volume)["path"]
    show.said(client, path, path=path, disk=str(at))


@volume.command()
@_volume
@click.pass_obj
def teardown(client: Client, volume: str) -> None:
    """End what prepare began."""
    at = finding.disk(client, volume)
    client.call("teardownImage", at.pool, at.domain, at.image, at.volume)
    show.said(client, f"Volume {at.volume} is not prepared any more.", volume=at.volume)
