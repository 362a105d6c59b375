"""Names of keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.node.vm.keyboard import CODES, UnknownKey, codes


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["LEFTCTRL", "LEFTALT", "DELETE"], [29, 56, 111]),
        ("ctrl-alt-del", [29, 56, 111]),
        ("KEY_A", [30]),
        ("alt+f10", [56, 68]),
        (["f11", "f12", "0", "1", "m"], [87, 88, 11, 2, 50]),
    ],
)
def test_keys_are_pressed_together(keys: object, expected: list[int]) -> None:
    assert codes(keys) == expected


@pytest.mark.parametrize("keys", ["", [], "any", ["a"] * 17, 5.5, None, ["ctrl", ""]])
def test_what_is_no_key_is_refused(keys: object) -> None:
    with pytest.raises(UnknownKey):
        codes(keys)


def test_no_two_keys_share_a_code() -> None:
    assert len(set(CODES.values())) == len(CODES)


@given(st.text() | st.lists(st.text()))
def test_any_text_is_keys_or_refused(keys: object) -> None:
    try:
        assert all(code in CODES.values() for code in codes(keys))
    except UnknownKey:
        pass
