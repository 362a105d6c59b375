"""Urls of servers: every form means the same to QEMU, and nothing else gets through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.errors import InvalidParameter
from virgate.node.storage.sdm.nbd_url import NbdUrl

NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=40)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("nbd:unix:/run/a.sock", "nbd+unix:///?socket=/run/a.sock"),
        ("nbd:unix:/run/a b.sock:exportname=x/y", "nbd+unix:///x%2Fy?socket=/run/a%20b.sock"),
        ("nbd+unix:///?socket=/run/a.sock", "nbd+unix:///?socket=/run/a.sock"),
        ("nbd+unix:///x?socket=%2Frun%2Fa%26b", "nbd+unix:///x?socket=/run/a%26b"),
        ("nbd:host:1", "nbd://host:1/"),
        ("nbd:[fd00::1]:10809:exportname=sda", "nbd://[fd00::1]:10809/sda"),
        ("nbd://host.example", "nbd://host.example:10809/"),
        ("nbd://192.0.2.1:65535/a%20b", "nbd://192.0.2.1:65535/a%20b"),
        ("nbd://[fd00::1]/", "nbd://[fd00::1]:10809/"),
    ],
)
def test_every_form_becomes_one(url, told):
    assert str(NbdUrl.read(url)) == told


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "/etc/passwd",
        "file:///etc/passwd",
        "json:{}",
        "nbd:",
        "nbd:unix:",
        "nbd:unix:relative",
        "nbd:unix:/a:file=/etc/passwd",
        "nbd:host",
        "nbd:host:0",
        "nbd:host:65536",
        "nbd:ho,st:1",
        "nbd:[fd00::1%eth0]:1",
        "nbd://",
        "nbd://host:x",
        "nbd://[fd00",
        "nbd://user@host",
        "nbd://host?socket=/a",
        "nbd://host/#x",
        "nbd://ho\tst",
        "nbd://-host",
        "nbd+unix:///x",
        "nbd+unix://host/x?socket=/a",
        "nbd+unix:///x?socket=a",
        "nbd+unix:///x?socket=/a&socket=/b",
        "nbd+unix:///x?socket=/a&tls-creds=b",
        "nbd+unix:///x?socket=/a%00",
        "nbd+unix:///%ff?socket=/a",
        "nbds://host",
        "ssh://host/x",
        "nbd://host/" + "x" * 5000,
    ],
)
def test_nothing_else_is_taken(url):
    with pytest.raises(InvalidParameter):
        NbdUrl.read(url)


@given(st.builds(NbdUrl, socket=NAMES.map("/{}".format), export=NAMES))
def test_a_socket_s_url_says_what_was_read(url):
    assert NbdUrl.read(str(url)) == url


@given(st.builds(NbdUrl, host=st.from_regex(r"[a-z0-9][a-z0-9.-]{0,20}", fullmatch=True),
                 port=st.integers(1, 65535), export=NAMES))  # fmt: skip
def test_a_server_s_url_says_what_was_read(url):
    assert NbdUrl.read(str(url)) == url


@given(st.text(max_size=60).map("nbd{}".format))
def test_whatever_is_read_is_spelled_safely(text):
    try:
        told = str(NbdUrl.read(text))
    except InvalidParameter:
        return
    assert told.startswith(("nbd://", "nbd+unix:///"))
    assert told.isascii() and "," not in told and " " not in told
