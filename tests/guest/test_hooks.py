"""The administrator's scripts in the guest."""

import pytest
from doubles.guest_agent import Told

from virgate_guest.hooks import MOST_WAITING, Hooks


def script(folder, event, name, mode=0o755):
    path = folder / event / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return str(path)


@pytest.fixture
def folders(tmp_path):
    return tmp_path / "ours", tmp_path / "old"


def test_scripts_of_both_folders_run_in_one_order(folders):
    ours, old = folders
    wanted = [script(ours, "e", "10_a"), script(old, "e", "20_b"), script(ours, "e", "30_c")]
    children, done = Told(), []
    Hooks(children, 60, (str(ours), str(old))).run("e", lambda: done.append(True), failure="1")
    assert [argv[0] for argv in children.argvs] == wanted
    assert children.more[0] == {"VIRGATE_GUEST_EVENT": "e", "failure": "1"}
    assert done == [True]


def test_an_event_without_a_folder_is_done_at_once(folders):
    done = []
    Hooks(Told(), 60, tuple(map(str, folders))).run("before_migration", lambda: done.append(True))
    assert done == [True]


@pytest.mark.parametrize("mode", [0o644, 0o757, 0o722])
def test_a_file_that_anybody_may_have_written_is_not_run(folders, mode, capfd):
    script(folders[0], "e", "10_a", mode)
    children = Told()
    Hooks(children, 60, (str(folders[0]),)).run("e", lambda: None)
    assert children.argvs == []
    assert "is not run" in capfd.readouterr().err


def test_a_script_that_hangs_is_told_and_the_next_runs(folders, capfd):
    for name in ("10_hangs", "20_next"):
        script(folders[0], "e", name)
    children, done = Told(None, 0), []
    Hooks(children, 60, (str(folders[0]),)).run("e", lambda: done.append(True))
    assert (len(children.argvs), done) == (2, [True])
    assert "did not end" in capfd.readouterr().err


class Waiting(Told):
    """Children that end when a test says so."""

    def __init__(self):
        super().__init__()
        self.ends = []

    def run(self, argv, done, limit, given=b"", **more):
        self.argvs.append(argv)
        self.ends.append(done)


def test_events_wait_for_each_other_and_too_many_are_left_out(folders, capfd):
    script(folders[0], "e", "10_a")
    children, done = Waiting(), []
    hooks = Hooks(children, 60, (str(folders[0]),))
    for number in range(MOST_WAITING + 3):
        hooks.run("e", lambda number=number: done.append(number))
    assert len(children.argvs) == 1
    assert done == [MOST_WAITING + 1, MOST_WAITING + 2], "they are answered all the same"
    while len(done) < MOST_WAITING + 3:
        children.ends.pop()(0, b"")
    assert done[2:] == list(range(MOST_WAITING + 1))
