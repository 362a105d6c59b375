"""Sessions: locked, ended, begun, and how hosts hear of it."""

import pytest
from doubles.guest_agent import Somebody, TimedLoop, Told

from virgate_guest import desktop as module
from virgate_guest import orders
from virgate_guest.desktop import Desktop, active, are_locked
from virgate_guest.hooks import Hooks

SCREEN = {"ID": "2", "ACTIVE": "1", "SEAT": "seat0", "TYPE": "wayland", "USER": "zoe"}
REMOTE = {"ID": "1", "ACTIVE": "1", "SEAT": "", "TYPE": "tty", "USER": "bob"}


class Room:
    def __init__(self, folder, *names, sessions=()):
        self.loop, self.children, self.users = TimedLoop(), Told(), Somebody(*names, sessions=sessions)
        self.folder = folder
        hooks = Hooks(self.children, 60, (str(folder),))
        self.desktop = Desktop(self.loop, self.children, self.users, hooks)
        self.told = []
        self.desktop.tell = self.told.append

    def hook(self, event):
        path = self.folder / event / "10_it"
        path.parent.mkdir(parents=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        return str(path)

    def locked(self, hint):
        self.children.outputs["show-session"] = f"LockedHint={hint}\n".encode()


@pytest.fixture(autouse=True)
def _programs(monkeypatch):
    monkeypatch.setattr(module, "program", lambda name: f"/bin/{name}")


@pytest.fixture
def room(tmp_path):
    return Room(tmp_path, "bob", "zoe", sessions=(REMOTE, SCREEN))


def test_where_nobody_is_logged_in_a_host_need_not_wait_for_a_lock(tmp_path):
    room = Room(tmp_path)
    room.desktop.lock()
    assert room.told == ["session-logoff"]
    assert room.children.argvs == []


def test_a_lock_is_told_when_the_screen_really_is_locked_and_so_is_its_end(room):
    room.desktop.lock()
    assert room.children.argvs == [["/bin/loginctl", "lock-sessions"]]
    room.locked("no")
    room.loop.pass_by(0.6)
    assert room.told == []
    room.locked("yes")
    room.loop.pass_by(2)
    assert room.told == ["session-lock"]
    assert room.children.argvs[-1] == ["/bin/loginctl", "show-session", "--property=LockedHint", "2"]
    room.loop.pass_by(60)
    assert room.told == ["session-lock"]
    room.locked("no")
    room.loop.pass_by(16)
    assert room.told == ["session-lock", "session-unlock"]
    assert room.loop.pass_by(1000) == 0, "it is not looked at for ever"


def test_a_screen_that_does_not_lock_is_not_looked_at_for_ever(room):
    room.locked("no")
    room.desktop.lock()
    assert room.loop.pass_by(1000) == 4
    assert room.told == []


def test_terminals_are_never_said_to_be_locked(tmp_path):
    room = Room(tmp_path, "bob", sessions=(REMOTE,))
    room.locked("yes")
    room.desktop.lock()
    room.loop.pass_by(100)
    assert room.told == []


@pytest.mark.parametrize(
    ("answer", "locked"),
    [(b"LockedHint=yes\n\nLockedHint=yes\n", True), (b"LockedHint=yes\nLockedHint=no\n", False), (b"", False)],
)
def test_all_screens_must_be_locked(answer, locked):
    assert are_locked(answer) is locked


def test_the_session_at_the_screen_is_ended(room):
    room.desktop.log_off()
    assert room.children.argvs == [["/bin/loginctl", "terminate-session", "2"]]


def test_an_id_that_is_none_is_never_an_argument():
    assert active([{**SCREEN, "ID": "--help"}]) is None


def test_comings_and_goings_are_told_but_not_who_was_there_from_the_start(room):
    for names in (["zoe"], ["zoe", "bob"], [], [], ["bob"]):
        room.desktop.seen(names)
    assert room.told == ["session-logoff", "session-logon"]


def test_scripts_take_the_place_of_logind(room):
    paths = [room.hook(event) for event in ("lock_screen", "log_off", "login")]
    room.desktop.lock()
    room.desktop.log_off()
    room.desktop.log_in({"username": "al", "password": "pw"})
    assert [argv[0] for argv in room.children.argvs] == paths
    assert room.children.inputs[-1] == b"\0\0\0\x02alpw\0"
    assert "pw" not in str(room.children.argvs) + str(room.children.more)


def test_a_login_needs_a_script_and_a_name(room, capfd):
    room.desktop.log_in({"username": "al", "password": "hunter2"})
    assert room.children.argvs == []
    assert "hunter2" not in capfd.readouterr().err
    with pytest.raises(orders.Refused):
        room.desktop.log_in({"username": "al"})
