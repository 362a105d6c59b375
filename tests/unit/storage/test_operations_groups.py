"""What helpers do for block domains, on plain files."""

import grp
import os
import stat

import pytest

from virgate.node.storage.operations.groups import (
    dress_special,
    measure_devices,
    names_of_links,
    own_folder,
    time_read,
    zero_start,
)


def test_a_timed_read_wants_a_whole_block(tmp_path):
    device = tmp_path / "device"
    device.write_bytes(bytes(4096))
    assert 0 <= time_read(str(device)) < 30
    device.write_bytes(b"short")
    with pytest.raises(OSError, match="empty"):
        time_read(str(device))


def test_zeros_end_where_they_are_told_to(tmp_path):
    device = tmp_path / "device"
    device.write_bytes(b"x" * (3 << 20))
    zero_start(str(device), (1 << 20) + 4096)
    data = device.read_bytes()
    assert not any(data[: (1 << 20) + 4096])
    assert data[(1 << 20) + 4096 :] == b"x" * ((2 << 20) - 4096)


def test_only_links_in_folders_are_named(tmp_path):
    for image in ("one", "two"):
        (tmp_path / image).mkdir()
        (tmp_path / image / f"volume of {image}").symlink_to("/nowhere")
    (tmp_path / "one" / "file").touch()
    (tmp_path / "elsewhere").symlink_to(tmp_path / "one")
    assert names_of_links(str(tmp_path)) == ["volume of one", "volume of two"]
    assert names_of_links(str(tmp_path / "missing")) == []


def test_special_volumes_are_open_to_those_who_use_them(tmp_path):
    for name in ("metadata", "ids"):
        (tmp_path / name).touch(0o644)
    group = grp.getgrgid(os.getgid()).gr_name
    dress_special([str(tmp_path / "metadata")], [str(tmp_path / "ids")], (os.getuid(), os.getgid()), group)
    assert stat.S_IMODE((tmp_path / "metadata").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "ids").stat().st_mode) == 0o660
    assert (tmp_path / "ids").stat().st_gid == os.getgid()
    dress_special([], [str(tmp_path / "ids")], None, "no such group")
    own_folder(str(tmp_path), None)
    own_folder(str(tmp_path), (os.getuid(), os.getgid()))


def test_what_is_no_device_cannot_be_measured(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        measure_devices([str(tmp_path / "file")])
