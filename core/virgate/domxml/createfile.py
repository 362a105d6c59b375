"""Files of `name=value` lines that describe a machine for the old command line (spec xmlrpc-host-vm 6)."""

import re
from collections.abc import Iterable
from typing import Any

from virgate.domxml.errors import CannotCreate
from virgate.domxml.values import flag

LISTS = {"devices": "devices", "drive": "drives", "guestNumaNodes": "guestNumaNodes"}
"""Names that may come again, and the list their values go to."""
NESTED = ("cpuPinning", "numaTune")
MEDIA = ("cdrom", "floppy")
EXTRA_DISKS = ("hdb", "hdc", "hdd")
IDS = ("pool", "domain", "image", "volume")
_PIECE = re.compile(r"[{},]|[^{},]+")


def spec(text: str) -> Any:
    """`{k:v,k:{k:v}}` or `k:v,k:v` as a struct, any other text as itself; `pool` ... `volume` get the ending `ID`."""
    text = text.strip()
    if text.startswith("{"):
        pieces = iter(_PIECE.findall(text)[1:])
        found = _struct(pieces, text)
        if next(pieces, None) is not None:
            raise CannotCreate(f"Text after the end of {text}")
        return found
    if ":" not in text or text.startswith("/"):
        return text
    found = {}
    for part in text.split(","):
        name, colon, value = part.partition(":")
        if not colon:
            raise CannotCreate(f"Neither name nor value: {part!r} in {text}")
        found[f"{name}ID" if name in IDS else name] = value
    return found


def _struct(pieces: Iterable[str], text: str) -> dict[str, Any]:
    """What comes after an opening brace, up to the one that closes it."""
    found: dict[str, Any] = {}
    name = ""
    for piece in pieces:
        if piece == "{" and name:
            found[name] = _struct(pieces, text)
            name = ""
        elif piece == "}":
            return found
        elif piece == ",":
            name = ""
        else:
            name, colon, value = piece.strip().partition(":")
            if not colon:
                raise CannotCreate(f"Neither name nor value: {piece!r} in {text}")
            if value:
                found[name] = value
                name = ""
            else:
                found[name] = ""
    raise CannotCreate(f"A brace is not closed in {text}")


def read(lines: Iterable[str]) -> dict[str, Any]:
    """The parameters of `create` in these lines; later lines win, comments and blank lines say nothing."""
    params: dict[str, Any] = {}
    for line in lines:
        text = line.split("#", 1)[0].strip()
        if text:
            name, _, value = text.partition("=")
            _take(params, name.strip(), value.strip())
    return params


def _take(params: dict[str, Any], name: str, value: str) -> None:
    if name in LISTS:
        params.setdefault(LISTS[name], []).append(spec(value))
    elif name in NESTED or name in MEDIA:
        params[name] = spec(value)
    elif name.startswith("custom_"):
        params.setdefault("custom", {})[name.removeprefix("custom_")] = value
    elif name == "vt":
        params["kvmEnable"] = flag(value)
    elif name == "imageFile":
        params["hda"] = value
    elif name == "moreImages":
        params.update(zip(EXTRA_DISKS, value.split(","), strict=False))
    else:
        params[name] = value
