"""Files that describe a machine: domain XML, JSON, and the lines of the old command line."""

import json

import pytest

from virgate.cli import description
from virgate.cli.problems import Problem


@pytest.fixture
def read(tmp_path):
    def call(content):
        file = tmp_path / "machine"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return description.read(file)

    return call


def test_domain_xml_is_handed_over_as_it_is(read):
    assert read("\n <domain/>") == {"xml": "<domain/>"}


def test_json_is_taken_and_gets_an_id_if_it_has_none(read):
    assert read(json.dumps({"vmId": "x", "memSize": 1})) == {"vmId": "x", "memSize": 1}
    assert len(read("{}")["vmId"]) == 36


def test_lines_of_the_old_command_line_are_taken(read):
    found = read("# mine\nvmName=old\nmemSize=128\ncustom_a=b\ndevices={type:disk,specParams:{x:y}}\n")
    assert found["custom"] == {"a": "b"}
    assert found["devices"] == [{"type": "disk", "specParams": {"x": "y"}}]
    assert len(found["vmId"]) == 36


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is no JSON"),
        ("[1]", "no JSON object"),
        ("hello", "neither domain XML nor JSON"),
        ("", "neither domain XML nor JSON"),
        (b"\xff\xfe", "no UTF-8"),
        ("memSize=1\ndevices={a:b", "brace"),
    ],
)
def test_anything_else_is_refused_with_the_files_name(read, content, said):
    with pytest.raises(Problem, match=said) as refused:
        read(content)
    assert "machine" in refused.value.message
