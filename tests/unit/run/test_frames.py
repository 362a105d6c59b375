"""Frames between the daemon and its workers."""

from pathlib import Path, PurePosixPath

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from virgate.run.frames import Frames, as_os_error, pack, pack_failure
from virgate.units import Size

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.builds(Size, st.integers(0, 2**63))
    | st.from_regex(r"(/[a-z\udc80-\udcff]{1,5}){1,3}", fullmatch=True).map(Path),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(-100, 100), inner),
    max_leaves=20,
)


def cross(message):
    (arrived,) = Frames().feed(pack(message))
    return arrived


@given(PLAIN)
def test_what_is_sent_arrives_equal(value):
    assert cross([value]) == [value]


@given(st.lists(PLAIN, max_size=5), st.integers(1, 50))
def test_frames_survive_being_cut_anywhere(values, size):
    stream = b"".join(pack([value]) for value in values)
    frames = Frames()
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [frame for piece in pieces for frame in frames.feed(piece)] == [[value] for value in values]


def test_a_path_of_any_kind_arrives_as_a_path():
    assert cross([PurePosixPath("/a/b")]) == [Path("/a/b")]


def test_a_set_cannot_travel():
    with pytest.raises(TypeError, match="set cannot travel"):
        pack([{1}])


def test_a_value_whose_class_is_no_attrs_class_is_not_made():
    forged = pack([Size(1)]).replace(b"virgate.units", b"pathlib.xxxxx")
    with pytest.raises(ImportError):
        list(Frames().feed(forged))


def test_a_nested_value_keeps_its_inside():
    assert cross([{"size": Size(5), "all": [Size(6)]}]) == [{"size": Size(5), "all": [Size(6)]}]


def test_a_local_class_fails_when_it_arrives_not_silently():
    @frozen
    class Local:
        one: int

    with pytest.raises(AttributeError):
        cross([Local(1)])


@pytest.mark.parametrize(
    "problem", [FileNotFoundError(2, "No such file or directory", "/a"), OSError(5, "I/O", "/a", None, "/b")]
)
def test_an_os_error_keeps_class_number_and_names(problem):
    (answer,) = Frames().feed(pack_failure(1, problem))
    again = as_os_error(answer[2])
    assert type(again) is type(problem)
    assert (again.errno, again.strerror) == (problem.errno, problem.strerror)
    assert (again.filename, again.filename2) == (problem.filename, problem.filename2)
