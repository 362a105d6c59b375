"""`virgate storage device`: disks that this host sees and a domain could be made of."""

import click

from virgate.cli import show
from virgate.cli.client import Client


@click.group()
def device() -> None:
    """Disks of storage networks that this host sees."""


@device.command("list")
@click.option("--free", is_flag=True, help="Only those that nothing is on.")
@click.pass_obj
def list_(client: Client, free: bool) -> None:
    """Every disk, after a new look for disks."""
    found = [one for one in client.call("getDeviceList", 0)["devList"] if not free or one["status"] == "free"]
    if not client.as_json:
        for one in found:
            active = sum(path["state"] == "active" for path in one["pathstatus"])
            one |= {"capacity": show.size(one["capacity"]), "paths": f"{active} of {len(one['pathstatus'])}"}
    columns = {
        "GUID": "id",
        "capacity": "size",
        "status": "status",
        "devtype": "type",
        "paths": "paths",
        "vendorID": "vendor",
        "productID": "product",
        "vgUUID": "volume group",
    }
    empty = "No disk is seen; `virgate storage server connect --type iscsi` makes some visible."
    show.rows(client, found, columns, empty, spare=("vendorID", "productID", "vgUUID"))
