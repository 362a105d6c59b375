"""`virgate host`: what the host can do and how it does."""

import time

import click

from virgate.cli import show
from virgate.cli.client import Client
from virgate.cli.problems import Problem


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
@click.option("--wait", default=0.0, metavar="SECONDS", help="Ask again for so long, for example after starting it.")
@click.pass_obj
def ping(client: Client, wait: float) -> None:
    """Whether the daemon answers."""
    ends = time.monotonic() + wait
    while True:
        try:
            client.call("ping")
            break
        except Problem:
            if time.monotonic() > ends:
                raise
            time.sleep(0.1)
    show.said(client, f"The daemon at {client.where} answers.", alive=True)
