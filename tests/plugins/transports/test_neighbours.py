"""Who is at the other end of a loopback connection."""

import os
import socket

import pytest
import pytest_twisted

from virgate.run.process import run
from virgate_plugins.transports import neighbours
from virgate_plugins.transports.neighbours import Address, Neighbours, UnknownUser, owner

NOBODY = 65534

BODY = b"<methodCall><methodName>ping</methodName><params></params></methodCall>"
PING = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)

STRANGER = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as line:
    line.sendall(sys.stdin.buffer.read())
    print(line.recv(65536).decode())
"""


class Accepted:
    """A connection as a transport, and both its ends."""

    def __init__(self, family=socket.AF_INET):
        host = "127.0.0.1" if family == socket.AF_INET else "::1"
        with socket.socket(family) as door:
            door.bind((host, 0))
            door.listen()
            self.client = socket.create_connection(door.getsockname()[:2])
            self.server, _ = door.accept()
        self.ends = Address(*self.client.getsockname()[:2]), Address(*self.server.getsockname()[:2])

    def getPeer(self):
        return self.ends[0]

    def getHost(self):
        return self.ends[1]

    def close(self):
        self.client.close()
        self.server.close()


@pytest.fixture(params=[socket.AF_INET, socket.AF_INET6], ids=["IPv4", "IPv6"])
def accepted(request):
    made = Accepted(request.param)
    yield made
    made.close()


def test_an_open_connection_is_its_users(accepted):
    assert owner(*accepted.ends) == os.geteuid()


def test_a_socket_that_its_program_has_closed_is_nobodys_although_the_kernel_says_root(accepted):
    accepted.client.sendall(b"POST / HTTP/1.1")
    accepted.client.close()
    assert owner(*accepted.ends) is None
    assert not Neighbours(frozenset({0})).admit(accepted)


def test_a_client_that_ended_its_side_and_still_listens_is_its_users(accepted):
    accepted.client.shutdown(socket.SHUT_WR)
    assert owner(*accepted.ends) == os.geteuid()


def test_a_connection_that_never_was_is_nobodys():
    assert owner(Address("127.0.0.1", 1), Address("127.0.0.1", 2)) is None


def test_an_answer_that_changes_while_it_is_asked_for_counts_as_none(monkeypatch):
    answers = iter([(0, 7), None])
    monkeypatch.setattr(neighbours, "_ask", lambda *ends: next(answers))
    assert owner(Address("127.0.0.1", 1), Address("127.0.0.1", 2)) is None


def test_a_kernel_that_does_not_answer_admits_nobody(monkeypatch, accepted):
    def refuse(*_):
        raise OSError

    monkeypatch.setattr(neighbours.socket, "socket", refuse)
    assert not Neighbours.named([]).admit(accepted)


def test_root_and_the_daemons_own_user_may_always_call():
    assert {0, os.geteuid()} <= Neighbours.named([]).users


def test_users_are_named_by_name_or_number():
    assert Neighbours.named(["nobody", "4711"]).users >= {NOBODY, 4711}


def test_a_star_admits_everybody(accepted):
    assert Neighbours.named(["*"]).admit(accepted)


def test_a_name_nobody_has_is_told():
    with pytest.raises(UnknownUser, match="no-such-user"):
        Neighbours.named(["no-such-user"])


async def said_to_nobody(port, first=PING):
    """What a program of the user nobody is answered; the reactor goes on meanwhile."""
    other = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    done = await run([*other, "/usr/bin/python3", "-c", STRANGER, str(port)], input=first, cwd="/", timeout=30)
    return done.stdout.decode()


@pytest_twisted.ensureDeferred
async def test_a_loopback_port_without_tls_answers_another_user_with_403_and_runs_no_verb(serve):
    served = await serve()
    said = await said_to_nobody(served.port.port)
    assert said.startswith("HTTP/1.1 403 ")
    assert "local_users" in said
    assert "methodResponse" not in said


@pytest_twisted.ensureDeferred
async def test_a_user_who_is_named_is_served(serve):
    served = await serve("xmlrpc.local_users=nobody")
    said = await said_to_nobody(served.port.port)
    assert said.startswith("HTTP/1.1 200 "), said


@pytest_twisted.ensureDeferred
async def test_another_user_who_speaks_stomp_is_told_why_he_is_refused(serve):
    served = await serve()
    said = await said_to_nobody(served.port.port, b"CONNECT\naccept-version:1.2\n\n\0")
    assert said.startswith("ERROR\nmessage:This user may not call\\c [xmlrpc] local_users")
    assert said.endswith("\0\n")
