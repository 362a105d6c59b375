import xmlrpc.client
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate_plugins.transports.rpc.reading import DEPTH, Call, Malformed, read_call

TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff"), max_size=30)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**31), 2**31 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)


def call(values, method="m"):
    return f"<methodCall><methodName>{method}</methodName><params>{values}</params></methodCall>".encode()


def argument(value):
    return read_call(call(f"<param><value>{value}</value></param>")).arguments[0]


@given(st.lists(VALUES, max_size=4))
def test_what_python_clients_write_is_read(arguments):
    document = xmlrpc.client.dumps(tuple(arguments), "some.method", allow_none=True)
    assert read_call(document.encode()) == Call("some.method", arguments)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("plain", "plain"),
        ("", ""),
        ("<string/>", ""),
        ("<string> a\n b </string>", " a\n b "),
        ("<i4>-1</i4>", -1),
        ("<i8>9007199254740993</i8>", 9007199254740993),
        ("<int> 7 </int>", 7),
        ("<boolean>1</boolean>", True),
        ("<boolean>0</boolean>", False),
        ("<double>1.5</double>", 1.5),
        ("<nil/>", None),
        ("<ex:nil/>", None),
        ("<base64>\n aGk=\n</base64>", b"hi"),
        ("<dateTime.iso8601>20260102T03:04:05</dateTime.iso8601>", "20260102T03:04:05"),
        ("<array><data/></array>", []),
        ("<struct/>", {}),
        ("<struct>\n <member> <name>a</name> <value>b</value> </member>\n</struct>", {"a": "b"}),
        ("a &amp; b &#x41; <![CDATA[<c>]]>", "a & b A <c>"),
    ],
)
def test_each_type_is_read(written, value):
    assert argument(written) == value
    assert type(argument(written)) is type(value)


def test_dates_of_python_clients_arrive_as_text():
    document = xmlrpc.client.dumps((datetime(2026, 1, 2, 3, 4, 5),), "m")
    assert read_call(document.encode()).arguments == ["20260102T03:04:05"]


def test_a_call_without_params_has_no_arguments():
    assert read_call(b"<methodCall><methodName> ping </methodName></methodCall>") == Call("ping", [])


def test_other_encodings_are_read_when_declared():
    document = "<?xml version='1.0' encoding='iso-8859-1'?><methodCall><methodName>é</methodName></methodCall>"
    assert read_call(document.encode("latin-1")).method == "é"


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"garbage",
        b"<methodCall>",
        b"<methodCall/>",
        b"<methodResponse/>",
        b"<methodCall><params/></methodCall>",
        b"<methodCall><methodName>a</methodName><methodName>b</methodName></methodCall>",
        b"<methodCall><methodName><b/></methodName></methodCall>",
        b"<methodCall>text<methodName>a</methodName></methodCall>",
        b"\xff\xfe\xff",
        b"<?xml version='1.0' encoding='klingon'?><methodCall><methodName>a</methodName></methodCall>",
        call("<param/>"),
        call("<param><value/><value/></param>"),
        call("<value/>"),
        call("<param><value><int>1</int><int>2</int></value></param>"),
        call("<param><value>a<int>1</int></value></param>"),
        call("<param><value><int>1</int>a</value></param>"),
        call("<param><value><int/></value></param>"),
        call("<param><value><int>1_0x</int></value></param>"),
        call("<param><value><int>" + "9" * 5000 + "</int></value></param>"),
        call("<param><value><boolean>2</boolean></value></param>"),
        call("<param><value><double>x</double></value></param>"),
        call("<param><value><double>inf</double></value></param>"),
        call("<param><value><base64>*</base64></value></param>"),
        call("<param><value><banana/></value></param>"),
        call("<param><value><struct><member><name>a</name></member></struct></value></param>"),
        call("<param><value><struct><member><value/><name>a</name></member></struct></value></param>"),
        call("<param><value><array/></value></param>"),
        call("<param><value><array><data><int>1</int></data></array></value></param>"),
        call("<param><value>&unknown;</value></param>"),
    ],
)
def test_what_is_no_call_is_malformed(document):
    with pytest.raises(Malformed):
        read_call(document)


BOMB = b"""<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>"""


@pytest.mark.parametrize(
    "prolog",
    [
        b"<!DOCTYPE methodCall>",
        BOMB,
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd">',
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        b'<!DOCTYPE x [<!ENTITY % a SYSTEM "http://127.0.0.1/x">%a;]>',
    ],
)
def test_document_types_entities_and_references_are_refused(prolog):
    with pytest.raises(Malformed, match="document type"):
        read_call(b"<?xml version='1.0'?>" + prolog + call("<param><value>&b;</value></param>"))


@pytest.mark.parametrize("levels", [DEPTH * 4, 20000])
def test_values_that_are_nested_too_deeply_are_refused(levels):
    with pytest.raises(Malformed, match="deeply"):
        argument("<array><data><value>" * levels + "</value></data></array>" * levels)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_call_or_malformed(data):
    with pytest.raises(Malformed):
        read_call(data)
