"""The manual says about each point what its declaration says."""

import inspect
import re
from pathlib import Path

import pytest

from virgate import hookspecs
from virgate.hookspecs.point import Failure

MANUAL = Path(__file__).parents[3] / "docs/hooks.md"
ROWS = {
    row[0]: row[1:] for row in re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", MANUAL.read_text(), re.M)
}
KINDS = {"domain": "domain", "device": "device", "data": "value"}
POINTS = {
    name: (point, inspect.signature(getattr(module, name)).parameters)
    for module in hookspecs.modules()
    for name, point in hookspecs.points(module).items()
    if point.scripts
}


def test_the_manual_names_every_point_and_no_other():
    assert set(ROWS) == set(POINTS)


@pytest.mark.parametrize("name", POINTS)
def test_the_manual_tells_the_document_and_what_a_failure_does(name):
    point, arguments = POINTS[name]
    kind = next((KINDS[argument] for argument in arguments if argument in KINDS), "none")
    failure = "aborts" if point.failure is Failure.ABORT else "is logged"
    assert ROWS[name] == (kind + (", used" if point.changes else ""), failure)
