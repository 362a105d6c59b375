"""Prints answers: a table or a list of fields for people, JSON for programs.

Nothing important is ever cut. Where a table is wider than the terminal, ids are first shortened to eight digits
(commands take the beginning of an id), then columns that may be spared go, then the last column wraps. What is written
to a file or a pipe is as wide as it needs to be.
"""

import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from virgate.cli.client import Client

UUID = re.compile(r"\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
GAP = 2
NARROWEST_LAST = 12


def rows(
    client: Client,
    found: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
    empty: str,
    spare: Collection[str] = (),
) -> None:
    """One line per mapping; `columns` maps keys to headings, those of `spare` may be left out where there is no room.

    JSON prints the mappings whole.
    """
    if client.as_json:
        click.echo(json.dumps(list(found), indent=2, default=str))
    elif not found:
        click.echo(empty)
    else:
        lines = [{key: _short(row.get(key, "")) for key in columns} for row in found]
        _print(lines, dict(columns), width(), list(spare))


def fields(client: Client, found: Mapping[str, Any]) -> None:
    """One key per line, nested values indented under it."""
    if client.as_json:
        click.echo(json.dumps(found, indent=2, default=str))
    else:
        click.echo("\n".join(_lines(found, 0)) or "Done.")


def said(client: Client, message: str, **found: Any) -> None:
    """A sentence for people; for programs the values it speaks of."""
    click.echo(json.dumps(found, default=str) if client.as_json else message)


def width() -> int | None:
    """Columns of the terminal; None when there is none, so that nothing is fitted to it."""
    console = Console()
    return console.width if console.is_terminal or "COLUMNS" in os.environ else None


def _print(lines: list[dict[str, str]], columns: dict[str, str], room: int | None, spare: list[str]) -> None:
    if room and _natural(lines, columns) > room:
        lines = [{key: UUID.sub(r"\1", text) for key, text in line.items()} for line in lines]
    while room and spare and _natural(lines, columns) > room:
        columns.pop(spare.pop(0), None)
    table = Table(box=None, pad_edge=False, header_style="bold")
    last = list(columns)[-1]
    fits = not room or sum(_widths(lines, columns)[:-1]) + NARROWEST_LAST <= room
    for key, heading in columns.items():
        table.add_column(heading, no_wrap=fits and key != last, overflow="fold")
    for line in lines:
        table.add_row(*(Text(line[key]) for key in columns))
    console = Console(width=room or max(80, _natural(lines, columns)), highlight=False)
    with console.capture() as text:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in text.get().splitlines()))


def _natural(lines: list[dict[str, str]], columns: dict[str, str]) -> int:
    return sum(_widths(lines, columns)) - GAP


def _widths(lines: list[dict[str, str]], columns: dict[str, str]) -> list[int]:
    return [
        max(len(heading), *(len(part) for line in lines for part in line[key].splitlines() or [""])) + GAP
        for key, heading in columns.items()
    ]


def _lines(found: Mapping[str, Any], depth: int) -> Iterator[str]:
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
            yield f"{indent}{key}: {_short(value)}".rstrip()


def _short(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_short(one)}" for key, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, Iterable) and not isinstance(value, str) else str(value)


def size(text: str | int) -> str:
    """Bytes as people say them: 1073741824 -> 1 GiB."""
    count = float(text)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(count) < 1024 or unit == "TiB":
            break
        count /= 1024
    return f"{count:.4g} {unit}"
