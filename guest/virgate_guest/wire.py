"""Lines on the channel: one JSON object each, its name in the member `__name__` (spec guest-agent 1.3, 1.4)."""

import json
import re

COMMAND_LIMIT = 64 * 1024
"""Bytes of one command; the longest that a host has to say is a login or an echo."""

NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


PERHAPS = re.compile(r"\\[ubf]|\x7f")
"""What a line of JSON has when there may be such a character in it; few have, and cleaning costs more than the rest."""


class Malformed(ValueError):
    """A line that is no command. It is left out; the next one counts again."""


def clean(value: object) -> object:
    """The value with every character that XML cannot carry replaced, in keys too."""
    if isinstance(value, str):
        return NOT_IN_XML.sub("\ufffd", value)
    if isinstance(value, dict):
        return {clean(key): clean(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(one) for one in value]
    return value


def encode(name: str, arguments: "dict[str, object]") -> bytes:
    """One message as it travels. Raises ValueError for what JSON has no word for (endless numbers)."""
    said = dict(arguments)
    said["__name__"] = name
    line = json.dumps(said, allow_nan=False)
    if PERHAPS.search(line) is not None:
        line = json.dumps(clean(said), allow_nan=False)
    return line.encode("ascii") + b"\n"


def decode(line: bytes) -> "tuple[str, dict[str, object]]":
    """Name and arguments of one command. Raises Malformed."""
    try:
        said = json.loads(line.decode("utf-8", "replace"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise Malformed("no JSON") from None
    if not isinstance(said, dict):
        raise Malformed("no object")
    name = said.pop("__name__", None)
    if not isinstance(name, str):
        raise Malformed("no name")
    return name, said


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def text(content: bytes) -> str:
    """What files of the system say, whatever the locale is."""
    return content.decode("utf-8", "replace")


class Lines:
    """Cuts what arrives into lines. A line beyond the limit is dropped up to its end."""

    def __init__(self, limit: int = COMMAND_LIMIT) -> None:
        self._limit = limit
        self._begun = b""
        self._dropping = False

    def feed(self, data: bytes) -> "list[bytes]":
        """The lines that are complete now, without their ends."""
        *ended, begun = (self._begun + data).split(b"\n")
        if self._dropping and ended:
            del ended[0]
            self._dropping = False
        if self._dropping or len(begun) > self._limit:
            self._dropping = True
            begun = b""
        self._begun = begun
        return [line for line in ended if line.strip() and len(line) <= self._limit]

    def forget(self) -> None:
        """What another host had begun to say is over."""
        self._begun, self._dropping = b"", False
