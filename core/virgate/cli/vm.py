"""`virgate vm`: virtual machines."""

import uuid
from pathlib import Path
from typing import Any

import click

from virgate.cli import description, show
from virgate.cli.client import Client
from virgate.cli.machines import Machine, find, machines, wait_until_down, wait_until_started
from virgate.cli.problems import Problem
from virgate.cli.screen import vnc
from virgate.cli.storage import finding
from virgate.cli.terminal import attach

CDROM = {"type": "disk", "device": "cdrom", "iface": "ide", "index": "2", "readonly": "true", "format": "raw"}
SCREEN = [{"type": "graphics", "device": "vnc", "specParams": {}}, {"type": "video", "device": "vga", "specParams": {}}]
_FILE = click.Path(dir_okay=False, resolve_path=True)  # of the daemon's host, which may be another than this
_wait = click.option("--wait/--no-wait", default=True, help="Wait until it runs or failed to; default: wait.")


@click.group()
def vm() -> None:
    """Virtual machines."""


vm.add_command(vnc)


@vm.command("list")
@click.pass_obj
def list_(client: Client) -> None:
    """Every machine, the external ones too: those that libvirt has and Virgate did not make."""
    found = machines(client)
    if not client.as_json:
        for one in found:
            one["why"] = one.get("exitMessage") or one.get("pauseCode") or ("external" if one.get("external") else "")
    columns = {"vmId": "id", "vmName": "name", "status": "status", "memSize": "MiB", "smp": "CPUs"}
    if any(one.get("why") for one in found):
        columns["why"] = "why"
    show.rows(client, found, columns, "No machines. `virgate vm create NAME` makes one.", spare=("smp", "memSize"))


@vm.command("show")
@click.argument("machine", type=Machine())
@click.pass_obj
def show_(client: Client, machine: str) -> None:
    """Everything the daemon knows of a machine."""
    show.fields(client, find(client, machine))


@vm.command()
@click.argument("machine", type=Machine(), required=False)
@click.pass_obj
def stats(client: Client, machine: str | None) -> None:
    """How a machine does: CPU, disks, networks, guest; without MACHINE a line for each."""
    if machine:
        show.fields(client, client.call("getVmStats", find(client, machine)["vmId"])["statsList"][0])
        return
    found = client.call("getAllVmStats")["statsList"]
    columns = {
        "vmId": "id",
        "vmName": "name",
        "status": "status",
        "cpuUser": "guest %",
        "cpuSys": "host %",
        "memUsage": "memory %",
        "elapsedTime": "seconds up",
    }
    show.rows(client, found, columns, "No machines.", spare=("memUsage",))


@vm.command()
@click.argument("name")
@click.option("--memory", default=512, show_default=True, metavar="MIB", help="Memory in MiB.")
@click.option("--cpus", default=1, show_default=True, help="Virtual CPUs.")
@click.option(
    "--disk", "disks", multiple=True, metavar="VOLUME", help="A volume by id or description; may be repeated."
)
@click.option("--cdrom", type=_FILE, help="An ISO file on the host; booted when no disk can be.")
@click.option(
    "--network", "networks", multiple=True, metavar="BRIDGE", help="A virtio NIC on a bridge; may be repeated."
)
@click.option("--kernel", type=_FILE, help="Boot this kernel, a file on the host, directly.")
@click.option("--initrd", type=_FILE, help="Its initial RAM disk.")
@click.option("--append", default="", help="Its command line.")
@click.option(
    "--custom", multiple=True, metavar="NAME=VALUE", help="A custom property for hook scripts; may be repeated."
)
@click.option("--vnc", is_flag=True, help="A screen: `virgate vm vnc NAME` shows it.")
@click.option("--paused", is_flag=True, help="Do not start the CPUs.")
@_wait
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
            *(_disk(client, disk, index) for index, disk in enumerate(disks)),
            *([CDROM | {"path": asked["cdrom"]}] if asked["cdrom"] else []),
            *({"type": "interface", "device": "bridge", "network": one, "nicModel": "pv"} for one in networks),
            {"type": "console", "device": "console", "specParams": {"consoleType": "serial"}},
            *(SCREEN if asked["vnc"] else []),
        ],
    }
    given = {"kernel": asked["kernel"], "initrd": asked["initrd"], "kernelArgs": asked["append"]}
    params |= {key: value for key, value in given.items() if value}
    if asked["cdrom"]:
        params["boot"] = "cd" if disks else "d"
    if asked["paused"]:
        params["launchPaused"] = "true"
    _start(client, params, asked["wait"])


@vm.command("start-from")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_wait
@click.pass_obj
def start_from(client: Client, file: Path, wait: bool) -> None:
    """Start a machine from FILE.

    FILE holds libvirt domain XML, a JSON object of `create` parameters, or lines of name=value as vdsClient reads them.
    """
    _start(client, description.read(file), wait)


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
@click.option("--wait/--no-wait", default=False, help="Wait until it is down; default: do not.")
@click.pass_obj
def shutdown(client: Client, /, machine: str, wait: bool, **asked: Any) -> None:
    """Ask the guest to shut down. It stays in the list as Down, with the reason; destroy forgets it."""
    found = find(client, machine)
    id, name, reboot = found["vmId"], found["vmName"], asked["reboot"]
    client.call("shutdown", id, str(asked["delay"]), asked["message"], reboot, str(asked["timeout"]), asked["force"])
    if wait and not reboot:
        ended = wait_until_down(client, id, name)
        why = {"exitReason": ended["exitReason"], "exitMessage": ended["exitMessage"]}
        show.said(client, f"{name} is down: {ended['exitMessage']}.", vmId=id, **why)
    else:
        show.said(client, f"{name} was asked to {'reboot' if reboot else 'shut down'}.", vmId=id)


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
    """Connect this terminal to a machine's serial console; Ctrl-] leaves it. Works on the machine's host, as root."""
    if not client.where.loopback:
        raise Problem(
            f"Consoles can be opened on their host only, and {client.where.host} is another.",
            f"There: `virgate vm console {machine}`.",
        )
    found = find(client, machine)
    attach(client.call("getVmConsole", found["vmId"])["console"], found["vmName"])


def _start(client: Client, params: dict[str, Any], wait: bool) -> None:
    name = params.get("vmName")
    if name and any(one.get("vmName") == name for one in machines(client)):
        raise Problem(
            f"There is a machine called {name} already.", f"`virgate vm destroy {name}` ends and forgets that one."
        )
    made = client.call("create", params)["vmList"]
    id, name = made["vmId"], made["vmName"]
    if wait:
        status = wait_until_started(client, id, name)
        show.said(client, f"{name} ({id}) is started: {status}.", vmId=id, status=status)
    else:
        message = f"{name} ({id}) is starting; `virgate vm list` shows how it does."
        show.said(client, message, vmId=id, status=made["status"])


def _do(client: Client, verb: str, machine: str, done: str) -> None:
    found = find(client, machine)
    client.call(verb, found["vmId"])
    show.said(client, f"{found.get('vmName', machine)} {done}.", vmId=found["vmId"])


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.BadParameter(f"{text}: expected NAME=VALUE", param_hint="--custom")
    return name, value


def _disk(client: Client, text: str, index: int) -> dict[str, str]:
    at = finding.disk(client, text)
    return {
        "type": "disk",
        "device": "disk",
        "iface": "virtio",
        "index": str(index),
        "format": at.info(client)["format"].lower(),
        "poolID": at.pool,
        "domainID": at.domain,
        "imageID": at.image,
        "volumeID": at.volume,
    }
