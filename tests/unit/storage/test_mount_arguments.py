"""Words of clients on their way into a command line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.node.storage.errors import IllegalMountOptions, WrongMountType
from virgate.node.storage.servers.mount_arguments import (
    checked_options,
    checked_remote,
    checked_type,
    joined,
    mount_argv,
    names,
    unmount_argv,
)


@pytest.mark.parametrize(
    "options",
    ["remount", "rw,bind", "RBIND", "move,ro", " bind ", "rw, remount", "x-mount.mkdir", "X-mount.subdir=/etc",
     "helper=/tmp/x", "uhelper=evil", "-o", "--bind", "rw\nro", "rw\0", "ro\x1b[2J"],
)  # fmt: skip
def test_options_that_are_not_those_of_a_new_mount_are_refused(options):
    with pytest.raises(IllegalMountOptions):
        checked_options(options)


@pytest.mark.parametrize(
    "options", ["", "ro", "soft,timeo=600", "mon_addr=1.2.3.4:3300/5.6.7.8:3300,name=admin", 'context="a b"', "noexec"]
)
def test_options_of_storage_pass(options):
    assert checked_options(options) == options


@pytest.mark.parametrize("type", ["", "-t", "nfs,ext4", "nonfs", "a b", "ext4\n", "../x", "x" * 65, "none"])
def test_what_cannot_be_a_file_system_is_refused(type):
    with pytest.raises(WrongMountType):
        checked_type(type)


@pytest.mark.parametrize("type", ["nfs", "fuse.sshfs", "ceph", "ext4", "gpfs", "9p"])
def test_file_systems_pass(type):
    assert checked_type(type) == type


@pytest.mark.parametrize("remote", ["", "-x", "a\nb", "\0"])
def test_what_is_no_place_is_refused(remote):
    with pytest.raises(IllegalMountOptions):
        checked_remote(remote)


def test_a_command_line_has_the_place_behind_its_options():
    assert mount_argv("nas:/e", "/m", "nfs", "soft") == ["mount", "-t", "nfs", "-o", "soft", "--", "nas:/e", "/m"]
    assert mount_argv("/e", "/m", "none", "bind") == ["mount", "-t", "none", "-o", "bind", "--", "/e", "/m"]
    assert unmount_argv("/m") == ["umount", "-f", "-l", "--", "/m"]


@given(st.text(), st.text(), st.text())
def test_no_words_of_a_client_become_options_of_the_program(remote, type, options):
    try:
        argv = mount_argv(remote, "/m", type, options)
    except (IllegalMountOptions, WrongMountType):
        return
    end = argv.index("--")
    assert argv[end:] == ["--", remote, "/m"]
    flags = argv[1:end:2]
    assert set(flags) <= {"-t", "-o"} and len(flags) == len(set(flags))
    assert not any(value.startswith("-") for value in argv[2:end:2])


def test_options_are_joined_and_named():
    assert joined("soft", "", "ro") == "soft,ro"
    assert names("soft,timeo=5, ro") == {"soft", "timeo", "ro"}
