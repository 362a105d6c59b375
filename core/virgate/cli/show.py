"""Prints answers: a table or a list of fields for people, JSON for programs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from virgate.cli.client import Client


def rows(client: Client, found: Sequence[Mapping[str, Any]], columns: Mapping[str, str], empty: str) -> None:
    """One line per mapping; `columns` maps keys to headings. JSON prints the mappings whole."""
    if client.as_json:
        click.echo(json.dumps(list(found), indent=2, default=str))
        return
    if not found:
        click.echo(empty)
        return
    table = Table(*columns.values(), box=None, pad_edge=False, header_style="bold")
    for row in found:
        table.add_row(*(escape(_short(row.get(key, ""))) for key in columns))
    Console().print(table)


def fields(client: Client, found: Mapping[str, Any]) -> None:
    """One key per line, nested values indented under it."""
    if client.as_json:
        click.echo(json.dumps(found, indent=2, default=str))
    else:
        click.echo("\n".join(_lines(found, 0)))


def said(client: Client, message: str, **found: Any) -> None:
    """A sentence for people; for programs the values it speaks of."""
    click.echo(json.dumps(found, default=str) if client.as_json else message)


def _lines(found: Mapping[str, Any], depth: int) -> Iterable[str]:
    for key in sorted(found):
        value, indent = found[key], "  " * depth
        if isinstance(value, Mapping) and value:
            yield f"{indent}{key}:"
            yield from _lines(value, depth + 1)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for number, item in enumerate(value):
                yield f"{indent}{key}[{number}]:"
                yield from _lines(item, depth + 1)
        else:
            yield f"{indent}{key}: {_short(value)}"


def _short(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def size(text: str | int) -> str:
    """Bytes as people say them: 1073741824 -> 1 GiB."""
    count = float(text)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if count < 1024 or unit == "TiB":
            return f"{count:.4g} {unit}"
        count /= 1024
    return str(text)
