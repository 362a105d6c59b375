"""README.md names a test for each vector of the specifications, and each of those tests is there."""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROW = re.compile(r"^\| ([A-Z]-[\w.-]+) \|(.*)\|$", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
FILE = re.compile(r"`([\w/]+\.py)`")
WANTED = [
    *(f"C-{number:02}" for number in range(1, 17)),
    *(f"I-{number}" for number in range(1, 9)),
    *(f"V-{number}" for number in range(1, 55)),
    "V-task-file",
    *(f"S-12.{number}" for number in range(1, 7)),
]
README = (HERE / "README.md").read_text()
TABLE = dict(ROW.findall(README))
OTHERS = {
    "xmlrpc-host-vm": {str(number) for number in range(1, 61)},
    "migration": set("ABCDEFGHIJKL"),
    "guest-agent": {f"V{number}" for number in range(1, 28)},
    "hooks": {f"V{number}" for number in range(1, 7)},
}


def test_the_table_is_complete():
    assert list(TABLE) == WANTED


@pytest.mark.parametrize("spec", OTHERS)
def test_no_vector_of_the_other_specifications_is_left_out(spec):
    told: set[str] = set()
    for section in README.split("\n## ")[1:]:
        if section.startswith(f"{spec},"):
            for cell in re.findall(r"^\| ([A-Z\d][^|]*) \|", section, re.MULTILINE):
                told |= one_by_one(cell)
    assert OTHERS[spec] - told == set()


def one_by_one(cell: str) -> set[str]:
    """`1 to 3, 5` is four vectors."""
    found = set()
    for part in cell.split(", "):
        first, _, last = part.partition(" to ")
        found |= {str(number) for number in range(int(first), int(last) + 1)} if last else {first}
    return found


def test_every_test_that_is_named_is_there():
    for path, name in TEST.findall(README):
        text = (HERE.parent / path).read_text()
        assert re.search(rf"^(?:async )?def {name}\(", text, re.MULTILINE), f"{path} has no {name}"
    assert [path for path in FILE.findall(README) if not (HERE.parent / path).is_file() and "/" in path] == []


@pytest.mark.parametrize("vector", WANTED)
def test_a_vector_of_storage_has_tests(vector):
    assert TEST.findall(TABLE[vector])


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
