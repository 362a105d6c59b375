"""`virgate storage volume`: disks of machines."""

import re
import uuid
from typing import Any

import click

from virgate.cli import show
from virgate.cli.client import Client
from virgate.cli.storage.server import BLANK
from virgate.cli.task import wait_for

FORMATS = {"cow": 4, "raw": 5}
PREALLOCATED, SPARSE = 1, 2
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class Bytes(click.ParamType):  # type: ignore[type-arg]
    """A size such as 10G, 512MiB or 1048576."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"(\d+)\s*([KMGT]?)(?:iB|B)?", str(value), re.IGNORECASE)
        if not found:
            self.fail(f"{value} is no size; write it like 10G or 512M", param, ctx)
        return int(found[1]) * UNITS[found[2].upper()]


@click.group()
def volume() -> None:
    """Disks of machines. A volume lies in an image, an image in a domain."""


@volume.command()
@click.argument("domain")
@click.argument("pool")
@click.argument("size", type=Bytes())
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="raw", show_default=True)
@click.option("--preallocate", is_flag=True, help="Take the space now.")
@click.option("--description", default="")
@click.option("--image", help="An image to put it in; default: a new one.")
@click.option("--parent", help="The volume of that image whose content it starts from (cow only).")
@click.pass_obj
def create(client: Client, /, domain: str, pool: str, size: int, form: str, **asked: Any) -> None:
    """Make a volume of SIZE in DOMAIN of POOL and wait until it is there."""
    image, made = asked["image"] or str(uuid.uuid4()), str(uuid.uuid4())
    allocation = PREALLOCATED if asked["preallocate"] else SPARSE
    parents = (asked["image"] or BLANK, asked["parent"]) if asked["parent"] else (BLANK, BLANK)
    arguments = (
        domain,
        pool,
        image,
        str(size),
        FORMATS[form],
        allocation,
        "DATA",
        made,
        asked["description"],
        *parents,
    )
    wait_for(client, client.call("createVolume", *arguments)["uuid"])
    where = f"{pool}/{domain}/{image}/{made}"
    show.said(
        client, f"Volume {made}; give it to a machine with --disk {where}:{form}", image=image, volume=made, disk=where
    )


@volume.command("list")
@click.argument("domain")
@click.argument("pool")
@click.pass_obj
def list_(client: Client, domain: str, pool: str) -> None:
    """The volumes of a domain, image by image."""
    found = []
    for image in client.call("getImagesList", domain)["imageslist"]:
        for id in client.call("getVolumesList", domain, pool, image)["uuidlist"]:
            info = client.call("getVolumeInfo", domain, pool, image, id)["info"]
            found.append(info | {"size": show.size(info["capacity"]), "used": show.size(info["truesize"])})
    columns = {
        "image": "image",
        "uuid": "volume",
        "format": "format",
        "voltype": "role",
        "size": "size",
        "used": "used",
    }
    show.rows(client, found, columns, "No volumes.")


@volume.command("show")
@click.argument("domain")
@click.argument("pool")
@click.argument("image")
@click.argument("id")
@click.pass_obj
def show_(client: Client, domain: str, pool: str, image: str, id: str) -> None:
    """Everything about a volume."""
    show.fields(client, client.call("getVolumeInfo", domain, pool, image, id)["info"])


@volume.command()
@click.argument("domain")
@click.argument("pool")
@click.argument("image")
@click.argument("id")
@click.argument("size", type=Bytes())
@click.pass_obj
def extend(client: Client, domain: str, pool: str, image: str, id: str, size: int) -> None:
    """Make a raw volume larger."""
    wait_for(client, client.call("extendVolumeSize", pool, domain, image, id, str(size))["uuid"])
    show.said(client, f"Volume {id} holds {show.size(size)}.", volume=id, size=size)


@volume.command()
@click.argument("domain")
@click.argument("pool")
@click.argument("image")
@click.argument("id")
@click.confirmation_option(prompt="The volume's content will be lost. Go on?")
@click.pass_obj
def delete(client: Client, domain: str, pool: str, image: str, id: str) -> None:
    """Delete a volume that no other builds on."""
    wait_for(client, client.call("deleteVolume", domain, pool, image, [id], "false", "false")["uuid"])
    show.said(client, f"Volume {id} is deleted.", volume=id)
