"""`virgate events`: lines for people, JSON for programs, and what is said when the daemon goes."""

import json
import socket

import pytest

from virgate.cli import events
from virgate.cli.client import Client
from virgate.cli.problems import Problem
from virgate.cli.subscriber import heard
from virgate.stomp import Frame, encode

PAUSED = {"method": "|virt|VM_status|v1", "params": {"v1": {"status": "Paused", "pauseCode": "EIO"}, "notify_time": 1}}
UP = {"method": "|virt|VM_status|v2", "params": {"v2": {"status": "Up"} | {f"m{n}": n for n in range(20)}}}
MOVES = {"method": "|virt|VM_migration_status|v2", "params": {"v2": {"progress": 7, "downtime": 50}}}
JOB = {"method": "|jobs|status|j1", "params": {"id": "j1", "status": "failed", "notify_time": 3}}
NET = {"method": "|net|host_conn|no_id", "params": {"notify_time": 3}}


@pytest.fixture
def told(monkeypatch, daemon):
    """What the daemon tells: bytes or documents."""
    daemon.machines(("v1", "web", "Paused"), ("v2", "db", "Up"))

    def tell(*bodies):
        found = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in bodies]
        monkeypatch.setattr(events, "heard", lambda client, queue: iter(found))

    return tell


def test_a_line_says_who_and_what_and_the_short_members(told, run):
    told(PAUSED, UP, MOVES, JOB, NET)
    lines = [line[10:] for line in run("events").stdout.splitlines()]
    assert lines == [
        "web  is Paused  pauseCode=EIO",
        "db  is Up",
        "db  moves: 7 %  downtime=50",
        "job j1  is failed",
        "the host  has other networks",
    ]


def test_programs_get_the_notification_one_per_line(told, run):
    told(PAUSED, b"no JSON", b'{"method": "else"}', b"[]", NET)
    lines = run("--json", "events").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [PAUSED, NET]


def test_one_machine_and_a_number_of_events_can_be_asked_for(told, run):
    told(UP, PAUSED, MOVES, PAUSED, UP)
    assert len(run("events", "--machine", "db", "--count", "2").stdout.splitlines()) == 2


def daemon_that_says(*frames):
    """A client of a daemon that says this and goes."""
    server = socket.create_server(("127.0.0.1", 0))
    client = Client(f"127.0.0.1:{server.getsockname()[1]}", tls=False)
    real = client.link

    def link():
        near = real()
        far, _ = server.accept()
        far.sendall(b"\n".join(map(encode, frames)))
        far.shutdown(socket.SHUT_WR)
        server.close()
        client.far = far
        return near

    client.link = link
    return client


def test_messages_are_heard_until_the_daemon_goes():
    client = daemon_that_says(
        Frame("CONNECTED"), Frame("RECEIPT"), Frame("MESSAGE", {}, b"1"), Frame("MESSAGE", {}, b"2")
    )
    bodies = heard(client, "q")
    assert [next(bodies), next(bodies)] == [b"1", b"2"]
    with pytest.raises(Problem, match="ended the connection"):
        next(bodies)
    client.far.close()


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ((Frame("ERROR", {"message": "not you"}),), "refuses: not you"),
        ((Frame("RECEIPT"),), "said RECEIPT where CONNECTED"),
        ((), "ended the connection"),
    ],
)
def test_a_daemon_that_does_not_want_is_understood(frames, said):
    client = daemon_that_says(*frames)
    with pytest.raises(Problem, match=said):
        next(heard(client, "q"))
    client.far.close()


def test_nobody_there_is_told_as_for_every_command(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as once:
        port = once.getsockname()[1]
    with pytest.raises(Problem, match="Nobody answers"):
        next(heard(Client(f"127.0.0.1:{port}"), "q"))
