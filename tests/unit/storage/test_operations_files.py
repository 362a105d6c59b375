"""The blocking functions about files and folders."""

import errno
import os
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virgate.node.storage.operations import OPERATIONS, files, folders


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_every_operation_is_known_by_its_own_name():
    assert all(function.__name__ == name for name, function in OPERATIONS.items())


@given(data=st.binary(max_size=10000))
@settings(max_examples=30, deadline=None)
def test_what_is_written_is_read_past_the_cache(tmp_path_factory, data):
    path = str(tmp_path_factory.mktemp("files") / "file")
    files.write_file(path, data)
    assert files.read_file(path) == data


def test_a_missing_file_is_told_by_none_among_several(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    assert files.read_files([str(tmp_path / "a"), str(tmp_path / "b")]) == [b"1", None]


@pytest.mark.parametrize(("what", "number"), [("link", errno.ELOOP), ("pipe", errno.ENODEV), ("huge", errno.EFBIG)])
def test_what_is_no_file_or_endless_is_not_read(tmp_path, what, number):
    path = tmp_path / "metadata"
    if what == "link":
        (tmp_path / "other").write_bytes(b"secret")
        path.symlink_to(tmp_path / "other")
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(b"")
        os.truncate(path, 1 << 40)
    with pytest.raises(OSError) as caught:
        files.read_file(str(path))
    assert caught.value.errno in (number, errno.EINVAL)


def test_a_written_file_has_the_mode_asked_for_whatever_the_umask(tmp_path):
    old = os.umask(0o077)
    try:
        files.write_file(str(tmp_path / "file"), b"x", 0o664)
    finally:
        os.umask(old)
    assert mode(tmp_path / "file") == 0o664


def test_a_write_that_fails_leaves_the_old_content_and_nothing_beside_it(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        files.write_file(str(path), "not bytes")
    with pytest.raises(OSError):
        files.write_file(str(tmp_path / "missing" / "file"), b"x")
    assert path.read_bytes() == b"old"


def test_replacing_a_file_breaks_its_hard_links(tmp_path):
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"old")
    os.link(path, link)
    files.write_file(str(path), b"new")
    assert (path.read_bytes(), link.read_bytes()) == (b"new", b"old")


def test_a_link_is_made_with_its_folders_and_replaced_in_place(tmp_path):
    link = tmp_path / "a" / "b" / "link"
    files.make_link("/one", str(link))
    files.make_link("/two", str(link))
    files.make_link("/two", str(link))
    assert files.read_link(str(link)) == "/two"
    assert os.listdir(link.parent) == ["link"]


def test_a_folder_is_never_replaced_by_a_link(tmp_path):
    (tmp_path / "link").mkdir()
    with pytest.raises(OSError):
        files.make_link("/one", str(tmp_path / "link"))
    assert os.listdir(tmp_path) == ["link"]


def test_what_is_no_link_points_nowhere(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    assert files.read_link(str(tmp_path / "file")) is None
    assert files.read_link(str(tmp_path / "missing")) is None


def test_links_of_a_folder_are_told_without_its_files(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "b").symlink_to("/two")
    (tmp_path / "a").symlink_to("/one")
    assert folders.links_in(str(tmp_path)) == {"a": "/one", "b": "/two"}
    assert folders.links_in(str(tmp_path / "missing")) == {}


def test_only_missing_folders_are_made(tmp_path):
    wanted = [str(tmp_path / "a"), str(tmp_path / "a" / "b")]
    assert folders.make_folders(wanted, 0o750) == wanted
    assert folders.make_folders(wanted) == []
    assert mode(wanted[1]) == 0o750


def test_only_an_empty_folder_is_removed(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    assert folders.remove_empty_folder(str(tmp_path / "full")) is False
    assert folders.remove_empty_folder(str(tmp_path / "empty")) is True
    assert folders.remove_empty_folder(str(tmp_path / "empty")) is True


def test_a_tree_that_is_gone_is_removed_already(tmp_path):
    folders.remove_tree(str(tmp_path / "missing"))


def test_what_keeps_a_folder_from_being_used_is_said(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    assert folders.check_folder(str(tmp_path)) is None
    assert folders.check_folder(str(tmp_path / "file")) == "not a folder"
    assert folders.check_folder(str(tmp_path / "missing")) == "No such file or directory"


@pytest.mark.parametrize(
    "bits, user, groups, allowed",
    [
        (0o700, 0, (), True),
        (0o700, 107, (36,), False),
        (0o755, 107, (), True),
        (0o750, 107, (), False),
        (0o750, 107, (36,), True),
        (0o705, 107, (36,), False),
        (0o055, 999, (36,), False),
    ],
)
def test_the_other_users_access_is_read_from_the_mode(tmp_path, bits, user, groups, allowed):
    os.chown(tmp_path, 999, 36)
    tmp_path.chmod(bits)
    try:
        assert folders.allows(os.stat(tmp_path), user, groups, 0o5) is allowed
        if os.geteuid() == 0:
            assert (folders.check_folder(str(tmp_path), user, groups) is None) is allowed
    finally:
        tmp_path.chmod(0o755)


def test_direct_io_is_tried_and_leaves_no_trace(tmp_path):
    assert folders.direct_block_size(str(tmp_path)) in (1, 512, 4096)
    assert os.listdir(tmp_path) == []


def test_files_below_a_folder_are_told_with_who_can_read_them(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "open.iso").write_bytes(b"12")
    (tmp_path / "sub" / "closed.iso").write_bytes(b"1")
    (tmp_path / "open.iso").chmod(0o644)
    (tmp_path / "sub" / "closed.iso").chmod(0o600)
    found = [(path, size, readable) for path, size, _, readable in folders.files_below(str(tmp_path))]
    assert found == [("open.iso", 2, True), ("sub/closed.iso", 1, False)]
    with pytest.raises(FileNotFoundError):
        folders.files_below(str(tmp_path / "missing"))


def test_a_file_is_made_with_room_and_keeps_what_it_has(tmp_path):
    path = tmp_path / "xleases"
    files.make_file(str(path), 8192)
    assert (path.stat().st_size, path.stat().st_mode & 0o777) == (8192, 0o660)
    path.write_bytes(b"x" * 9000)
    files.make_file(str(path), 8192, 0o640)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"x" * 9000, 0o640)


def test_neither_a_made_file_nor_modes_follow_a_link(tmp_path):
    (tmp_path / "secret").write_bytes(b"")
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    for change in (
        lambda: files.make_file(str(tmp_path / "link"), 10),
        lambda: files.set_modes([str(tmp_path / "link")], 0o666),
    ):
        with pytest.raises(OSError):
            change()
    assert ((tmp_path / "secret").stat().st_size, (tmp_path / "secret").stat().st_mode & 0o777) == (0, 0o600)
