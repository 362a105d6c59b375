import enum
import xmlrpc.client

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate_plugins.transports.rpc import writing
from virgate_plugins.transports.rpc.writing import Unmarshallable, fault, reply

TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff"), max_size=30)
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)


def read(document):
    return xmlrpc.client.loads(document)[0][0]


@given(VALUES)
def test_python_clients_read_what_is_written(value):
    found = read(reply(value))
    assert found == value
    assert type(found) is type(value)


@given(st.text(max_size=50))
def test_any_text_becomes_well_formed_xml(text):
    written = read(reply({"key": text, text: 1}))["key"]
    for before, after in zip(text, written, strict=True):
        assert before == after or after == "\ufffd"


def test_characters_that_xml_forbids_are_replaced():
    for code in [
        *range(9),
        0xB,
        0xC,
        *range(0xE, 0x20),
        *range(0x7F, 0x85),
        *range(0x86, 0xA0),
        0xD800,
        0xDFFF,
        0xFFFE,
        0xFFFF,
    ]:
        assert read(reply(f"a{chr(code)}b")) == "a\ufffdb", hex(code)
    assert read(reply("\t\n\r\x85\ud7ff\ue000\ufffd\U0001f600")) == "\t\n\r\x85\ud7ff\ue000\ufffd\U0001f600"


def test_the_document_begins_as_old_clients_know_it():
    assert reply(1).startswith(b"<?xml version='1.0'?>\n<methodResponse>")
    assert fault(1, "x").startswith(b"<?xml version='1.0'?>\n<methodResponse>\n<fault>")


@pytest.mark.parametrize(
    "value",
    [
        None,
        2**31,
        -(2**31) - 1,
        {"a": None},
        [2**31],
        float("nan"),
        float("inf"),
        object(),
        {1: "a"},
        {"a"},
        complex(1),
    ],
)
def test_what_old_clients_cannot_read_is_not_written(value):
    with pytest.raises(Unmarshallable):
        reply({"x": value})


def test_a_value_that_holds_itself_is_not_written():
    endless = []
    endless.append(endless)
    with pytest.raises(Unmarshallable, match="deeply"):
        reply(endless)


def test_enumerations_and_other_kinds_of_the_basic_types_are_written():
    class Number(enum.IntEnum):
        ONE = 1

    class Word(enum.StrEnum):
        UP = "Up"

    assert read(reply([Number.ONE, Word.UP, (1, 2)])) == [1, "Up", [1, 2]]
    assert read(reply(b"\x00\xff")).data == b"\x00\xff"


def test_a_fault_carries_code_and_text():
    with pytest.raises(xmlrpc.client.Fault) as error:
        xmlrpc.client.loads(fault(1, "no <such> thing\x00"))
    assert (error.value.faultCode, error.value.faultString) == (1, "no <such> thing\ufffd")


def test_long_member_names_are_written_and_not_remembered():
    name = "n" * 100_000
    before = writing._known_name.cache_info().currsize
    assert read(reply({name: 1})) == {name: 1}
    assert writing._known_name.cache_info().currsize == before
