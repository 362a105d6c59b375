"""README.md names a test for each vector of the specifications of storage, and each of those tests is there."""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROW = re.compile(r"^\| ([A-Z]-[\w.-]+) \|(.*)\|$", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
WANTED = [
    *(f"C-{number:02}" for number in range(1, 17)),
    *(f"I-{number}" for number in range(1, 9)),
    *(f"V-{number}" for number in range(1, 55)),
    "V-task-file",
    *(f"S-12.{number}" for number in range(1, 7)),
]
TABLE = dict(ROW.findall((HERE / "README.md").read_text()))


def test_the_table_is_complete():
    assert list(TABLE) == WANTED


@pytest.mark.parametrize("vector", WANTED)
def test_a_vector_has_tests_that_are_there(vector):
    named = TEST.findall(TABLE[vector])
    assert named
    for path, name in named:
        text = (HERE.parent / path).read_text()
        assert re.search(rf"^(?:async )?def {name}\(", text, re.MULTILINE), f"{path} has no {name}"


def test_no_test_of_a_numbered_vector_is_left_out():
    told = {(path, name) for tests in TABLE.values() for path, name in TEST.findall(tests)}
    numbered = re.compile(r"^(?:async )?def (test_(?:c\d\d|v\d+|vector|12)_\w+)\(", re.MULTILINE)
    found = {
        (str(path.relative_to(HERE.parent)), name)
        for folder in ("storage", "formats")
        for path in (HERE / folder).glob("test_*.py")
        if path.name != "test_image_streams.py"  # its vectors are those of spec xmlrpc-host-vm 7
        for name in numbered.findall(path.read_text())
    }
    assert found - told == set()
