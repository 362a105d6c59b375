"""Names of disks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.domxml.names import disk_index, disk_name, first_free, prefix

INDEX = st.integers(min_value=0, max_value=10**9)
BUSES = st.sampled_from(["ide", "scsi", "virtio", "fdc", "sata", "usb"])


@given(BUSES, INDEX)
def test_a_name_tells_its_index(bus, index):
    assert disk_index(disk_name(bus, index)) == index


@given(INDEX, INDEX)
def test_two_indexes_never_share_a_name(one, other):
    assert (disk_name("virtio", one) == disk_name("virtio", other)) == (one == other)


@given(BUSES, INDEX)
def test_a_name_is_a_prefix_of_two_letters_and_more_letters(bus, index):
    name = disk_name(bus, index)
    assert name.startswith(prefix(bus))
    assert name[2:].isascii() and name[2:].isalpha() and name.islower()


@given(INDEX.filter(lambda index: index >= 26))
def test_a_long_name_never_starts_with_a_zero(index):
    assert not disk_name("ide", index)[2:].startswith("a")


@pytest.mark.parametrize(
    ("bus", "name"), [("ide", "hda"), ("scsi", "sda"), ("virtio", "vda"), ("fdc", "fda"), ("sata", "hda")]
)
def test_the_bus_gives_the_prefix(bus, name):
    assert disk_name(bus, 0) == name


def test_no_disk_is_before_the_first():
    with pytest.raises(ValueError, match="-1"):
        disk_name("ide", -1)


@given(st.sets(st.integers(min_value=0, max_value=30)))
def test_the_first_free_index_is_free_and_none_before_it_is(taken):
    index = first_free(taken)
    assert index not in taken
    assert all(before in taken for before in range(index))
