import gzip
import itertools
import time
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate_plugins.transports.http.body import Chunked, Sized, compressed, decoded, expected_body
from virgate_plugins.transports.http.message import Refused

LIMIT = 1000


def refused(function, *arguments):
    with pytest.raises(Refused) as error:
        function(*arguments)
    return error.value.status


def fed(body, data, cuts):
    """Feeds `data` in pieces; (the whole body, the bytes behind it), or None while it is not complete."""
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in itertools.pairwise(edges):
        rest = body.feed(data[start:end])
        if rest is not None:
            return body.whole(), rest + data[end:]
    return None


def chunked(pieces, extension=b"", trailer=b""):
    lines = b"".join(b"%x%s\r\n%s\r\n" % (len(piece), extension, piece) for piece in pieces if piece)
    return lines + b"0\r\n" + trailer + b"\r\n"


@given(st.binary(min_size=1, max_size=100), st.binary(max_size=20), st.lists(st.integers(0, 200)))
def test_a_sized_body_ends_where_its_length_says(body, rest, cuts):
    assert fed(Sized(len(body)), body + rest, cuts) == (body, rest)


@given(st.lists(st.binary(max_size=60), max_size=6), st.binary(max_size=20), st.lists(st.integers(0, 900)))
def test_a_chunked_body_is_the_same_however_it_arrives(pieces, rest, cuts):
    data = chunked(pieces, b";name=value", b"Trailer: x\r\n")
    assert fed(Chunked(LIMIT), data + rest, cuts) == (b"".join(pieces), rest)


def test_many_tiny_chunks_cost_no_more_than_their_bytes():
    body = Chunked(1 << 20)
    tracemalloc.start()
    begun = time.process_time()
    body.feed(b"2\r\nab\r\n" * 60000)
    spent, (_, most) = time.process_time() - begun, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2 << 20, "each chunk is kept as an object of its own"
    assert spent < 5, "the buffer is copied once for each chunk"


@pytest.mark.parametrize(
    "data", [b"x\r\n", b"-1\r\n", b"\r\n", b"1\r\nab\r\n", b"1\r\na\n0", b"0x1\r\n", b"1" * 16 + b"\r\n", b"f" * 5000]
)
def test_a_malformed_chunk_is_refused(data):
    assert refused(Chunked(LIMIT).feed, data) == 400


def test_chunks_beyond_the_limit_are_refused_before_they_arrive():
    assert refused(Chunked(LIMIT).feed, b"3e9\r\n") == 413
    body = Chunked(LIMIT)
    assert body.feed(b"3e8\r\n" + bytes(1000) + b"\r\n") is None
    assert refused(body.feed, b"1\r\n") == 413


def test_endless_trailers_are_refused():
    body = Chunked(LIMIT)
    body.feed(b"0\r\n")
    assert refused(lambda: [body.feed(b"A: b\r\n" * 100) for _ in range(100)]) == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-length": "-1"}, 400),
        ({"content-length": "+1"}, 400),
        ({"content-length": "1, 1"}, 400),
        ({"content-length": "٣"}, 400),
        ({"content-length": ""}, 400),
        ({"content-length": "1001"}, 413),
        ({"content-length": "9" * 30}, 400),
        ({"content-length": "1", "transfer-encoding": "chunked"}, 400),
        ({"transfer-encoding": "gzip, chunked"}, 501),
    ],
)
def test_an_announced_length_that_is_wrong_or_too_much_is_refused(headers, status):
    assert refused(expected_body, headers, LIMIT) == status


def test_no_announced_length_is_no_body():
    assert expected_body({}, LIMIT) is None


@given(st.binary(max_size=LIMIT))
def test_what_is_compressed_is_decoded_again(body):
    assert decoded(compressed(body), {"content-encoding": "gzip"}, LIMIT) == body
    assert gzip.decompress(compressed(body)) == body


def test_a_small_body_that_becomes_huge_is_refused():
    assert refused(decoded, compressed(bytes(1 << 24)), {"content-encoding": "gzip"}, LIMIT) == 413


@pytest.mark.parametrize(
    ("body", "coding", "status"),
    [
        (b"no gzip", "gzip", 400),
        (compressed(b"abc")[:-1], "gzip", 400),
        (compressed(b"abc") + b"x", "gzip", 400),
        (zlib.compress(b"abc"), "deflate", 415),
    ],
)
def test_a_broken_or_unknown_coding_is_refused(body, coding, status):
    assert refused(decoded, body, {"content-encoding": coding}, LIMIT) == status
