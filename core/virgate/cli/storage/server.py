"""`virgate storage server`: where storage comes from."""

from pathlib import Path
from typing import Any

import click
from attrs import frozen

from virgate.cli import show
from virgate.cli.client import Client
from virgate.cli.problems import Problem
from virgate.cli.storage.finding import BLANK

LOCALFS, NFS, FCP, ISCSI, POSIXFS, GLUSTERFS = 4, 1, 2, 3, 6, 7
NUMBERS = {"localfs": LOCALFS, "nfs": NFS, "fcp": FCP, "iscsi": ISCSI, "posixfs": POSIXFS, "glusterfs": GLUSTERFS}
BLOCK = (FCP, ISCSI)
ISCSI_PORT = "3260"
REASONS = {
    469: "Give a place that the daemon's user and the guests' user may read and write.",
    476: "The target refused the user or the password: --user, --password-file.",
    477: "It could not be mounted; the daemon's log has the words of `mount`.",
}


@frozen
class Connection:
    """A place of storage as `connectStorageServer` is told of it."""

    number: int
    keys: dict[str, str]


@click.group()
def server() -> None:
    """Where storage comes from: folders, NFS, any file system, iSCSI targets, SCSI disks."""


_remote = click.argument("remote")
_type = click.option(
    "--type",
    "kind",
    default="",
    help="localfs, nfs, posixfs, glusterfs, iscsi, fcp or a plugin's. Default: nfs for HOST:/PATH, else localfs.",
)
_iqn = click.option("--iqn", default="", help="iSCSI: the target's name.")


@server.command()
@_remote
@_type
@click.option("--nfs-version", default="auto", show_default=True, help="NFS: 3, 4, 4.1, 4.2 or auto.")
@click.option("--timeout", default="", help="NFS: tenths of a second until a request is sent again.")
@click.option("--retrans", default="", help="NFS: how often it is sent again.")
@click.option("--mount-options", default="", help="More options of `mount`.")
@click.option("--file-system", default="", help="posixfs: what `mount -t` gets.")
@_iqn
@click.option("--user", default="", help="iSCSI: the CHAP user.")
@click.option("--password-file", type=click.File(), help="iSCSI: a file with the CHAP password; - is standard input.")
@click.pass_obj
def connect(client: Client, /, remote: str, kind: str, **asked: Any) -> None:
    """Make a place of storage known to the repository. Repeat it after the daemon was restarted.

    \b
    virgate storage server connect /srv/domain
    virgate storage server connect nas.example:/export/data
    virgate storage server connect 10.1.1.5 --type iscsi --iqn iqn.2015-01.example:disks
    virgate storage server connect /dev/sdb1 --type posixfs --file-system xfs
    """
    wanted = _connection(remote, kind, asked)
    _ask(client, "connectStorageServer", remote, wanted)
    if wanted.number in BLOCK:
        way_on = "`virgate storage device list` shows its disks."
    else:
        way_on = (
            f"An empty one: `virgate storage domain create NAME {remote}`; "
            "one with a domain: `virgate storage domain list`."
        )
    show.said(client, f"{remote} is connected. {way_on}", folder=remote, remote=remote)


@server.command()
@_remote
@_type
@_iqn
@click.pass_obj
def disconnect(client: Client, remote: str, kind: str, iqn: str) -> None:
    """Take a place of storage out of the repository; its content stays."""
    wanted = _connection(remote, kind, {"iqn": iqn})
    _ask(client, "disconnectStorageServer", remote, wanted)
    show.said(client, f"{remote} is disconnected.", folder=remote, remote=remote)


@server.command("list")
@click.pass_obj
def list_(client: Client) -> None:
    """The places that are kept connected over restarts, and whether they are."""
    kept = client.call("storageServer_ConnectionRefs_statuses")["connectionslist"]
    found = [
        {"id": id, **one["connectionInfo"], "connected": one["connected"], "problem": one["lastError"][1]}
        for id, one in sorted(kept.items())
    ]
    columns = {"id": "id", "type": "type", "params": "place", "connected": "connected", "problem": "last problem"}
    show.rows(client, found, columns, "No connection is kept over restarts.")


@server.command()
@click.argument("portal")
@click.option("--user", default="", help="The CHAP user of discovery.")
@click.option("--password-file", type=click.File(), help="A file with the CHAP password; - is standard input.")
@click.pass_obj
def discover(client: Client, portal: str, user: str, password_file: Any) -> None:
    """The iSCSI targets that a PORTAL (host or host:port) offers."""
    host, port = _portal(portal)
    asked = {"id": "1", "connection": host, "port": port, "iqn": "", "user": user, "password": _secret(password_file)}
    found = []
    for line in client.call("discoverSendTargets", asked)["fullTargets"]:
        address, _, iqn = line.partition(" ")
        place, _, group = address.rpartition(",")
        found.append({"iqn": iqn, "portal": place, "tpgt": group})
    show.rows(client, found, {"iqn": "target", "portal": "portal", "tpgt": "group"}, f"{portal} offers no target.")


def type_number(kind: str, remote: str) -> int | str:
    """The number of a type, or the name as it is for one that a plugin brings."""
    return NUMBERS.get(kind or ("nfs" if ":/" in remote else "localfs"), kind)


def whole(remote: str, number: int | str) -> str:
    """A folder of this host as an absolute path."""
    return str(Path(remote).resolve()) if number == LOCALFS else remote


def _connection(remote: str, kind: str, asked: dict[str, Any]) -> Connection:
    number = type_number(kind, remote)
    keys = {"id": "1", "connection": whole(remote, number)}
    if number == NFS:
        keys["protocol_version"] = asked.get("nfs_version") or "auto"
        keys |= {name: asked[name] for name in ("timeout", "retrans") if asked.get(name)}
    if number == ISCSI:
        host, port = _portal(remote)
        if not asked.get("iqn"):
            raise click.UsageError("an iSCSI target has a name: --iqn; `virgate storage server discover` shows it")
        keys |= {"connection": host, "port": port, "iqn": asked["iqn"], "user": asked.get("user") or ""}
        keys["password"] = _secret(asked.get("password_file"))
    keys["mnt_options"] = asked.get("mount_options") or ""
    keys["vfs_type"] = asked.get("file_system") or ("glusterfs" if number == GLUSTERFS else "")
    return Connection(number, keys)  # type: ignore[arg-type]


def _portal(text: str) -> tuple[str, str]:
    host, colon, port = text.rpartition(":")
    return (
        (host, port) if colon and port.isdecimal() and (":" not in host or host.endswith("]")) else (text, ISCSI_PORT)
    )


def _secret(file: Any) -> str:
    return file.read().rstrip("\n") if file else ""


def _ask(client: Client, verb: str, remote: str, wanted: Connection) -> None:
    (answer,) = client.call(verb, wanted.number, BLANK, [wanted.keys])["statuslist"]
    if code := answer["status"]:
        hint = REASONS.get(code, "The daemon's log says more.")
        raise Problem(f"{remote} cannot be used (code {code})", hint, verb=verb, code=code)
