"""`virgate verbs`: every operation by its names, and whether this version does it."""

import click

import virgate.api.verbs  # noqa: F401  (declares them)
from virgate.api.verb import Verb
from virgate.api.verb import verbs as declared
from virgate.cli import show
from virgate.cli.client import Client


@click.command()
@click.option("--missing", is_flag=True, help="Only those that are not built yet.")
@click.argument("word", required=False)
@click.pass_obj
def verbs(client: Client, missing: bool, word: str | None) -> None:
    """List the verbs of the API, or those whose name holds WORD."""
    found = [
        {
            "xmlrpc": verb.xmlrpc,
            "name": verb.name,
            "parameters": " ".join(one.name if one.required else f"[{one.name}]" for one in verb.parameters),
            "state": "built" if verb.built else "not built",
            "summary": verb.summary,
        }
        for verb in known()
        if not (missing and verb.built) and (word or "").lower() in f"{verb.xmlrpc} {verb.name}".lower()
    ]
    columns = {
        "xmlrpc": "XML-RPC",
        "name": "name",
        "state": "state",
        "parameters": "parameters",
        "summary": "what it does",
    }
    show.rows(client, found, columns, "No verb has that name.", spare=("parameters", "name"))


def known() -> list[Verb]:
    """Every declared verb, in name order."""
    return list(declared().values())
