"""Documents are text and value at once, and whoever wrote last wins."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from virgate.hookspecs.documents import JsonDocument, XmlDocument

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_text_is_kept_to_the_letter_until_the_tree_is_asked_for():
    text = "<?xml version='1.0'?>\n<!-- c --><a   b='1'/>\n"
    document = XmlDocument(text)
    assert document.text == text


def test_what_is_done_to_the_tree_is_in_the_text_with_comments_around_the_root():
    document = XmlDocument("<!-- c --><a/>")
    document.tree.set("ü", "1")
    assert document.text == '<!-- c --><a ü="1"/>'


def test_a_new_text_replaces_the_tree():
    document = XmlDocument("<a/>")
    document.tree.set("b", "1")
    document.text = "<c/>"
    assert (document.text, document.tree.tag) == ("<c/>", "c")


def test_the_declared_encoding_of_a_text_does_not_matter():
    assert XmlDocument('<?xml version="1.0" encoding="utf-8"?><a>ü</a>').tree.text == "ü"


@pytest.mark.parametrize("text", ["", "no xml", "<a>", '{"a": 1}'])
def test_a_text_that_is_no_xml_is_told_when_the_tree_is_asked_for(text):
    with pytest.raises(etree.XMLSyntaxError):
        XmlDocument(text).tree  # noqa: B018


def test_entities_are_not_followed(tmp_path):
    (tmp_path / "secret").write_text("secret")
    text = f'<!DOCTYPE a [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]><a>&x;</a>'
    document = XmlDocument(text)
    assert "secret" not in (document.tree.text or "")


@given(VALUES)
def test_a_value_survives_its_text(value):
    document = JsonDocument(value)
    text = document.text
    assert text.isascii()
    document.text = text
    assert document.value == value == json.loads(text)
