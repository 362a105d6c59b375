"""Runs one script as the daemon would, on documents given by hand, and tells everything about it."""

import difflib
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen
from lxml import etree

from virgate import hookspecs
from virgate.hookscripts import samples
from virgate.hookscripts.runner import Document, Runner
from virgate.hookscripts.serving import Occasion
from virgate.hookscripts.settle import settle
from virgate.hookscripts.verdict import Ended, Verdict
from virgate.hookspecs.documents import JsonDocument, Subject, XmlDocument
from virgate.hookspecs.errors import HookError
from virgate.hookspecs.point import Point

SAMPLE_ID = "00000000-0000-4000-8000-000000000001"


@frozen
class Trial:
    """What came of it. `problem`: why it counts as failed, or what is wrong with the document; empty if all is well."""

    point: Point
    ended: Ended
    problem: str
    aborts: bool
    damaged: bool
    before: str
    after: str

    @property
    def changed(self) -> bool:
        return self.before != self.after

    @property
    def used(self) -> bool:
        """The daemon goes on with what the script left."""
        return self.changed and self.point.changes and not (self.aborts or self.damaged)

    @property
    def diff(self) -> list[str]:
        """Unified, of both documents laid out alike; empty when only the layout differs."""
        before, after = (_laid_out(text).splitlines() for text in (self.before, self.after))
        return list(difflib.unified_diff(before, after, "before", "after", lineterm=""))


def parameters(point: Point) -> tuple[str, ...]:
    """The names of what a point is fired with."""
    declared = next(module for module in hookspecs.modules() if hookspecs.points(module).get(point.name) == point)
    return tuple(inspect.signature(getattr(declared, point.name)).parameters)


def arguments(point: Point, text: str | None, custom: Mapping[str, str]) -> dict[str, Any]:
    """What the point is fired with: the text as its document (None: a sample), the properties as the machine's.

    ValueError when the point has no place for one of them, or the text is no JSON.
    """
    names = parameters(point)
    if custom and "vm" not in names:
        raise ValueError(f"{point.name} is given no machine, so no custom property reaches its scripts")
    if text is not None and not {"domain", "device", "data"} & {*names}:
        raise ValueError(f"{point.name} has no document")
    made: dict[str, Callable[[], Any]] = {
        "vm": lambda: Subject(SAMPLE_ID, dict(custom)),
        "domain": lambda: XmlDocument(samples.DOMAIN if text is None else text),
        "device": lambda: XmlDocument(samples.device(point.name) if text is None else text),
        "data": lambda: JsonDocument(samples.value(point.name) if text is None else json.loads(text)),
        "params": dict,
        "from_snapshot": lambda: False,
    }
    return {name: made[name]() for name in names}


async def attempt(runner: Runner, point: Point, script: str, given: Mapping[str, Any]) -> Trial:
    occasion = Occasion.of(given)
    document = occasion.document
    before = document.text if document else ""
    verdict = await runner.run_scripts([script], point.name, occasion.subject, document, occasion.params)
    after = before if verdict.text is None else verdict.text
    problem, aborts, damaged = _judge(point, document, verdict)
    (ended,) = verdict.ended
    return Trial(point, ended, problem, aborts, damaged, before, after)


def _judge(point: Point, document: Document | None, verdict: Verdict) -> tuple[str, bool, bool]:
    culprit = verdict.culprit
    try:
        damage = settle(point, document, verdict)
    except HookError as error:
        return error.detail, True, culprit is None
    return damage or (culprit.how if culprit else ""), False, bool(damage)


def _laid_out(text: str) -> str:
    """XML and JSON with one thing per line; anything else as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        pass
    try:
        root = XmlDocument(text).tree
    except (etree.XMLSyntaxError, ValueError):
        return text
    for element in root.iter():
        element.text = element.text if (element.text or "").strip() else None
        element.tail = element.tail if (element.tail or "").strip() else None
    etree.indent(root, "  ")
    return str(etree.tostring(root, encoding="unicode"))
