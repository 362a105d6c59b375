import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.api import wire
from virgate.errors import InvalidParameter

VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.lists(st.none())
    | st.just({})
)


@pytest.mark.parametrize("value", ["7", 7, " 7 ", "-7", "0", True, 2**40, str(2**40)])
def test_integers_arrive_as_numbers_or_decimal_strings(value):
    assert wire.integer(value) == int(value)
    assert type(wire.integer(value)) is int


@pytest.mark.parametrize("value", ["", "x", "1.5", 1.5, None, [], {}, b"1", "0x10", "9" * 5000])
def test_what_is_no_integer_is_invalid(value):
    with pytest.raises(InvalidParameter):
        wire.integer(value)


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        (True, True), ("true", True), ("True", True), ("TRUE", True), (1, True), ("1", True), (2, True), (-1, True),
        (False, False), ("false", False), (0, False), ("0", False), ("", False), ("yes", False), (None, False),
        ([], False), ({}, False),
    ],
)  # fmt: skip
def test_flags_are_true_for_true_and_numbers_that_are_not_zero(value, meaning):
    assert wire.flag(value) is meaning


def test_flags_that_are_only_tested_take_any_word_for_true():
    assert wire.truthy("false") is True
    assert wire.truthy("") is False


@pytest.mark.parametrize("value", ["a3f0c1de-0000-1111-2222-0123456789ab", wire.BLANK_UUID])
def test_ids_are_lower_case_and_of_the_usual_form(value):
    assert wire.uuid(value) == value


@pytest.mark.parametrize(
    "value", ["", "v1", wire.BLANK_UUID.replace("0", "A"), wire.BLANK_UUID + "\n", None, 5, "٣" * 36]
)
def test_other_ids_are_invalid(value):
    with pytest.raises(InvalidParameter):
        wire.uuid(value)


@given(VALUES)
def test_every_converter_answers_or_says_invalid(value):
    for convert in (wire.text, wire.uuid, wire.integer, wire.flag, wire.struct, wire.array):
        try:
            convert(value)
        except InvalidParameter as error:
            assert error.code == 1000


@pytest.mark.parametrize(
    ("convert", "good", "bad"), [(wire.struct, {"a": 1}, [1]), (wire.array, [1], {"a": 1}), (wire.text, "x", {})]
)
def test_containers_and_texts_are_not_mixed_up(convert, good, bad):
    assert convert(good) == good
    with pytest.raises(InvalidParameter):
        convert(bad)
