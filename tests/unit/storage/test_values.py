"""Words and numbers of the old API."""

import pytest

from virgate.errors import InvalidParameter
from virgate.node.storage.domains.making import check_name
from virgate.node.storage.errors import IncorrectFormat, IncorrectType, WrongClass, WrongStatus
from virgate.node.storage.formats.volume_metadata import Allocation, VolumeFormat
from virgate.node.storage.pools.making import lease_parameters
from virgate.node.storage.repository import part
from virgate.node.storage.values import Class, Status, is_blank, new_allocation, new_format, size_in_bytes


@pytest.mark.parametrize("word", ["active", "ACTIVE", "Active"])
def test_a_status_is_read_in_any_case(word):
    assert Status.read(word) is Status.ACTIVE


def test_inactive_is_an_old_word_for_attached():
    assert Status.read("inactive") is Status.ATTACHED
    with pytest.raises(WrongStatus):
        Status.read("locked")


def test_a_class_is_a_number_also_in_text():
    assert (Class.numbered(1), Class.numbered("2")) == (Class.Data, Class.Iso)
    for wrong in (9, "x", None, ""):
        with pytest.raises(WrongClass):
            Class.numbered(wrong)


def test_only_real_formats_and_allocations_are_made():
    assert (new_format(4), new_allocation(1)) == (VolumeFormat.COW, Allocation.PREALLOCATED)
    for wrong in (0, 3, 9):
        with pytest.raises(IncorrectFormat):
            new_format(wrong)
        with pytest.raises(IncorrectType):
            new_allocation(wrong)


@pytest.mark.parametrize("given", [1, 1.5, None, True, "-1", "", "1k", "1.5", "٣ x"])
def test_a_size_is_decimal_digits_in_text(given):
    with pytest.raises(InvalidParameter):
        size_in_bytes("size", given)


@pytest.mark.parametrize("given", ["--5", "5-", "- 5", "\u0665", "1" * 5000, "1_0", "0x10", "1e3"])
def test_what_only_looks_like_a_size_is_refused(given):
    with pytest.raises(InvalidParameter):
        size_in_bytes("size", given, least=-100)


def test_sizes_beyond_32_bits_are_fine():
    assert size_in_bytes("size", "10737418240") == 10737418240
    assert size_in_bytes("size", "-1", least=-1) == -1


@pytest.mark.parametrize("wrong", ["", ".", "..", "a/b", "5F1E0A52-7C1D-4F0E-9D5B-0C9D8A3E2001", None, 7])
def test_only_an_id_becomes_a_path_component(wrong):
    with pytest.raises(InvalidParameter):
        part(wrong)


def test_blank_is_no_id_at_all():
    assert is_blank(None) and is_blank("") and is_blank("00000000-0000-0000-0000-000000000000")
    assert not is_blank("5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e2001")


def test_v52_lease_times_count_only_all_together():
    assert lease_parameters(5, 60, 10, 0) is None
    assert lease_parameters(7, 61, 11, 4).renewal_interval == 7


def test_old_domains_keep_ascii_names_and_no_name_has_two_lines():
    check_name("café", 3)
    for name, version in (("café", 2), ("two\nlines", 5), ("a\0b", 5)):
        with pytest.raises(Exception) as caught:
            check_name(name, version)
        assert caught.value.code in (4900, 1000)
