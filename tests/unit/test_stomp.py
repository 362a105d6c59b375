"""STOMP frames: what is written is read, however it is cut, and nonsense is refused at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.stomp import HEAD_LIMIT, BadFrame, Frame, Parser, encode

COMMANDS = ("SEND", "SUBSCRIBE", "UNSUBSCRIBE", "MESSAGE", "ERROR", "RECEIPT", "DISCONNECT")
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
NAMES = TEXT.filter(lambda name: name and name != "content-length")
FRAMES = st.builds(Frame, st.sampled_from(COMMANDS), st.dictionaries(NAMES, TEXT, max_size=5), st.binary(max_size=200))


def read(data, limit=1 << 20):
    parser = Parser(limit)
    parser.feed(data)
    found = []
    while (frame := parser.next()) is not None:
        found.append(frame)
    assert not parser.pending
    return found


def without_length(frame):
    headers = {name: value for name, value in frame.headers.items() if name != "content-length"}
    return Frame(frame.command, headers, frame.body)


@given(st.lists(FRAMES, max_size=4), st.integers(1, 50))
def test_frames_come_back_whatever_they_hold_and_however_they_are_cut(frames, size):
    data = b"\n".join(map(encode, frames))
    parser, found = Parser(), []
    for start in range(0, len(data), size):
        parser.feed(data[start : start + size])
        while (frame := parser.next()) is not None:
            found.append(without_length(frame))
    assert found == frames


@given(st.binary(max_size=300))
def test_any_bytes_are_frames_or_are_refused(data):
    parser = Parser(100)
    parser.feed(data)
    try:
        while (frame := parser.next()) is not None:
            assert len(frame.body) <= 100
    except BadFrame as problem:
        assert str(problem)


@given(FRAMES, st.data())
def test_a_frame_with_a_wrong_byte_is_read_or_refused_but_never_breaks_the_parser(frame, data):
    written = bytearray(encode(frame))
    written[data.draw(st.integers(0, len(written) - 1))] = data.draw(st.integers(0, 255))
    parser = Parser()
    parser.feed(bytes(written))
    try:
        while parser.next() is not None:
            pass
    except BadFrame:
        pass


def test_carriage_returns_and_heart_beats_between_frames_are_no_part_of_them():
    frames = read(b"\n\r\nSEND\r\ndestination:a\r\n\r\nbody\0\n\n\nSEND\n\n\0\n")
    assert [(frame.headers, frame.body) for frame in frames] == [({"destination": "a"}, b"body"), ({}, b"")]


def test_connect_is_read_without_escapes_as_older_versions_write_it():
    (frame,) = read(b"CONNECT\nhost:[::1]\npasscode:a\\b\n\n\0")
    assert frame.headers == {"host": "[::1]", "passcode": "a\\b"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"send\n\n\0", "no command"),
        (b"\0\n\n", "no command"),
        (b"SEND\nno colon\n\n\0", "name:value"),
        (b"SEND\n:value\n\n\0", "name:value"),
        (b"SEND\na:b:c\n\n\0", "not escaped"),
        (b"SEND\na:b\\t\n\n\0", "unknown escape"),
        (b"SEND\na:b\\\n\n\0", "unknown escape"),
        (b"SEND\na:\0\n\n\0", "NUL"),
        (b"SEND\na:\xff\n\n\0", "UTF-8"),
        (b"SEND\ncontent-length:x\n\n\0", "no number"),
        (b"SEND\ncontent-length:-1\n\n\0", "no number"),
        (b"SEND\ncontent-length:\n\n\0", "no number"),
        (b"SEND\ncontent-length:101\n\n", "longer than 100"),
        (b"SEND\ncontent-length:99999999999999999999\n\n", "no number"),
        (b"SEND\ncontent-length:2\n\nabc\0", "content-length says"),
        (b"SEND\n\n" + b"x" * 101, "longer than 100"),
        (b"SEND\n" + b"a:b\n" * HEAD_LIMIT, "headers are longer"),
    ],
)
def test_what_is_no_frame_is_refused_with_the_reason(data, reason):
    with pytest.raises(BadFrame, match=reason):
        read(data, 100)


def test_a_body_of_exactly_the_limit_is_taken():
    assert len(read(b"SEND\n\n" + b"x" * 100 + b"\0", 100)[0].body) == 100
    assert len(read(b"SEND\ncontent-length:100\n\n" + b"\0" * 101, 100)[0].body) == 100
