"""Where the command line looks for its daemon."""

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.cli import address
from virgate.cli.address import Address
from virgate.cli.problems import Problem
from virgate.config import places


@pytest.mark.parametrize(
    ("typed", "host", "port"),
    [
        ("virt1", "virt1", 54321),
        ("virt1:99", "virt1", 99),
        ("10.0.0.1:1", "10.0.0.1", 1),
        (":99", "localhost", 99),
        ("virt1:", "virt1", 54321),
        ("fe80::1", "fe80::1", 54321),
        ("[fe80::1]", "fe80::1", 54321),
        ("[fe80::1]:99", "fe80::1", 99),
    ],
)
def test_a_server_is_host_and_port_in_every_usual_form(typed, host, port):
    assert address.read(typed) == Address(host, port)


@pytest.mark.parametrize("typed", ["virt1:port", "virt1:0", "virt1:65536", "[::1]:x", "virt1:-1", "virt1:٣"])
def test_a_port_that_is_none_is_refused_with_the_form_to_write(typed):
    with pytest.raises(click.BadParameter, match=r"write HOST or HOST:PORT"):
        address.read(typed)


hosts = st.one_of(st.ip_addresses().map(str), st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True))


@given(hosts, st.integers(1, 65535))
def test_what_is_printed_reads_back(host, port):
    assert address.read(str(Address(host, port))) == Address(host, port)


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_a_wrong_parameter(text):
    try:
        assert 0 < address.read(text).port < 65536
    except click.BadParameter:
        pass


@pytest.mark.parametrize(("host", "tls"), [("localhost", False), ("127.9.9.9", False), ("::1", False), ("virt1", True)])
def test_everything_but_loopback_is_encrypted_unless_somebody_said_otherwise(host, tls):
    assert Address(host).tls is tls
    assert Address(host, encrypted=True).tls
    assert not Address(host, encrypted=False).tls


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "configuration", lambda: tmp_path)
    return tmp_path / "virgate.toml"


def test_without_settings_the_daemon_is_on_loopback(settings):
    assert str(address.local()) == "127.0.0.1:54321"
    assert not address.local().tls


@pytest.mark.parametrize(
    ("written", "expected", "tls"),
    [
        ("port = 99", "127.0.0.1:99", False),
        ('address = "0.0.0.0"', "127.0.0.1:54321", True),
        ('address = "::"\ntls = false', "127.0.0.1:54321", False),
        ('address = "0.0.0.0"\ntls = "auto"', "127.0.0.1:54321", True),
        ('address = "10.0.0.1"', "10.0.0.1:54321", True),
        ('address = "::1"\ntls = true', "[::1]:54321", True),
    ],
)
def test_the_settings_of_the_local_daemon_say_where_it_is(settings, written, expected, tls):
    settings.write_text(f"[xmlrpc]\n{written}\n")
    assert (str(address.local()), address.local().tls) == (expected, tls)


def test_broken_settings_are_named_with_a_way_around_them(settings):
    settings.write_text("[xmlrpc\n")
    with pytest.raises(Problem) as refused:
        address.local()
    assert str(settings) in refused.value.message
    assert "--server" in refused.value.hint
