"""What the client says when it cannot speak to the daemon."""

import http.client
import socket
import ssl
import xmlrpc.client

import pytest

from virgate.cli import client
from virgate.cli.address import Address

PLAIN, SECURE = Address("virt1", encrypted=False), Address("virt1", encrypted=True)


@pytest.mark.parametrize(
    ("where", "error", "message", "hint"),
    [
        (PLAIN, ConnectionRefusedError(), "Nobody answers at virt1:54321.", "Is virgated running?"),
        (PLAIN, socket.gaierror(-2, "Name or service not known"), "There is no host virt1", "HOST:PORT"),
        (PLAIN, TimeoutError(), "does not answer in time", "firewall"),
        (PLAIN, http.client.RemoteDisconnected("closed"), "virt1:54321: closed", "--tls tries"),
        (SECURE, ConnectionResetError("reset"), "virt1:54321: reset", "--no-tls"),
        (PLAIN, xmlrpc.client.ProtocolError("u", 403, "Forbidden", {}), "from this user", "local_users"),
        (PLAIN, xmlrpc.client.ProtocolError("u", 404, "Not Found", {}), "HTTP 404 Not Found", "a virgated"),
    ],
)
def test_every_way_not_to_reach_it_is_told_apart(where, error, message, hint):
    problem = client._unreachable(where, error)
    assert message in problem.message
    assert hint in problem.hint


def test_a_port_that_does_not_encrypt_is_told_from_keys_that_do_not_fit():
    for reason, hint in (("WRONG_VERSION_NUMBER", "--no-tls"), ("CERTIFICATE_VERIFY_FAILED", "virgate pki show")):
        error = ssl.SSLError(1, reason.lower())
        error.reason = reason
        assert hint in client._not_encrypted(SECURE, error).hint


def test_a_daemon_that_takes_the_call_and_is_silent_is_left_when_there_is_no_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(client.Problem, match="in time"):
            client.Client(f"127.0.0.1:{port}", hurry=0.1).call("ping")


def test_keys_that_are_not_there_are_named_with_how_to_make_them(tmp_path):
    with pytest.raises(client.Problem) as refused:
        client.Client("virt1", pki=tmp_path).call("ping")
    assert str(tmp_path) in refused.value.message
    assert "virgate pki init" in refused.value.hint
