"""`virgate pki`: certificates for hosts and clients that have no authority of their own."""

import json
from pathlib import Path

import click

from virgate.config import places
from virgate.errors import VirgateError


def _default_folder() -> str:
    return str(places.state() / "pki")


_folder = click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=_default_folder,
    envvar="VIRGATE_PKI",
    help="Where certificates and keys lie; by default pki in the state folder.",
)


def _say(message: str, **found: object) -> None:
    """The sentence for people, the values for programs."""
    click.echo(json.dumps(found) if _asked_for_json() else message)


def _asked_for_json() -> bool:
    client = click.get_current_context().find_root().obj
    return bool(getattr(client, "as_json", False))


_force = click.option("--force", is_flag=True, help="Replace what exists; certificates signed before become useless.")


@click.group()
def pki() -> None:
    """Make and show the certificates that guard the management port."""


@pki.command()
@_folder
@_force
@click.option(
    "--name", "names", multiple=True, metavar="NAME", help="Another name or address of this host (repeatable)."
)
def init(folder: Path, force: bool, names: tuple[str, ...]) -> None:
    """Make an authority, the host's certificate and one for clients on this machine."""
    from virgate import pki as authority

    try:
        pairs = authority.initialise(folder, names, force=force)
    except VirgateError as problem:
        raise click.ClickException(str(problem)) from None
    files = [str(path) for pair in pairs for path in (pair.certificate, pair.key)]
    use = "The daemon uses them with `[xmlrpc] tls = true`, or on any address but loopback."
    _say("\n".join([*files, use]), files=files)


@pki.command("issue-client")
@_folder
@_force
@click.argument("name")
def issue_client(folder: Path, force: bool, name: str) -> None:
    """Make a certificate with which NAME may call this host."""
    from virgate import pki as authority

    try:
        pair = authority.issue_client(folder, name, force=force)
    except VirgateError as problem:
        raise click.ClickException(str(problem)) from None
    made = pair.certificate.parent
    _say(f"{made}: on {name}'s machine, give it as --pki or in VIRGATE_PKI.", folder=str(made))


@pki.command()
@_folder
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(folder: Path, as_json: bool) -> None:
    """Show every certificate below the folder."""
    from virgate import pki as authority

    found = authority.describe(folder)
    if as_json or _asked_for_json():
        rows = [
            {
                "path": str(each.path),
                "subject": each.subject,
                "issuer": each.issuer,
                "names": list(each.names),
                "until": each.until.isoformat(),
                "sha256": each.fingerprint,
            }
            for each in found
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    if not found:
        raise click.ClickException(f"There are no certificates in {folder}; `virgate pki init` makes some")
    for each in found:
        click.echo(f"{each.path}\n  subject {each.subject}\n  issuer  {each.issuer}")
        click.echo(
            f"  names   {', '.join(each.names) or '-'}\n  until   {each.until:%Y-%m-%d}\n  sha256  {each.fingerprint}"
        )
