"""Bitmaps as QEMU tells them and as clients name them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.errors import InvalidParameter
from virgate.node.storage.images.bitmap import LONGEST_NAME, Bitmap, bitmap_name

BITMAPS = st.builds(Bitmap, st.text(), st.integers(512, 1 << 31), st.booleans(), st.booleans())


@given(BITMAPS)
def test_what_is_told_of_a_bitmap_is_what_qemu_says(bitmap):
    assert Bitmap.read(bitmap.told()) == bitmap


def test_a_program_that_died_leaves_a_bitmap_that_is_not_valid():
    found = Bitmap.read({"name": "b", "granularity": 65536, "flags": ["in-use", "auto"]})
    assert (found.valid, found.enabled) == (False, True)


@pytest.mark.parametrize("name", ["", "\0", "a\nb", "\ud800", "x" * (LONGEST_NAME + 1), "é" * LONGEST_NAME])
def test_a_name_that_qemu_does_not_take_is_refused(name):
    with pytest.raises(InvalidParameter):
        bitmap_name(name)


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=200))
def test_any_other_name_is_taken_as_it_is(name):
    assert bitmap_name(name) == name
