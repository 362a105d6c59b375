"""The command `virgate`: how its groups are found, and how it ends."""

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

import virgate
from virgate.cli.client import Client
from virgate.cli.problems import STOPPED, tell

GROUPS = {
    "call": "Call any operation of the API.",
    "completion": "Print the completion script of a shell.",
    "events": "Watch what happens on the host.",
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
        _take_json_anywhere(found)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(GROUPS.items()))

    def main(self, args: Sequence[str] | None = None, *more: Any, standalone_mode: bool = True, **others: Any) -> Any:
        """As click's, but that a problem is JSON for those who asked for JSON."""
        run: Callable[..., Any] = super().main
        if "_VIRGATE_COMPLETE" in os.environ:
            importlib.import_module("virgate.cli.completion")  # it knows how to read the shell's line
        if not standalone_mode:
            return run(args, *more, standalone_mode=False, **others)
        words = list(sys.argv[1:] if args is None else args)
        try:
            ended = run(words, *more, standalone_mode=False, **others)
        except click.ClickException as problem:
            tell(problem, _wants_json(problem, words))
            sys.exit(problem.exit_code)
        except click.Abort:
            click.echo("Stopped.", err=True)
            sys.exit(STOPPED)
        sys.exit(ended if isinstance(ended, int) else 0)


def _wants_json(problem: click.ClickException, words: list[str]) -> bool:
    """The context knows, if parsing came so far; `hooks try --json FILE` means something else."""
    found = getattr(problem, "ctx", None) or click.get_current_context(silent=True)
    client = found.find_root().obj if found else None
    return bool(getattr(client, "as_json", False)) or ("--json" in words and words[:1] != ["hooks"])


def _take_json_anywhere(command: click.Command) -> None:
    """`virgate vm list --json` is what people type; commands with a `--json` of their own keep it."""
    if isinstance(command, click.Group):
        for one in command.commands.values():
            _take_json_anywhere(one)
    if not any("--json" in one.opts for one in command.params):
        command.params.append(
            click.Option(
                ["--json", "wants_json"],
                is_flag=True,
                expose_value=False,
                is_eager=True,
                callback=_set_json,
                help="Print JSON for programs.",
            )
        )


def _set_json(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    client = ctx.find_root().obj
    if value and client is not None:
        client.as_json = True


@click.command(cls=Groups, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--server", envvar="VIRGATE_SERVER", metavar="HOST[:PORT]", help="The daemon; default: the local one.")
@click.option("--tls/--no-tls", default=None, help="Encrypt; default: for every server but loopback.")
@click.option(
    "--pki", type=click.Path(path_type=Path), envvar="VIRGATE_PKI", help="Folder with ca.pem, client.pem, client.key."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs, errors too.")
@click.version_option(virgate.__version__)
@click.pass_context
def main(ctx: click.Context, server: str | None, tls: bool | None, pki: Path | None, as_json: bool) -> None:
    """Runs virtual machines on one host or many."""
    ctx.obj = Client(server, tls, pki, as_json)
