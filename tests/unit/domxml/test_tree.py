"""Texts of strangers: what is refused, what is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from virgate.domxml import tree
from virgate.domxml.errors import UnsafeXml

BILLION = '<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><domain><name>&b;</name></domain>'
EXTERNAL = '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><domain><name>&x;</name></domain>'
INCLUDE = '<domain xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="/etc/passwd" parse="text"/></domain>'


@pytest.mark.parametrize(
    "text",
    [
        BILLION,
        EXTERNAL,
        INCLUDE,
        '<!DOCTYPE domain SYSTEM "http://192.0.2.1/evil.dtd"><domain/>',
        "<domain>&unknown;</domain>",
        "<domain>",
        "",
        "no markup",
        "<a/><b/>",
        "<domain>\x00</domain>",
        "<d>" * 300 + "</d>" * 300,
    ],
    ids=[
        "entities",
        "external entity",
        "inclusion",
        "external type",
        "undeclared",
        "open",
        "empty",
        "words",
        "two roots",
        "zero",
        "too deep",
    ],
)
def test_xml_that_wants_more_than_to_be_read_is_refused_with_a_code(text):
    with pytest.raises(UnsafeXml) as caught:
        tree.parse(text)
    assert caught.value.code == 9
    assert str(caught.value).startswith("Refused XML: ")


def test_a_lone_surrogate_is_refused_and_not_a_crash():
    with pytest.raises(UnsafeXml):
        tree.parse("<domain>\ud800</domain>")


def test_the_encoding_that_a_text_declares_is_past():
    assert tree.parse("<?xml version='1.0' encoding='utf-16'?><name>vmα</name>").text == "vmα"


def test_comments_and_instructions_are_dropped():
    root = tree.parse("<d><!-- a --><?b c?><e/></d>")
    assert etree.tostring(root) == b"<d><e/></d>"


def test_character_references_are_read():
    assert tree.parse("<d>&#65;&lt;&amp;</d>").text == "A<&"


@given(st.text())
def test_no_text_becomes_markup(text):
    made = tree.element("a", tree.element("b", text=text), attribute=text)
    read = etree.fromstring(etree.tostring(made))
    assert [child.tag for child in read.iter()] == ["a", "b"]
    assert (read[0].text or "") == tree.clean(text)
    # An attribute cannot hold line ends of every kind; that is all that may change.
    assert " ".join(read.get("attribute").split()) == " ".join(tree.clean(text).split())


@given(st.text(max_size=20))
def test_what_counts_as_a_name_can_name_an_element(text):
    if tree.is_name(text):
        assert etree.Element(text).tag == text


def test_names_are_plain():
    assert tree.is_name("total_bytes_sec")
    assert not any(tree.is_name(name) for name in ("", "a b", "1a", "a:b", "{u}a", "é", "a\n", "-a"))


def test_children_and_attributes_that_are_none_are_left_out():
    assert tree.one_line(tree.element("a", None, tree.element("b"), x=None, y=0)) == '<a y="0"><b/></a>'


def test_pretty_text_has_a_declaration_and_four_spaces_and_leaves_the_element_alone():
    found = tree.element("a", tree.element("b"))
    assert tree.pretty(found) == "<?xml version='1.0' encoding='utf-8'?>\n<a>\n    <b/>\n</a>\n"
    assert tree.one_line(found) == "<a><b/></a>"


def test_a_copy_is_without_what_followed():
    root = etree.fromstring("<a><b/>tail</a>")
    assert tree.one_line(tree.copy(root[0])) == "<b/>"
    assert root[0].tail == "tail"


def test_children_are_elements_only():
    root = etree.fromstring("<a><!-- c --><b/><?p i?></a>")
    assert [child.tag for child in tree.children(root)] == ["b"]
    assert tree.children(None) == []


def test_texts_and_attributes_that_are_missing_read_as_empty():
    root = etree.fromstring("<a><b x='1'/></a>")
    assert tree.child_text(root, "b", "default") == "default"
    assert (tree.attribute(root, "b", "x"), tree.attribute(root, "b", "y"), tree.attribute(root, "c", "x")) == (
        "1",
        "",
        "",
    )
    assert tree.attributes(None) == {}
