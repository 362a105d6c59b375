"""What a verdict means at a point: the document that goes on, or the failure (spec hooks 2.5, 2.6)."""

import json
from collections.abc import Callable
from typing import Any

from lxml import etree
from twisted.logger import Logger

from virgate.hookscripts.verdict import Ended, Verdict
from virgate.hookspecs.documents import JsonDocument, XmlDocument
from virgate.hookspecs.errors import HookError
from virgate.hookspecs.point import Failure, Point

Document = XmlDocument | JsonDocument

WORDS = 4096
"""Characters of a script's standard error that go into an error: the end of it, as tracebacks have it."""

log = Logger()


def settle(point: Point, document: Document | None, verdict: Verdict) -> str:
    """Takes over what the scripts left, and raises HookError where the point's contract says that failing aborts.

    Before a failure is raised, an XML document gets what the scripts left, whatever that is: cleaning up may need to
    know it. Damage (a document that is gone, unreadable or malformed) aborts as a failure does; at a point whose
    failures are only logged the original stays, and what was wrong is logged and answered.
    """
    culprit = verdict.culprit
    if point.failure is Failure.ABORT and culprit:
        if point.changes and isinstance(document, XmlDocument) and verdict.text is not None:
            document.text = verdict.text
        raise HookError(said(culprit), point.name, culprit.script)
    damage = verdict.damage or _take(point, document, verdict.text)
    if damage and point.failure is Failure.ABORT:
        raise HookError(f"{point.name}: {damage}", point.name, verdict.ended[-1].script if verdict.ended else "")
    if damage:
        log.warn("{point}: {damage}; the document stays as it was", point=point.name, damage=damage)
    return damage


def said(ended: Ended) -> str:
    """Why a script failed, for people: its own words, or how it ended when it had none."""
    words = ended.stderr if len(ended.stderr) <= WORDS else f"... {ended.stderr[-WORDS:]}"
    if words and not ended.note:
        return words
    return f"{ended.script} {ended.how}" + (f": {words}" if words else "")


def _take(point: Point, document: Document | None, text: str | None) -> str:
    """Puts the text into the document if the point uses it; says what is wrong with it, or nothing."""
    if document is None or text is None or text == document.text:
        return ""
    if isinstance(document, JsonDocument):
        return _take_json(point, document, text)
    return _take_xml(document, text) if point.changes else ""


def _take_json(point: Point, document: JsonDocument, text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError as problem:
        return f"the scripts left malformed JSON: {problem}"
    if not point.changes:
        return ""
    if type(value) is not type(document.value) or not _SHAPES.get(point.name, _any)(value):
        return f"the scripts left JSON of another shape: {type(value).__name__}"
    document.value = value
    return ""


def _take_xml(document: XmlDocument, text: str) -> str:
    changed = XmlDocument(text)
    try:
        changed.tree  # noqa: B018 (parsing is the check)
    except (etree.XMLSyntaxError, ValueError) as problem:
        return f"the scripts left malformed XML: {problem}"
    document.text = text
    return ""


def _any(value: Any) -> bool:
    return True


def _one_map(value: Any) -> bool:
    return len(value) == 1 and isinstance(value[0], dict)


def _maps(value: Any) -> bool:
    return all(isinstance(item, dict) for item in value)


def _has_request(value: Any) -> bool:
    return isinstance(value.get("request"), dict)


_SHAPES: dict[str, Callable[[Any], bool]] = {
    "after_get_vm_stats": _one_map,
    "after_get_all_vm_stats": _maps,
    "before_network_setup": _has_request,
}
"""Beyond being a list or a map, what the caller of a point must be able to count on."""
