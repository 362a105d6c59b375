"""`virgate host`: what the host can do and how it does."""

import click

from virgate.cli import show
from virgate.cli.client import Client


@click.group()
def host() -> None:
    """The host the daemon runs on."""


@host.command()
@click.pass_obj
def caps(client: Client) -> None:
    """What the host is and can do: CPUs, memory, networks, versions, hooks."""
    show.fields(client, client.call("getVdsCapabilities")["info"])


@host.command()
@click.pass_obj
def stats(client: Client) -> None:
    """How loaded the host is: CPU, memory, network, storage domains, machines."""
    show.fields(client, client.call("getVdsStats")["info"])


@host.command()
@click.pass_obj
def hardware(client: Client) -> None:
    """Maker, model and serial number."""
    show.fields(client, client.call("getVdsHardwareInfo")["info"])


@host.command()
@click.pass_obj
def ping(client: Client) -> None:
    """Whether the daemon answers."""
    client.call("ping")
    show.said(client, "The daemon answers.", alive=True)
