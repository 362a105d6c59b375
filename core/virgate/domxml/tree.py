"""Elements: parsing what strangers wrote, building what cannot be misread, writing both.

Building goes through `element`, which escapes; no text is ever pasted into markup.
"""

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, TypeAlias

from lxml import etree

from virgate.domxml.errors import UnsafeXml

Element: TypeAlias = etree._Element

_XINCLUDE = "{http://www.w3.org/2001/XInclude}"
# Characters that XML 1.0 cannot carry, and the ones it discourages (spec xmlrpc-host-vm 1.5).
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*", re.ASCII)


def clean(text: str) -> str:
    """The text with every character that XML cannot carry replaced by U+FFFD."""
    return _ILLEGAL.sub("\ufffd", text)


def is_name(text: str) -> bool:
    """Whether the text can name an element or attribute as it stands."""
    return _NAME.fullmatch(text) is not None


def element(tag: str, *children: Element | None, text: object = None, **attributes: object) -> Element:
    """An element; attributes and children that are None are left out, all else is written as text."""
    return build(tag, attributes, *children, text=text)


def build(tag: str, attributes: Mapping[str, object], *children: Element | None, text: object = None) -> Element:
    """As `element`, for attributes whose names come from elsewhere. Names must satisfy `is_name`."""
    made = etree.Element(tag)
    for name, value in attributes.items():
        if value is not None:
            made.set(name, clean(str(value)))
    if text is not None:
        made.text = clean(str(text))
    made.extend([child for child in children if child is not None])
    return made


def parse(text: str) -> Element:
    """The root element of XML that a stranger wrote; `UnsafeXml` for document types, entities, inclusions, nonsense.

    Comments and processing instructions are dropped, so a document built from it says what its elements say.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UnsafeXml("a document type or an entity is declared")
    # A parser remembers ids and errors of its documents, so each document gets its own.
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(text.encode("utf-8"), parser)
    except (etree.XMLSyntaxError, ValueError) as problem:
        raise UnsafeXml(f"not well-formed: {problem}") from None
    for found in root.iter():
        if not isinstance(found.tag, str) or found.tag.startswith(_XINCLUDE):
            raise UnsafeXml("an entity or an inclusion is referenced")
    return root


def copy(found: Element) -> Element:
    """A deep copy that stands alone, without what followed and without namespaces that it does not use."""
    twin = deepcopy(found)
    twin.tail = None
    etree.cleanup_namespaces(twin)
    return twin


def one_line(found: Element) -> str:
    """The element's text without declaration, as scripts of the old form get it."""
    return str(etree.tostring(copy(found), encoding="unicode"))


def pretty(found: Element) -> str:
    """The element's text with declaration and four spaces per level, as scripts of the document form get it."""
    shown = copy(found)
    etree.indent(shown, space="    ")
    return "<?xml version='1.0' encoding='utf-8'?>\n" + str(etree.tostring(shown, encoding="unicode")) + "\n"


def children(found: Element | None) -> list[Element]:
    """The elements right below, without comments."""
    return [] if found is None else list(found.iterchildren(etree.Element))


def attribute(found: Element, path: str, name: str) -> str:
    """An attribute of a child; empty when child or attribute is missing."""
    child = found.find(path)
    return "" if child is None else str(child.get(name, ""))


def attributes(found: Element | None) -> dict[str, str]:
    """The attributes of an element as plain text; none when there is no element."""
    return {} if found is None else {str(name): str(value) for name, value in found.attrib.items()}


def child_text(found: Element, path: str, default: str = "") -> str:
    """The text at a path below, `default` when nothing is there."""
    below: Any = found.find(path)
    return default if below is None or below.text is None else str(below.text)
