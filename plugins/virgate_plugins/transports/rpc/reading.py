"""Reads a method call: expat without DTD, entities or external references, and without trust in sizes and depths.

Accepted beside the types of XML-RPC: `<nil/>`, `<i8>`, integers of any length that fits 64 bits, values without a type.
"""

import base64
import binascii
import math
from typing import Any, NoReturn
from xml.parsers import expat

from attrs import frozen

DEPTH = 64
_SCALARS = {"string", "int", "i4", "i8", "i1", "i2", "boolean", "double", "dateTime.iso8601", "base64", "nil"}
_CHILDREN = {
    "": {"methodCall"},
    "methodCall": {"methodName", "params"},
    "params": {"param"},
    "param": {"value"},
    "value": _SCALARS | {"struct", "array"},
    "struct": {"member"},
    "member": {"name", "value"},
    "array": {"data"},
    "data": {"value"},
}
_ORDER = {"methodCall": ("methodName", "params"), "member": ("name", "value")}
_SINGLE = {"", "param", "value", "array"}
_TEXT = _SCALARS | {"methodName", "name", "value"}


class Malformed(Exception):
    """The document is no method call; the message says why, in one line."""


@frozen
class Call:
    method: str
    arguments: list[Any]


def read_call(document: bytes) -> Call:
    """The call in a document; raises `Malformed`."""
    return _Reader().read(document)


class _Reader:
    """The stack holds one frame per open element: its name, its text pieces, and the values found in it."""

    def __init__(self) -> None:
        parser = expat.ParserCreate(namespace_separator=None)
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        self._parser = parser
        self._names = [""]
        self._found: list[list[Any]] = [[]]
        self._text: list[str] = []

    def read(self, document: bytes) -> Call:
        try:
            self._parser.Parse(document, True)
        except (expat.ExpatError, ValueError, LookupError) as error:
            raise Malformed(str(error)) from None
        call: Call = self._found[0][0]
        return call

    def _doctype(self, *_declared: object) -> NoReturn:
        raise Malformed("a document type is not allowed")

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        name = "nil" if name == "ex:nil" else "i8" if name == "ex:i8" else name
        parent = self._names[-1]
        if name not in _CHILDREN.get(parent, ()):
            raise Malformed(f"<{name}> is not allowed in <{parent or 'document'}>")
        before = len(self._found[-1])
        if (parent in _SINGLE and before) or (parent in _ORDER and _ORDER[parent][before : before + 1] != (name,)):
            raise Malformed(f"<{name}> is one too many in <{parent}>, or not in its place")
        if not (self._text == [] or "".join(self._text).isspace()):
            raise Malformed(f"text and elements are mixed in <{parent}>")
        if len(self._names) > 4 * DEPTH:
            raise Malformed("values are nested too deeply")
        self._names.append(name)
        self._found.append([])
        self._text.clear()

    def _characters(self, text: str) -> None:
        if self._names[-1] in _TEXT:
            self._text.append(text)
        elif not text.isspace():
            raise Malformed(f"text is not allowed in <{self._names[-1]}>")

    def _end(self, _name: str) -> None:
        name, found, text = self._names.pop(), self._found.pop(), "".join(self._text)
        self._text.clear()
        value = _scalar(name, text) if name in _SCALARS else _compound(name, found, text)
        self._found[-1].append(value)


def _compound(name: str, found: list[Any], text: str) -> Any:
    if name == "value":
        if found and text and not text.isspace():
            raise Malformed("text and elements are mixed in <value>")
        return found[0] if found else text
    if name == "name" or name == "methodName":
        return text
    if name == "struct":
        return dict(found)
    if name == "data" or name == "params":
        return found
    if name == "member":
        if len(found) != 2:
            raise Malformed("a <member> is a <name> and a <value>")
        return found[0], found[1]
    if name == "methodCall":
        if not found:
            raise Malformed("a <methodCall> is a <methodName> and <params>")
        return Call(found[0].strip(), found[1] if len(found) == 2 else [])
    if not found:
        raise Malformed(f"<{name}> is empty")
    return found[0]


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError
    return number


def _scalar(name: str, text: str) -> Any:
    if name == "string":
        return text
    if name == "nil":
        return None
    if name == "boolean":
        if text.strip() not in ("0", "1"):
            raise Malformed("a boolean is 0 or 1")
        return text.strip() == "1"
    try:
        if name == "double":
            return _finite(float(text))
        if name == "base64":
            return base64.b64decode("".join(text.split()), validate=True)
        if name == "dateTime.iso8601":
            return text.strip()
        if len(text) > 40:
            raise ValueError
        return int(text)
    except (ValueError, binascii.Error):
        raise Malformed(f"a value is no {name}") from None
