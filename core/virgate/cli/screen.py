"""A machine's screen for a person: a password that ends, and where to look, printed or opened in a viewer."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from typing import Any

import click

from virgate.cli import show
from virgate.cli.client import Client
from virgate.cli.machines import Machine, find
from virgate.cli.problems import Problem

VIEWER = "remote-viewer"
KINDS = ("vnc", "spice")
EVERYWHERE = ("0", "", "0.0.0.0", "::")  # noqa: S104
PASSWORD = 8
"""Characters of a VNC password that count."""


def screen(client: Client, machine: str, kind: str, seconds: int, *, opened: bool) -> None:
    """Sets a new password for the first screen of that kind, then says where it is or becomes its viewer."""
    found = find(client, machine)
    name, vm = str(found.get("vmName", machine)), found["vmId"]
    displays = client.call("getVmStats", vm)["statsList"][0].get("displayInfo") or []
    wanted = [one for one in displays if one["type"] == kind and (one["port"] != "-1" or one["tlsPort"] != "-1")]
    if not wanted:
        raise Problem(
            f"{name} has no {kind.upper()} screen that can be reached.", "It needs one when it is made: --vnc."
        )
    if opened and shutil.which(VIEWER) is None:
        raise Problem(f"{VIEWER} is not installed.", "Install the package virt-viewer, or leave --open out.")
    password = secrets.token_urlsafe(PASSWORD)[:PASSWORD]
    ticket = {"deviceType": "graphics", "graphicsType": kind, "password": password, "ttl": seconds}
    client.call("vmUpdateDevice", vm, {**ticket, "existingConnAction": "disconnect", "params": {}})
    host = _reachable(wanted[0]["ipAddress"], client.where.host)
    if opened:
        _become_viewer(connection_file(name, kind, host, wanted[0], password))
    place = {"type": kind, "host": host, "port": wanted[0]["port"], "tlsPort": wanted[0]["tlsPort"]}
    port = wanted[0]["port"] if wanted[0]["port"] != "-1" else f"{wanted[0]['tlsPort']} (TLS)"
    text = f"{kind.upper()} screen of {name}: {host} port {port}, password {password}, for {seconds} seconds."
    show.said(client, text, vmId=vm, **place, password=password, seconds=seconds)


def _reachable(listens: str, daemon: str) -> str:
    """A screen that listens on every address is where the daemon is."""
    return daemon if listens in EVERYWHERE else listens


def connection_file(name: str, kind: str, host: str, display: Mapping[str, Any], password: str) -> str:
    """What virt-viewer reads; it deletes the file, whose password is good for one look."""
    lines = ["[virt-viewer]", f"type={kind}", f"host={host}", f"title={' '.join(name.split())}"]
    lines += [
        f"{key}={display[port]}" for key, port in (("port", "port"), ("tls-port", "tlsPort")) if display[port] != "-1"
    ]
    return "\n".join([*lines, f"password={password}", "delete-this-file=1", ""])


def _become_viewer(text: str) -> None:
    file, path = tempfile.mkstemp(suffix=".vv")  # for its owner only
    with os.fdopen(file, "w", encoding="utf-8") as writing:
        writing.write(text)
    os.execlp(VIEWER, VIEWER, path)  # noqa: S606


@click.command("vnc")
@click.argument("machine", type=Machine())
@click.option("--kind", type=click.Choice(KINDS), default="vnc", show_default=True, help="Which of its screens.")
@click.option("--seconds", default=120, show_default=True, help="How long the password opens it.")
@click.option("--open", "opened", is_flag=True, help=f"Show it here, with {VIEWER}.")
@click.pass_obj
def vnc(client: Client, machine: str, kind: str, seconds: int, opened: bool) -> None:
    """Give a machine's screen a new password and say where it is, or open it. Who looks at it now is disconnected."""
    screen(client, machine, kind, seconds, opened=opened)
