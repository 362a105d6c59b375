"""Writes replies: fast, because one reply may hold a hundred thousand values.

What old clients cannot read is refused rather than sent: None, integers beyond 32 bits, anything without an XML-RPC
type (spec xmlrpc-host-vm 1.5). Characters that XML forbids become U+FFFD.
"""

import base64
import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

PROLOG = "<?xml version='1.0'?>\n"
_ILLEGAL = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff"
_SPECIAL = re.compile(f"[&<>\r{_ILLEGAL}]")
_FORBIDDEN = re.compile(f"[{_ILLEGAL}]")

LONG_NAME = 64
"""Longer names of members are some client's own: a cache of them would be as large as that client likes."""

Append = Callable[[str], None]


class Unmarshallable(Exception):
    """A value has no XML-RPC form that every client reads."""


def reply(value: Any) -> bytes:
    """A method response; raises `Unmarshallable`."""
    pieces = [PROLOG, "<methodResponse>\n<params>\n<param>\n"]
    try:
        _write(value, pieces.append)
    except RecursionError:
        raise Unmarshallable("the value is nested too deeply") from None
    pieces.append("</param>\n</params>\n</methodResponse>\n")
    return "".join(pieces).encode()


def fault(code: int, text: str) -> bytes:
    """A fault response."""
    pieces = [PROLOG, "<methodResponse>\n<fault>\n"]
    _write({"faultCode": code, "faultString": text}, pieces.append)
    pieces.append("</fault>\n</methodResponse>\n")
    return "".join(pieces).encode()


def _escaped(text: str) -> str:
    text = _FORBIDDEN.sub("\ufffd", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def _string(value: str, append: Append) -> None:
    if not value.isalnum() and _SPECIAL.search(value):
        value = _escaped(value)
    append(f"<value><string>{value}</string></value>\n")


def _int(value: int, append: Append) -> None:
    if not -0x80000000 <= value <= 0x7FFFFFFF:
        raise Unmarshallable(f"the integer {value} has more than 32 bits")
    append(f"<value><int>{value}</int></value>\n")


def _bool(value: bool, append: Append) -> None:
    append("<value><boolean>1</boolean></value>\n" if value else "<value><boolean>0</boolean></value>\n")


def _float(value: float, append: Append) -> None:
    if not math.isfinite(value):
        raise Unmarshallable(f"the number {value} is not finite")
    append(f"<value><double>{value!r}</double></value>\n")


def _bytes(value: bytes, append: Append) -> None:
    append(f"<value><base64>{base64.b64encode(value).decode('ascii')}</base64></value>\n")


def _name(key: str) -> str:
    return f"<member>\n<name>{_escaped(key)}</name>\n"


_known_name = lru_cache(maxsize=4096)(_name)


def _struct(value: Mapping[Any, Any], append: Append) -> None:
    append("<value><struct>\n")
    for key, member in value.items():
        if not isinstance(key, str):
            raise Unmarshallable(f"the member name {key!r} is no string")
        append(_known_name(key) if len(key) < LONG_NAME else _name(key))
        _write(member, append)
        append("</member>\n")
    append("</struct></value>\n")


def _array(value: list[Any] | tuple[Any, ...], append: Append) -> None:
    append("<value><array><data>\n")
    for item in value:
        _write(item, append)
    append("</data></array></value>\n")


_WRITERS: dict[type, Callable[[Any, Append], None]] = {
    str: _string,
    int: _int,
    bool: _bool,
    float: _float,
    bytes: _bytes,
    dict: _struct,
    list: _array,
    tuple: _array,
}


def _write(value: Any, append: Append) -> None:
    writer = _WRITERS.get(type(value)) or _inherited(value)
    writer(value, append)


def _inherited(value: Any) -> Callable[[Any, Append], None]:
    if isinstance(value, Mapping):
        return _struct
    for kind in type(value).__mro__:
        if kind in _WRITERS:
            return _WRITERS[kind]
    raise Unmarshallable(f"{type(value).__name__} has no XML-RPC type")
