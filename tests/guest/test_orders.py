"""Commands of a host that is not trusted with more than they say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate_guest import orders

ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers())


@given(ANYTHING, ANYTHING, ANYTHING)
def test_whatever_a_host_says_shutdown_gets_a_way_some_minutes_and_one_line(timeout, message, reboot):
    way, minutes, said = orders.shutdown({"timeout": timeout, "message": message, "reboot": reboot})
    assert way in ("-h", "-r")
    assert minutes[0] == "+" and 0 <= int(minutes[1:]) <= 7 * 24 * 60
    assert said[0] == said[-1] == '"'
    assert said[1:-1].isprintable() or all(char >= " " for char in said)
    assert len(said) <= orders.LONGEST_MESSAGE + 2


@pytest.mark.parametrize(("seconds", "minutes"), [(0, 0), (1, 1), (30, 1), (60, 1), (61, 2), (-5, 0), ("90", 2)])
def test_seconds_become_minutes_never_too_few(seconds, minutes):
    assert orders.shutdown({"timeout": seconds})[1] == f"+{minutes}"


def test_a_message_cannot_write_to_a_terminal_what_is_no_text():
    assert orders.message("a\x1b[2Jb\r\nc\x00d") == "a [2Jb c d"


@pytest.mark.parametrize(("value", "reboot"), [("True", True), (" true ", True), ("False", False), (True, False)])
def test_only_the_word_means_a_reboot(value, reboot):
    assert orders.is_reboot(value) is reboot


@pytest.mark.parametrize("state", ["", "disk; reboot", None, 1, ["disk"], "freeze"])
def test_a_sleep_that_is_none_is_refused(state):
    with pytest.raises(orders.Refused):
        orders.sleep_state({"state": state})


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"username": "al"},
        {"password": "x"},
        {"username": "", "password": "x"},
        {"username": "a\0", "password": ""},
        {"username": "al", "password": 5},
        {"username": "a" * 2000, "password": ""},
    ],
)
def test_a_login_that_is_none_is_refused_and_says_nothing_of_it(arguments):
    with pytest.raises(orders.Refused) as refused:
        orders.credentials(arguments)
    assert str(refused.value) in ("login: no username", "login: no password")


@given(st.text(min_size=1, max_size=100), st.text(max_size=100))
def test_a_block_holds_name_and_password(name, password):
    if "\0" in name + password:
        return
    block = orders.credentials({"username": name, "password": password})
    length = int.from_bytes(block[:4], "big")
    assert block[4 : 4 + length] == name.encode("utf-8", "replace")
    assert block[4 + length :] == password.encode("utf-8", "replace") + b"\0"
    assert len(block) < 4096, "a pipe holds it"


@given(st.dictionaries(st.sampled_from(["type", "reply_id"]), ANYTHING))
def test_an_event_is_one_of_four_folders_or_none(arguments):
    assert orders.event(arguments) in (*orders.EVENTS, None)
    assert orders.reply_id(arguments) is None or arguments["reply_id"]
