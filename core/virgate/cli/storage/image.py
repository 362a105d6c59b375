"""`virgate storage image`: volumes that belong together, one upon the other."""

from typing import Any

import click

from virgate.cli import show
from virgate.cli.client import Client
from virgate.cli.progress import wait_for_task
from virgate.cli.storage import drawing, finding
from virgate.cli.storage.finding import Disk, Domain

COPY, MOVE = 1, 2

_volume = click.argument("volume", metavar="VOLUME")


@click.group()
def image() -> None:
    """Images: a volume with what it is based on and what is based on it. VOLUME names any volume of the image."""


@image.command()
@click.argument("volume", metavar="[VOLUME]", required=False)
@click.pass_obj
def tree(client: Client, volume: str | None) -> None:
    """Draw how volumes lie upon each other, of one image or of every image of the pool's active domains."""
    if volume:
        wanted = finding.disk(client, volume)
        images = [(wanted.domain, wanted.image)]
        pool = wanted.pool
    else:
        pool = finding.pool(client)
        domains = finding.pool_domains(client, pool)
        images = [(one, image) for one in domains for image in client.call("getImagesList", one)["imageslist"]]
    found = {image: _volumes(client, pool, domain, image) for domain, image in images}
    if client.as_json:
        show.fields(client, found)
    else:
        click.echo("\n".join(line for one, volumes in found.items() for line in drawing.tree(one, volumes)))


@image.command()
@_volume
@click.argument("domain", type=Domain())
@click.option("--copy", is_flag=True, help="Leave the image where it is, too.")
@click.pass_obj
def move(client: Client, volume: str, domain: str, copy: bool) -> None:
    """Move an image that no machine runs from to another DOMAIN."""
    at, target = finding.disk(client, volume), finding.domain(client, domain)
    operation = COPY if copy else MOVE
    asked = (at.pool, at.domain, target, at.image, finding.BLANK, operation, "false", "false")
    wait_for_task(client, client.call("moveImage", *asked)["uuid"])
    show.said(client, f"Image {at.image} is on {domain}.", image=at.image, domain=target)


@image.command()
@_volume
@click.confirmation_option("--yes", "-y", prompt="All volumes of the image will be lost. Go on?")
@click.pass_obj
def delete(client: Client, volume: str) -> None:
    """Delete an image with all its volumes."""
    at = finding.disk(client, volume)
    wait_for_task(client, client.call("deleteImage", at.domain, at.pool, at.image, "false", "false")["uuid"])
    show.said(client, f"Image {at.image} is deleted.", image=at.image)


@image.command()
@click.argument("ancestor")
@click.argument("successor")
@click.pass_obj
def merge(client: Client, ancestor: str, successor: str) -> None:
    """Make one volume, called SUCCESSOR, of all from ANCESTOR up to it. No machine may run from the image."""
    lower, upper = finding.disk(client, ancestor), finding.disk(client, successor)
    if lower.image != upper.image:
        raise click.UsageError(f"{ancestor} and {successor} are volumes of different images")
    asked = (upper.domain, upper.pool, finding.BLANK, upper.image, lower.volume, upper.volume, "false")
    wait_for_task(client, client.call("mergeSnapshots", *asked)["uuid"])
    show.said(client, f"Volume {upper.volume} holds all that was below it.", volume=upper.volume)


def _volumes(client: Client, pool: str, domain: str, image: str) -> dict[str, dict[str, Any]]:
    ids = client.call("getVolumesList", domain, pool, image)["uuidlist"]
    return {id: Disk(pool, domain, image, id).info(client) for id in ids}
