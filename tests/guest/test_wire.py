"""Lines, JSON, and characters that do not travel."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate_guest import wire

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
LINE = st.binary(max_size=40).map(lambda data: data.replace(b"\n", b" "))


@given(st.text(), st.dictionaries(st.text().filter(lambda key: key != "__name__"), JSON))
def test_a_message_is_one_line_of_ascii_that_reads_back_as_what_was_meant(name, arguments):
    line = wire.encode(name, arguments)
    assert line.isascii()
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    assert wire.decode(line) == (wire.clean(name), wire.clean(arguments))


def test_numbers_without_end_cannot_be_said():
    with pytest.raises(ValueError):
        wire.encode("echo", {"x": float("inf")})


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[1]",
        b'"shutdown"',
        b"{}",
        b'{"__name__": 1}',
        b'{"__name__": "echo", "x": NaN}',
        b"[" * 60000,
        b'{"__name__": "shut',
    ],
)
def test_a_line_that_is_no_command_is_refused(line):
    with pytest.raises(wire.Malformed):
        wire.decode(line)


@given(st.binary(max_size=300))
def test_whatever_bytes_come_they_are_a_command_or_refused(data):
    try:
        name, arguments = wire.decode(data)
    except wire.Malformed:
        return
    assert isinstance(name, str) and isinstance(arguments, dict)


def test_bytes_that_are_no_text_do_not_spoil_the_command():
    assert wire.decode(b'{"__name__": "echo", "s": "\xff\xfe"}') == ("echo", {"s": "\ufffd\ufffd"})


@given(st.lists(LINE), LINE, st.data())
def test_lines_come_whole_however_they_were_cut(lines, begun, data):
    stream = b"".join(line + b"\n" for line in lines) + begun
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    cutter = wire.Lines()
    found = [line for piece in pieces for line in cutter.feed(piece)]
    assert found == [line for line in lines if line.strip()]
    assert cutter.feed(b"!\n") == [begun + b"!"]


@given(st.lists(st.binary(min_size=1, max_size=30).map(lambda data: data.replace(b"\n", b"x")), min_size=1), st.data())
def test_a_line_beyond_the_limit_is_lost_and_no_other(lines, data):
    limit = 10
    stream = b"".join(line + b"\n" for line in lines)
    cut = data.draw(st.integers(0, len(stream)))
    cutter = wire.Lines(limit)
    found = cutter.feed(stream[:cut]) + cutter.feed(stream[cut:])
    assert found == [line for line in lines if line.strip() and len(line) <= limit]


def test_endless_bytes_without_an_end_are_not_kept():
    cutter = wire.Lines(64)
    for _ in range(100):
        assert cutter.feed(b"x" * 1000) == []
    assert len(cutter._begun) <= 64
    assert cutter.feed(b'"}\n{"__name__": "refresh"}\n') == [b'{"__name__": "refresh"}']


def test_what_a_host_had_begun_is_forgotten_when_it_leaves():
    cutter = wire.Lines()
    cutter.feed(b'{"__name__": "shutd')
    cutter.forget()
    assert cutter.feed(b'{"__name__": "refresh"}\n') == [b'{"__name__": "refresh"}']


@given(st.text())
def test_cleaning_twice_is_cleaning_once(text):
    once = wire.clean(text)
    assert wire.clean(once) == once
    assert len(once) == len(text)
    json.dumps(once).encode("ascii")
