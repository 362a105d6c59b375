"""The kernel's table of mounts: read, searched, compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.node.storage.servers.mount_table import Mount, bound, holding, parse, same_source, same_type, seen_at

TABLE = rb"""22 28 0:21 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
40 22 0:45 / /srv/dc/mnt/nas:_exp rw shared:9 master:3 - nfs4 nas:/exp rw,vers=4.2,soft
41 22 0:46 / /srv/a\040b rw - fuse.glusterfs nas:vol rw
rubbish
42 22 0:47 /sub /srv/dc/mnt/nas:_exp rw - nfs nas:/other rw

43 22 8:1 /deep/er /bound rw - ext4 /dev/sda1 rw
44 22 8:1 / /data rw - ext4 /dev/sda1 rw
"""


def test_entries_are_read_with_their_escapes_undone():
    found = parse(TABLE)
    assert [mount.point for mount in found] == [
        "/",
        "/srv/dc/mnt/nas:_exp",
        "/srv/a b",
        "/srv/dc/mnt/nas:_exp",
        "/bound",
        "/data",
    ]
    assert found[1] == Mount("/srv/dc/mnt/nas:_exp", "nas:/exp", "nfs4", "0:45", "/", "rw,vers=4.2,soft")


def test_what_was_mounted_last_is_what_is_seen():
    found = parse(TABLE)
    assert seen_at(found, "/srv/dc/mnt/nas:_exp").source == "nas:/other"
    assert seen_at(found, "/srv/dc/mnt") is None


def test_a_path_lies_in_the_deepest_mount_around_it():
    found = parse(TABLE)
    assert holding(found, "/srv/dc/mnt/nas:_exp/x").source == "nas:/other"
    assert holding(found, "/srv/dc/mnt/nas:_expanded").source == "/dev/vda1"
    assert holding([], "/x") is None


def test_a_bind_mount_is_known_by_what_it_shows():
    found = parse(TABLE)
    mount = seen_at(found, "/bound")
    assert bound(found, mount, "/data/deep/er")
    assert not bound(found, mount, "/data/deep")
    assert not bound(found, mount, "/srv/deep/er")


def test_a_bind_mount_of_nfs_is_known_by_its_source():
    found = [
        Mount("/net/nas", "nas:/exp", "nfs4", "0:28"),
        Mount("/mnt/x", "nas:/exp/a", "nfs4", "0:28"),
        Mount("/mnt/y", "nas:/exp", "nfs4", "0:28"),
    ]
    assert bound(found, found[1], "/net/nas/a") and bound(found, found[2], "/net/nas")
    assert not bound(found, found[1], "/net/nas/b") and not bound(found, found[2], "/net/nas/a")


@pytest.mark.parametrize(
    ("source", "type", "remote", "same"),
    [
        ("nas:/exp", "nfs4", "nas:/exp/", True),
        ("nas:/exp", "nfs4", "nas://exp", True),
        ("nas:/exp", "nfs4", "nas:/other", False),
        ("nas:vol", "fuse.glusterfs", "nas:/vol", True),
        ("nas:vol", "nfs", "nas:/vol", False),
        ("[::1]:/e", "nfs4", "[::1]:/e", True),
    ],
)
def test_one_place_may_be_written_in_several_ways(source, type, remote, same):
    assert same_source(Mount("/m", source, type, "0:1"), remote) is same


@pytest.mark.parametrize(
    ("found", "asked", "same"),
    [
        ("nfs4", "nfs", True),
        ("nfs", "nfs4", True),
        ("fuse.glusterfs", "glusterfs", True),
        ("ceph", "nfs", False),
        ("ext4", "auto", True),
        ("ext4", "ext4", True),
        ("ext3", "ext4", False),
        ("xfs", "none", True),
    ],
)
def test_the_kernels_name_of_a_type_is_recognised(found, asked, same):
    assert same_type(Mount("/m", "s", found, "0:1"), asked) is same


def escaped(text):
    return b"".join(
        b"\\%03o" % byte if byte in b" \t\n\\" else bytes([byte]) for byte in text.encode(errors="surrogateescape")
    )


words = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1)


@given(words, words, words, st.lists(st.sampled_from([b"shared:1", b"master:2", b"unbindable"])))
def test_any_name_survives_the_table(point, source, type, optional):
    fields = [b"1", b"2", b"0:9", b"/", escaped(point), b"rw", *optional, b"-", escaped(type), escaped(source), b"rw"]
    assert parse(b" ".join(fields) + b"\n") == [Mount(point, source, type, "0:9", "/", "rw")]


@given(st.binary())
def test_no_table_breaks_the_reader(table):
    for mount in parse(table):
        holding(parse(table), mount.point)
