"""Lines come out as they went in, however they were cut."""

from hypothesis import given
from hypothesis import strategies as st

from virgate.node.guest.framing import Lines


def taken(lines: Lines) -> list[bytes]:
    found = []
    while (one := lines.take()) is not None:
        found.append(one)
    return found


@given(st.lists(st.binary(max_size=50).map(lambda text: text.replace(b"\n", b" "))), st.lists(st.integers(1, 30)))
def test_lines_survive_any_cutting(whole: list[bytes], cuts: list[int]) -> None:
    data = b"".join(one + b"\n" for one in whole)
    lines, found, at = Lines(), [], 0
    for cut in [*cuts, len(data)]:
        lines.feed(data[at : at + cut])
        at += cut
        found += taken(lines)
    assert found == whole
    assert len(lines) == 0


@given(st.lists(st.binary(min_size=1, max_size=100), max_size=30))
def test_no_more_than_the_limit_and_one_read_is_held(pieces: list[bytes]) -> None:
    lines = Lines(64)
    for piece in pieces:
        lines.feed(piece)
        taken(lines)
        assert len(lines) < 64


def test_a_new_connection_begins_with_nothing() -> None:
    lines = Lines(8)
    lines.feed(b"123456789")
    assert taken(lines) == []
    lines.clear()
    lines.feed(b"a\n")
    assert taken(lines) == [b"a"]
