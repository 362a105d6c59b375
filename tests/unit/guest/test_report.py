"""What a guest says is believed in its type only."""

import xmlrpc.client
from typing import Any

import pytest
from doubles.guests import Talk, line
from hypothesis import given
from hypothesis import strategies as st

from virgate.node.guest.errors import BadMessage
from virgate.node.guest.messages import LONGEST_TEXT, MOST, Message, parse, wire
from virgate.node.guest.report import NOTES, Report

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
MEMBERS = ["free-ram", "memory-stat", "name", "version", "interfaces", "fqdn", "applications", "disks", "mapping"]
MEMBERS += ["count", "list", "zone", "inet", "hw"]


@given(
    st.sampled_from(sorted(NOTES)), st.dictionaries(st.sampled_from(MEMBERS) | st.text(max_size=5), JSON, max_size=5)
)
def test_whatever_is_said_can_be_told_to_every_client(name: str, arguments: dict[str, Any]) -> None:
    talk = Talk()
    try:
        talk.agent.receive(line(name, **arguments))
    except ValueError:
        return  # hypothesis made no JSON of it
    xmlrpc.client.dumps((talk.shown,), methodresponse=True)


@given(JSON)
def test_anything_becomes_what_every_wire_carries(value: Any) -> None:
    shown = wire(value)
    if shown is not None:
        xmlrpc.client.dumps((shown,), methodresponse=True)


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("host-name", {}),
        ("host-name", {"name": 7}),
        ("host-name", {"name": "a" * (LONGEST_TEXT + 1)}),
        ("network-interfaces", {"interfaces": {}}),
        ("network-interfaces", {"interfaces": [7]}),
        ("disks-usage", {"disks": [{"path": "/", "fs": "xfs", "total": "much", "used": 1}]}),
        ("disks-usage", {"disks": ["/"]}),
        ("number-of-cpus", {"count": True}),
        ("heartbeat", {"free-ram": None}),
        ("heartbeat", {"free-ram": "9" * 5000}),
    ],
)
def test_a_message_with_members_of_another_kind_changes_nothing(name: str, members: dict[str, Any]) -> None:
    report = Report()
    with pytest.raises(BadMessage):
        report.apply(Message(name, members), 0.0)
    assert report == Report()


def test_an_unknown_message_changes_nothing() -> None:
    assert not Report().apply(Message("echo", {"a": 1}), 0.0)


def test_lists_are_kept_up_to_ten_thousand_entries() -> None:
    report = Report()
    report.apply(Message("applications", {"applications": ["a"] * (MOST + 1)}), 0.0)
    assert len(report.told["appsList"]) == MOST


def test_a_container_always_has_names() -> None:
    report = Report()
    report.apply(Message("containers", {"list": [{"id": "1"}, {"id": "2", "names": ["a"]}, 7]}), 0.0)
    assert report.told["guestContainers"] == [{"id": "1", "names": []}, {"id": "2", "names": ["a"]}]


def test_figures_of_memory_are_numbers_as_text_and_others_are_not_taken() -> None:
    report = Report()
    figures = {"mem_total": "2048", "mem_free": 7, "majflt": "many", "swap_in": None, "mem_unused": 1 << 80, "x": 1}
    report.apply(Message("heartbeat", {"free-ram": 5, "memory-stat": figures}), 0.0)
    assert report.memory == {"mem_total": "2048", "mem_free": "7"}


def test_a_reboot_logs_everybody_off() -> None:
    report = Report()
    report.apply(Message("active-user", {"name": "zoe"}), 5.0)
    report.rebooted(9.0)
    assert report.told == {"username": "Unknown", "lastLogin": 5.0, "lastUser": "zoe", "lastLogout": 9.0}


def test_a_name_of_an_object_is_text() -> None:
    for bad in (b'{"__name__": 7}', b'{"a": 1}', b"7", b'"text"', b"null"):
        with pytest.raises(BadMessage):
            parse(bad)
