"""One line is one message: a JSON object with its name under `__name__` (spec guest-agent 1.3, 1.4). Pure."""

import json
import math
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from virgate.domxml.tree import clean
from virgate.node.guest.errors import BadMessage

NAME = "__name__"
LONGEST_TEXT = 4096
"""Characters of a name, a version, a path: more is no name."""
MOST = 10_000
"""Entries of a list that are kept."""
DEPTH = 4
INT32 = 1 << 31


@frozen
class Message:
    name: str
    arguments: Mapping[str, Any]


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


_decoder = json.JSONDecoder(parse_constant=_no_number)


def parse(line: bytes) -> Message:
    """The message in a line, with every character that XML cannot carry replaced. Raises `BadMessage`."""
    try:
        found = _decoder.decode(line.decode("utf-8", "replace"))
        if not isinstance(found, dict) or not isinstance(found.get(NAME), str):
            raise BadMessage("no object with a name")
        if not _plain(line):
            found = filtered(found)
    except (ValueError, RecursionError) as problem:
        raise BadMessage(type(problem).__name__) from None
    name = found.pop(NAME)
    return Message(name[:LONGEST_TEXT], found)


def encode(name: str, arguments: Mapping[str, Any]) -> bytes:
    """The line of a message, all ASCII."""
    return json.dumps({**arguments, NAME: name}).encode() + b"\n"


def _plain(line: bytes) -> bool:
    """Whether there can be nothing to filter: ASCII without escapes (raw control characters are no JSON)."""
    return line.isascii() and b"\\" not in line and b"\x7f" not in line


def filtered(value: Any) -> Any:
    """The value with every text in it cleaned, names of members too."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [filtered(one) for one in value]
    if isinstance(value, dict):
        return {clean(name): filtered(one) for name, one in value.items()}
    return value


# Believing a member only in its type. All raise BadMessage.


def text(arguments: Mapping[str, Any], name: str) -> str:
    found = arguments.get(name)
    if not isinstance(found, str) or len(found) > LONGEST_TEXT:
        raise BadMessage(f"{name} is no text")
    return found


def integer(arguments: Mapping[str, Any], name: str) -> int:
    """A number, also as decimal text."""
    found = arguments.get(name)
    try:
        if isinstance(found, bool) or not isinstance(found, int | str):
            raise ValueError
        return int(found)
    except ValueError:
        raise BadMessage(f"{name} is no integer") from None


def items(arguments: Mapping[str, Any], name: str) -> list[Any]:
    found = arguments.get(name)
    if not isinstance(found, list):
        raise BadMessage(f"{name} is no list")
    return found[:MOST]


def texts(arguments: Mapping[str, Any], name: str) -> list[str]:
    """A list of texts; what is none in it is left out. A missing list is empty."""
    found = arguments.get(name)
    return [one for one in items(arguments, name) if isinstance(one, str)] if found is not None else []


def wire(value: Any, depth: int = DEPTH) -> Any:
    """Anything as every transport can carry it: no null, no wide integer, no endless number, nothing deep."""
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -INT32 <= value < INT32 else str(value)[:LONGEST_TEXT]
    if isinstance(value, float):
        return value if math.isfinite(value) else ""
    if isinstance(value, list) and depth:
        return [wire(one, depth - 1) for one in value[:MOST] if one is not None]
    if isinstance(value, dict) and depth:
        return {name[:LONGEST_TEXT]: wire(one, depth - 1) for name, one in value.items() if one is not None}
    return ""
