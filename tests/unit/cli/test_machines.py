"""Finding machines by what people type, and waiting for them."""

import pytest

from virgate.cli.machines import find, wait_until_down, wait_until_started
from virgate.cli.problems import Problem, Stopped

A, B = "7b51c643-1cac-4d5f-98bd-30d6d88c530e", "7b999999-a61d-4069-bdee-168ff136839a"


@pytest.mark.parametrize(("typed", "meant"), [(A, A), ("7b51", A), ("first", A), ("second", B), ("7b9", B)])
def test_a_machine_is_found_by_id_beginning_or_name(daemon, client, typed, meant):
    daemon.machines((A, "first", "Up"), (B, "second", "Up"))
    assert find(client, typed)["vmId"] == meant


def test_a_name_wins_over_the_beginning_of_an_id(daemon, client):
    daemon.machines((A, "first", "Up"), (B, "7b51", "Up"))
    assert find(client, "7b51")["vmId"] == B


@pytest.mark.parametrize(
    ("typed", "said", "hint"),
    [
        ("nix", "No machine is called nix.", "virgate vm list"),
        ("7b", f"may be any of {A} (Up), {B} (Down)", "beginning"),
    ],
)
def test_nobody_is_guessed(daemon, client, typed, said, hint):
    daemon.machines((A, "first", "Up"), (B, "second", "Down"))
    with pytest.raises(Problem) as refused:
        find(client, typed)
    assert said in refused.value.message
    assert hint in refused.value.hint


def test_starting_is_waited_for(daemon, client):
    (machine,) = daemon.machines((A, "first", "WaitForLaunch"))
    listing = daemon.answers["list"]

    def later(full, ids=()):
        if len(daemon.asked) == 3:
            machine["status"] = "Up"
        return listing(full, ids)

    daemon.answers["list"] = later
    assert wait_until_started(client, A, "first") == "Up"


def test_a_machine_that_does_not_start_says_why_and_how_to_forget_it(daemon, client):
    (machine,) = daemon.machines((A, "first", "Down"))
    machine.update(exitMessage="no such disk", exitReason=1)
    with pytest.raises(Problem) as refused:
        wait_until_started(client, A, "first")
    assert refused.value.message == "first did not start: no such disk"
    assert "virgate vm destroy 7b51c643" in refused.value.hint
    assert refused.value.fields == {"vmId": A, "exitReason": 1}


def test_a_machine_that_somebody_else_destroyed_ends_the_waiting(daemon, client):
    daemon.machines()
    with pytest.raises(Problem, match="is gone"):
        wait_until_down(client, A, "first")


def test_ctrl_c_ends_the_waiting_and_not_the_start(daemon, client):
    daemon.answers["list"] = KeyboardInterrupt()
    with pytest.raises(Stopped, match="first goes on starting") as stopped:
        wait_until_started(client, A, "first")
    assert stopped.value.exit_code == 130
