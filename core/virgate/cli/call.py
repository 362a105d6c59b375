"""`virgate call`: any verb, for what has no command of its own."""

import json
from typing import Any

import click
from click.shell_completion import CompletionItem

from virgate.cli import show
from virgate.cli.client import Client


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from virgate.cli.verbs import known

    names = {verb.xmlrpc: verb.summary for verb in known() if verb.built}
    return [CompletionItem(name, help=names[name]) for name in sorted(names) if name.startswith(incomplete)]


@click.command()
@click.argument("verb", shell_complete=_complete)
@click.argument("arguments", nargs=-1)
@click.pass_obj
def call(client: Client, verb: str, arguments: tuple[str, ...]) -> None:
    """Call VERB with ARGUMENTS, each of them JSON or else a string. `virgate verbs` lists what there is.

    virgate call getVmStats 7b51c643-1cac-4d5f-98bd-30d6d88c530e
    """
    show.fields(client, client.call(verb, *map(_value, arguments)))


def _value(text: str) -> Any:
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return text
    too_large = isinstance(found, int) and abs(found) >= 1 << 31  # the wire has 32 bits; verbs take digits as text
    return text if too_large else found
