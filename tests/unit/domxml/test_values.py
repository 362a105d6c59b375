"""Values as old clients send them."""

import pytest

from virgate.domxml import values
from virgate.domxml.errors import CannotCreate
from virgate.errors import InvalidParameter


@pytest.mark.parametrize("value", [True, "true", "True", "TRUE", 1, "1", "2", -1])
def test_words_and_numbers_that_mean_yes(value):
    assert values.flag(value) is True


@pytest.mark.parametrize("value", [False, "false", "yes", "", None, 0, "0", [], "on"])
def test_everything_else_means_no(value):
    assert values.flag(value) is False


@pytest.mark.parametrize("value", [256, "256", " 256 "])
def test_numbers_may_be_text(value):
    assert values.integer({"n": value}, "n") == 256


@pytest.mark.parametrize("value", ["", "x", None, [], "1.5", {}])
def test_what_is_no_number_is_told_by_name(value):
    with pytest.raises(InvalidParameter) as caught:
        values.integer({"memSize": value}, "memSize")
    assert (caught.value.code, caught.value.name) == (1000, "memSize")


def test_a_default_stands_for_nothing_and_for_empty_text():
    assert values.integer({}, "n", 7) == values.integer({"n": ""}, "n", 7) == 7
    assert values.text({"n": ""}, "n", "x") == values.text({}, "n", "x") == "x"
    assert values.struct({"n": ""}, "n") == {}


@pytest.mark.parametrize("path", ["..", "../x", "/a/../b", "/a/..", "a/b/../../../etc", "/a\0b"])
def test_paths_with_a_way_up_are_refused(path):
    with pytest.raises(CannotCreate) as caught:
        values.safe_path("hda", path)
    assert caught.value.code == 9
    assert "hda" in str(caught.value)


@pytest.mark.parametrize("path", ["", None, "/a/b", "/a..b/...", "iso://x"])
def test_other_paths_stay(path):
    assert values.safe_path("hda", path) == (path or "")


@pytest.mark.parametrize("value", ["..", ".", "a/b", "/a", "a\0"])
def test_an_id_is_one_component(value):
    with pytest.raises(CannotCreate):
        values.safe_component("imageID", value)
