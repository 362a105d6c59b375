"""What hook points hand over: the machine it is about, and a document that implementations may change.

A document is seen as text by scripts and as a value by plugins. Whoever wrote last wins, and text that a script left
is passed on to the letter (spec hooks 2.6).
"""

import json
from typing import Any

from attrs import define, field, frozen
from lxml import etree

_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


@frozen
class Subject:
    """The virtual machine a point fires for: its id and its custom properties (names verbatim)."""

    id: str
    custom: dict[str, str] = field(factory=dict)


@define
class XmlDocument:
    """XML of a domain or of one device. Read or set `text`, or edit `tree` in place."""

    _text: str
    custom: dict[str, str] = field(factory=dict, kw_only=True)
    """Custom properties of the device (empty for a whole domain)."""
    _tree: Any = field(default=None, init=False)

    @property
    def text(self) -> str:
        if self._tree is not None:
            self._text = etree.tostring(self._tree.getroottree(), encoding="unicode")
        return self._text

    @text.setter
    def text(self, text: str) -> None:
        self._text, self._tree = text, None

    @property
    def tree(self) -> Any:
        """The root element (lxml), parsed without entities, network or DTD; `etree.XMLSyntaxError` if malformed."""
        if self._tree is None:
            self._tree = etree.fromstring(self._text.encode(), _PARSER)
        return self._tree


@define
class JsonDocument:
    """A JSON value: mappings, lists, strings, numbers. Change it in place or replace `value`."""

    value: Any

    @property
    def text(self) -> str:
        return json.dumps(self.value)

    @text.setter
    def text(self, text: str) -> None:
        self.value = json.loads(text)
