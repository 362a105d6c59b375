"""How a command ends: words and a way on for people, an object for programs, the exit status for both."""

import json

import pytest

from virgate.cli.problems import HINTS, Problem, Refused


@pytest.fixture
def refusing(daemon):
    daemon.answers["ping"] = Refused("ping", 99, "Recovering")
    return daemon


def test_people_read_what_happened_and_what_to_do_next(run, refusing):
    found = run("host", "ping", code=1)
    assert found.stderr == f"Error: ping: Recovering (code 99)\n{HINTS[99]}\n"
    assert not found.stdout


@pytest.mark.parametrize(
    "line", [("--json", "host", "ping"), ("host", "--json", "ping"), ("host", "ping", "--json")], ids=" ".join
)
def test_programs_get_an_object_on_standard_error_wherever_they_asked_for_it(run, refusing, line):
    found = run(*line, code=1)
    expected = {"message": "ping: Recovering (code 99)", "verb": "ping", "code": 99, "hint": HINTS[99]}
    assert json.loads(found.stderr) == {"error": expected}
    assert not found.stdout


@pytest.mark.parametrize(
    "line", [("vm", "shw"), ("nix",), ("--nix",), ("vm", "show"), ("vm", "create", "a", "--memory", "x")]
)
def test_wrong_arguments_end_with_2_in_either_form(run, daemon, line):
    assert "Error:" in run(*line, code=2).stderr
    assert json.loads(run("--json", *line, code=2).stderr)["error"]["message"]
    assert not daemon.asked


def test_a_word_that_is_nearly_right_is_suggested(run, daemon):
    assert "Did you mean 'show'?" in run("vm", "shw", code=2).stderr


def test_an_answer_no_is_the_end_of_it(run, daemon):
    found = run("storage", "domain", "format", "7b51c643-1cac-4d5f-98bd-30d6d88c530e", code=130)
    assert not daemon.asked
    assert "Stopped." in found.stderr


def test_hints_are_left_out_where_there_are_none():
    assert Problem("It is so.").format_message() == "It is so."
    assert Refused("ping", 7, "No").format_message() == "ping: No (code 7)"


def test_the_version_is_told(run):
    assert run("--version").stdout.startswith("virgate, version ") or "version" in run("--version").stdout


def test_a_libvirt_that_is_away_has_a_hint_of_its_own():
    assert "libvirtd" in Refused("pause", 16, "No connection to libvirt (qemu:///system): refused").hint
    assert not Refused("pause", 16, "Unexpected").hint
