"""`virgate vm`: virtual machines."""

import json
import uuid
from pathlib import Path
from typing import Any

import click

from virgate.cli import show
from virgate.cli.client import Client
from virgate.cli.machines import Machine, find
from virgate.cli.terminal import attach

FORMATS = {"raw": "raw", "cow": "cow", "qcow2": "cow"}


@click.group()
def vm() -> None:
    """Virtual machines."""


@vm.command("list")
@click.pass_obj
def list_(client: Client) -> None:
    """Every machine, the external ones too."""
    found = client.call("list", True)["vmList"]
    columns = {"vmId": "id", "vmName": "name", "status": "status", "memSize": "MiB", "smp": "CPUs"}
    show.rows(client, found, columns, "No machines. `virgate vm create NAME` makes one.")


@vm.command("show")
@click.argument("machine", type=Machine())
@click.pass_obj
def show_(client: Client, machine: str) -> None:
    """Everything the daemon knows of a machine."""
    show.fields(client, find(client, machine))


@vm.command()
@click.argument("machine", type=Machine())
@click.pass_obj
def stats(client: Client, machine: str) -> None:
    """How a machine does: CPU, disks, networks, guest."""
    show.fields(client, client.call("getVmStats", find(client, machine)["vmId"])["statsList"][0])


@vm.command()
@click.argument("name")
@click.option("--memory", default=512, show_default=True, metavar="MIB", help="Memory in MiB.")
@click.option("--cpus", default=1, show_default=True, help="Virtual CPUs.")
@click.option(
    "--disk", "disks", multiple=True, metavar="POOL/DOMAIN/IMAGE/VOLUME[:FORMAT]", help="A volume; may be repeated."
)
@click.option(
    "--network", "networks", multiple=True, metavar="BRIDGE", help="A virtio NIC on a bridge; may be repeated."
)
@click.option(
    "--kernel", type=click.Path(exists=True, dir_okay=False, resolve_path=True), help="Boot this kernel directly."
)
@click.option("--initrd", type=click.Path(exists=True, dir_okay=False, resolve_path=True), help="Its initial RAM disk.")
@click.option("--append", default="", help="Its command line.")
@click.option(
    "--custom", multiple=True, metavar="NAME=VALUE", help="A custom property for hook scripts; may be repeated."
)
@click.option("--paused", is_flag=True, help="Do not start the CPUs.")
@click.pass_obj
def create(client: Client, /, name: str, disks: tuple[str, ...], networks: tuple[str, ...], **asked: Any) -> None:
    """Make a machine and start it. It has a serial console: `virgate vm console NAME`."""
    params: dict[str, Any] = {
        "vmId": str(uuid.uuid4()),
        "vmName": name,
        "memSize": str(asked["memory"]),
        "smp": str(asked["cpus"]),
        "acpiEnable": "true",
        "custom": dict(_assignment(one) for one in asked["custom"]),
        "devices": [
            *(_disk(disk, index) for index, disk in enumerate(disks)),
            *({"type": "interface", "device": "bridge", "network": one, "nicModel": "pv"} for one in networks),
            {"type": "console", "device": "console", "specParams": {"consoleType": "serial"}},
        ],
    }
    given = {"kernel": asked["kernel"], "initrd": asked["initrd"], "kernelArgs": asked["append"]}
    params |= {key: value for key, value in given.items() if value}
    if asked["paused"]:
        params["launchPaused"] = "true"
    _start(client, params)


@vm.command("start-from")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def start_from(client: Client, file: Path) -> None:
    """Start a machine from FILE: libvirt domain XML, or the JSON of `create` parameters."""
    text = file.read_text(encoding="utf-8")
    if text.lstrip().startswith("<"):
        _start(client, {"xml": text})
        return
    try:
        params = json.loads(text)
    except json.JSONDecodeError as error:
        raise click.ClickException(f"{file} is neither XML nor JSON: {error}") from None
    if not isinstance(params, dict):
        raise click.ClickException(f"{file} holds no JSON object of `create` parameters.")
    _start(client, {"vmId": str(uuid.uuid4()), **params})


@vm.command()
@click.argument("machine", type=Machine())
@click.pass_obj
def pause(client: Client, machine: str) -> None:
    """Stop a machine's CPUs; memory and devices stay."""
    _do(client, "pause", machine, "is paused; `virgate vm cont` lets it go on")


@vm.command()
@click.argument("machine", type=Machine())
@click.pass_obj
def cont(client: Client, machine: str) -> None:
    """Let a paused machine go on."""
    _do(client, "cont", machine, "goes on")


@vm.command()
@click.argument("machine", type=Machine())
@click.pass_obj
def reset(client: Client, machine: str) -> None:
    """Press the reset button."""
    _do(client, "reset", machine, "was reset")


@vm.command()
@click.argument("machine", type=Machine())
@click.option("--delay", default=30, show_default=True, help="Seconds the guest's users are given.")
@click.option("--message", default="System going down", show_default=True, help="What they are told.")
@click.option("--reboot", is_flag=True, help="Start again afterwards.")
@click.option("--timeout", default=120, show_default=True, help="Seconds until the next, harder way is tried.")
@click.option("--force", is_flag=True, help="Power off in the end if the guest does not listen.")
@click.pass_obj
def shutdown(client: Client, machine: str, delay: int, message: str, reboot: bool, timeout: int, force: bool) -> None:
    """Ask the guest to shut down."""
    found = find(client, machine)
    client.call("shutdown", found["vmId"], str(delay), message, reboot, str(timeout), force)
    show.said(client, f"{found['vmName']} was asked to shut down.", vmId=found["vmId"])


@vm.command()
@click.argument("machine", type=Machine())
@click.pass_obj
def destroy(client: Client, machine: str) -> None:
    """Power a machine off at once and forget it; its disks stay."""
    _do(client, "destroy", machine, "is gone")


@vm.command()
@click.argument("machine", type=Machine())
@click.pass_obj
def console(client: Client, machine: str) -> None:
    """Connect this terminal to a machine's serial console; Ctrl-] leaves it."""
    found = find(client, machine)
    attach(client.call("getVmConsole", found["vmId"])["console"], found["vmName"])


def _start(client: Client, params: dict[str, Any]) -> None:
    made = client.call("create", params)["vmList"]
    show.said(
        client,
        f"{made['vmName']} ({made['vmId']}) is starting; `virgate vm list` shows how it does.",
        vmId=made["vmId"],
        status=made["status"],
    )


def _do(client: Client, verb: str, machine: str, done: str) -> None:
    found = find(client, machine)
    client.call(verb, found["vmId"])
    show.said(client, f"{found.get('vmName', machine)} {done}.", vmId=found["vmId"])


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text}: expected NAME=VALUE", param_hint="--custom")
    return name, value


def _disk(text: str, index: int) -> dict[str, str]:
    ids, _, form = text.partition(":")
    parts = ids.split("/")
    if len(parts) != 4 or (form or "raw") not in FORMATS:
        raise click.BadParameter(f"{text}: expected POOL/DOMAIN/IMAGE/VOLUME[:raw|cow]", param_hint="--disk")
    named = dict(zip(("poolID", "domainID", "imageID", "volumeID"), parts, strict=True))
    return {
        "type": "disk",
        "device": "disk",
        "iface": "virtio",
        "index": str(index),
        "format": FORMATS[form or "raw"],
        **named,
    }
