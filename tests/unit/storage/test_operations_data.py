"""Pieces of volumes: what was written is read, and nothing else changes."""

import errno
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virgate.node.storage.operations import data

BLOCK = 4096


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("data") / "volume"


sizes = st.integers(0, 5 * BLOCK) | st.sampled_from([512, BLOCK, 3 * BLOCK, 3 * BLOCK - 1, 3 * BLOCK + 1])


@settings(max_examples=60, deadline=None)
@given(before=sizes, block=st.integers(0, 4), length=sizes)
def test_a_write_replaces_its_bytes_and_leaves_all_others(place, before, block, length):
    old, new = os.urandom(before), os.urandom(length)
    place.write_bytes(old)
    data.write_data(str(place), block * BLOCK, new)
    data.flush_data(str(place))
    start = block * BLOCK
    expected = old if not length else old[:start].ljust(start, b"\0") + new + old[start + length :]
    assert place.read_bytes() == expected


@settings(max_examples=60, deadline=None)
@given(size=sizes, block=st.integers(0, 4), length=sizes)
def test_a_read_ends_where_it_was_told_or_where_the_file_ends(place, size, block, length):
    content = os.urandom(size)
    place.write_bytes(content)
    assert data.read_data(str(place), block * BLOCK, length) == content[block * BLOCK : block * BLOCK + length]


def test_a_volume_that_is_gone_is_not_made_again(tmp_path):
    path = tmp_path / "gone"
    for call in (data.read_data, data.write_data, data.flush_data):
        with pytest.raises(FileNotFoundError):
            call(str(path), *{data.read_data: (0, 1), data.write_data: (0, b"x")}.get(call, ()))
    assert not path.exists()


def test_a_link_in_the_place_of_a_volume_is_not_followed(tmp_path):
    target, link = tmp_path / "target", tmp_path / "volume"
    target.write_bytes(bytes(BLOCK))
    link.symlink_to(target)
    for call, arguments in ((data.read_data, (0, BLOCK)), (data.write_data, (0, b"x")), (data.flush_data, ())):
        with pytest.raises(OSError) as caught:
            call(str(link), *arguments, True)
        assert caught.value.errno == errno.ELOOP
    assert data.read_data(str(link), 0, BLOCK) == bytes(BLOCK)


def test_a_file_system_without_direct_io_is_read_and_written_all_the_same(tmp_path, monkeypatch):
    path, real = tmp_path / "volume", os.open
    path.write_bytes(bytes(3 * BLOCK))

    def without_direct(name, flags, *mode):
        if flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, "no direct I/O")
        return real(name, flags, *mode)

    monkeypatch.setattr(os, "open", without_direct)
    data.write_data(str(path), BLOCK, b"x" * (BLOCK + 1))
    assert data.read_data(str(path), BLOCK, 2 * BLOCK) == (b"x" * (BLOCK + 1)).ljust(2 * BLOCK, b"\0")


def test_other_troubles_of_opening_are_told(tmp_path):
    with pytest.raises(IsADirectoryError):
        data.write_data(str(tmp_path), 0, bytes(BLOCK))
