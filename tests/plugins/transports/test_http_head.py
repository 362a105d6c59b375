import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate_plugins.transports.http.head import accepts_gzip, read_head, stays_open
from virgate_plugins.transports.http.message import Refused

TOKEN = st.text("!#$%&'*+-.^_`|~abcXYZ019", min_size=1, max_size=20)
VALUE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40)


def test_a_head_tells_method_path_version_and_headers():
    request = read_head(b"POST /RPC2 HTTP/1.1\r\nHost: a\r\nFlowID:  x y \r\nContent-Type:text/xml")
    assert (request.method, request.path, request.version) == ("POST", "/RPC2", (1, 1))
    assert request.headers == {"host": "a", "flowid": "x y", "content-type": "text/xml"}


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", "/"),
        ("/RPC2", "/RPC2"),
        ("http://h:1/RPC2", "/RPC2"),
        ("http://h", "/"),
        ("/a://b/c", "/a://b/c"),
        ("*", "*"),
    ],
)
def test_absolute_targets_are_reduced_to_their_path(target, path):
    assert read_head(f"POST {target} HTTP/1.1".encode()).path == path


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"", 400),
        (b"POST", 400),
        (b"POST / ", 400),
        (b"POST / HTTP/1.1 ", 400),
        (b"POST  / HTTP/1.1", 400),
        (b"POST /\x00 HTTP/1.1", 400),
        (b"POST / HTTP/2.0", 505),
        (b"POST / HTTP/1.1\r\nno colon", 400),
        (b"POST / HTTP/1.1\r\nName : spaced", 400),
        (b"POST / HTTP/1.1\r\nA: b\r\n folded", 400),
        (b"POST / HTTP/1.1\r\nA: b\nC: d", 400),
        (b"POST / HTTP/1.1\r\nA: b\x00", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\ntransfer-encoding: chunked", 400),
    ],
)
def test_a_head_that_could_be_read_in_two_ways_is_refused(head, status):
    with pytest.raises(Refused) as refused:
        read_head(head)
    assert refused.value.status == status


def test_other_repeated_headers_are_joined():
    assert read_head(b"GET / HTTP/1.1\r\nA: b\r\nA: c").headers["a"] == "b, c"


@given(st.dictionaries(TOKEN.map(str.lower), VALUE, max_size=8))
def test_every_well_formed_header_is_read_back(headers):
    lines = "".join(f"\r\n{name}: {value}" for name, value in headers.items())
    assert read_head(f"POST / HTTP/1.1{lines}".encode("latin-1")).headers == headers


@given(st.binary(max_size=200))
def test_any_bytes_are_a_head_or_are_refused(data):
    try:
        read_head(data)
    except Refused as refused:
        assert refused.status in (400, 505)


@pytest.mark.parametrize(
    ("version", "connection", "stays"),
    [
        ("1.1", None, True),
        ("1.1", "close", False),
        ("1.1", "Close", False),
        ("1.0", None, False),
        ("1.0", "Keep-Alive", True),
    ],
)
def test_who_keeps_the_connection_open(version, connection, stays):
    header = f"\r\nConnection: {connection}" if connection else ""
    assert stays_open(read_head(f"POST / HTTP/{version}{header}".encode())) is stays


@pytest.mark.parametrize(
    ("offer", "accepted"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("deflate", False),
        ("", False),
    ],
)
def test_gzip_is_accepted_when_its_weight_is_not_zero(offer, accepted):
    assert accepts_gzip(read_head(f"POST / HTTP/1.1\r\nAccept-Encoding: {offer}".encode())) is accepted


def test_a_header_of_blanks_is_refused_at_once_however_long_it_is():
    begun = time.process_time()
    with pytest.raises(Refused):
        read_head(b"POST / HTTP/1.1\r\nA:" + b" " * 32000 + b"\x01")
    assert time.process_time() - begun < 0.5, "time grows with a power of the length"
