"""The command `virgate` and how its groups are found."""

import importlib
from pathlib import Path

import click

import virgate
from virgate.cli.client import Client

GROUPS = {
    "completion": "Print the completion script of a shell.",
    "hooks": "Drop-in scripts: which are installed, and trying one out.",
    "host": "The host the daemon runs on.",
    "pki": "Keys and certificates for encrypted connections.",
    "plugins": "What is plugged into the daemon.",
    "storage": "Servers, domains, pools and volumes.",
    "task": "Long jobs.",
    "verbs": "Every operation the API names.",
    "vm": "Virtual machines.",
}


class Groups(click.Group):
    """Imports `virgate.cli.NAME` for the command NAME."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(GROUPS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in GROUPS:
            return None
        found: click.Command = getattr(importlib.import_module(f"virgate.cli.{cmd_name}"), cmd_name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(GROUPS.items()))


@click.command(cls=Groups, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--server", envvar="VIRGATE_SERVER", metavar="HOST[:PORT]", help="The daemon; default: the local one.")
@click.option("--tls/--no-tls", default=None, help="Encrypt; default: for every server but loopback.")
@click.option(
    "--pki", type=click.Path(path_type=Path), envvar="VIRGATE_PKI", help="Folder with ca.pem, client.pem, client.key."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs instead of tables.")
@click.version_option(virgate.__version__)
@click.pass_context
def main(ctx: click.Context, server: str | None, tls: bool | None, pki: Path | None, as_json: bool) -> None:
    """Runs virtual machines on one host or many."""
    ctx.obj = Client(server, tls, pki, as_json)
