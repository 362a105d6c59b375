"""Trying a script out tells what the daemon would make of it."""

import json
import os
import subprocess
import sys

import pytest
import pytest_twisted
from click.testing import CliRunner
from lxml import etree

from virgate import hookspecs
from virgate.cli.hooks import hooks as group
from virgate.hookscripts import samples, trial
from virgate.hookspecs.documents import JsonDocument, Subject, XmlDocument

POINTS = {
    name: point for module in hookspecs.modules() for name, point in hookspecs.points(module).items() if point.scripts
}


async def attempt(runner, script, point="before_vm_start", text=None, custom=None):
    given = trial.arguments(POINTS[point], text, custom or {})
    return await trial.attempt(runner, POINTS[point], str(script), given)


@pytest.mark.parametrize("name", POINTS)
def test_every_point_has_a_sample_of_its_kind(name):
    given = trial.arguments(POINTS[name], None, {})
    assert tuple(given) == trial.parameters(POINTS[name])
    for value in given.values():
        if isinstance(value, XmlDocument):
            assert value.tree.tag == ("domain" if "domain" in given else etree.fromstring(value.text.encode()).tag)
        if isinstance(value, JsonDocument):
            assert json.loads(value.text) == value.value


def test_the_sample_device_fits_the_point():
    kinds = {point: etree.fromstring(samples.device(point).encode()).tag for point in POINTS}
    assert kinds["before_disk_hotplug"] == "disk"
    assert kinds["before_memory_hotplug"] == "memory"
    assert kinds["before_nic_hotplug"] == kinds["before_device_create"] == "interface"


def test_properties_go_to_the_machine_and_text_becomes_the_document():
    given = trial.arguments(POINTS["before_vm_start"], "<a/>", {"p": "v"})
    assert given == {"vm": Subject(trial.SAMPLE_ID, {"p": "v"}), "domain": XmlDocument("<a/>")}


@pytest.mark.parametrize(
    ("point", "text", "custom", "hint"),
    [
        ("before_network_setup", None, {"p": "v"}, "no custom property reaches"),
        ("before_vm_destroy", "<a/>", {}, "has no document"),
        ("before_network_setup", "{", {}, "Expecting property name"),
    ],
)
def test_what_the_point_has_no_place_for_is_refused(point, text, custom, hint):
    with pytest.raises(ValueError, match=hint):
        trial.arguments(POINTS[point], text, custom)


@pytest_twisted.ensureDeferred
async def test_a_change_is_shown_without_differences_of_layout(tree, runner):
    script = tree.write("x", "sed -i -e 's/4<.vcpu/8<\\/vcpu/' -e 's/^ *//' \"$_hook_domxml\"")
    found = await attempt(runner, script)
    assert (found.aborts, found.problem, found.changed, found.used) == (False, "", True, True)
    changes = [line for line in found.diff if line[0] in "+-" and not line.startswith(("---", "+++"))]
    assert changes == ['-  <vcpu current="2">4</vcpu>', '+  <vcpu current="2">8</vcpu>']


@pytest_twisted.ensureDeferred
async def test_a_failure_at_a_logged_point_does_not_abort(tree, runner):
    found = await attempt(runner, tree.write("x", "echo no >&2; exit 2"), "after_vm_start")
    assert (found.aborts, found.problem, found.ended.stderr) == (False, "ended with status 2", "no")


@pytest.mark.parametrize(("point", "aborts"), [("before_vm_start", True), ("after_get_caps", False)])
@pytest_twisted.ensureDeferred
async def test_a_damaged_document_is_no_use_anywhere(tree, runner, point, aborts):
    found = await attempt(runner, tree.write("x", 'echo "<{" > "${_hook_domxml:-$_hook_json}"'), point)
    assert (found.aborts, found.used, found.ended.failed) == (aborts, False, False)
    assert "malformed" in found.problem


def virgate_hooks(*arguments, **environment):
    """`virgate hooks ...` as a process of its own, because it brings its own reactor."""
    code = "from virgate.cli.hooks import hooks; hooks(prog_name='virgate hooks')"
    argv = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, env={**os.environ, "COLUMNS": "100", **environment})


def test_try_shows_verdict_words_and_difference(tree):
    script = tree.write("x", 'echo "cpus: $cpus" >&2; sed -i s/4.*vcpu/$cpus\\<\\\\/vcpu/ "$_hook_domxml"')
    done = virgate_hooks("try", "before_vm_start", script, "--set", "cpus=16")
    assert done.returncode == 0
    assert done.stdout.startswith("PASSES")
    for line in ("cpus: 16", '-  <vcpu current="2">4</vcpu>', '+  <vcpu current="2">16</vcpu>', "a sample document"):
        assert line in done.stdout


def test_try_ends_with_1_when_the_operation_would_be_aborted(tree, tmp_path):
    (tmp_path / "domain.xml").write_text("<domain/>")
    script = tree.write("x", "exit 2")
    done = virgate_hooks("try", "before_vm_start", script, "--xml", tmp_path / "domain.xml", "--json-output")
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert (found["aborts"], found["code"], found["document"], found["diff"]) == (True, 2, "<domain/>", [])


def test_try_colours_the_difference_on_a_terminal(tree):
    script = tree.write("x", 'sed -i s/sample/other/ "$_hook_domxml"')
    done = virgate_hooks("try", "before_vm_start", script, FORCE_COLOR="1")
    assert "\x1b[32m+  <name>other</name>" in done.stdout
    assert "\x1b[31m-  <name>sample</name>" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["before_vm_strat", "x"], "did you mean before_vm_start?"),
        (["before_vm_start", "plain"], "chmod +x"),
        (["before_vm_start", "x", "--set", "novalue"], "expected NAME=VALUE"),
        (["before_vm_start", "x", "--json", "x"], "given with --xml"),
        (["before_get_caps", "x", "--set", "a=b"], "no custom property reaches its scripts"),
        (["before_get_caps", "x", "--json", "x"], "Expecting value"),
        (["before_vm_start", "missing"], "does not exist"),
    ],
)
def test_try_says_what_is_wrong_with_its_arguments(tree, monkeypatch, arguments, hint):
    tree.write("x")
    tree.write("plain", mode=0o644)
    monkeypatch.chdir(tree.root)
    done = CliRunner().invoke(group, ["try", *arguments])
    assert done.exit_code == 2
    assert hint in done.output


@pytest.fixture
def config(tree, tmp_path):
    tree.write("before_vm_start/50_b")
    tree.write("before_vm_start/10_a")
    tree.write("before_vm_start/90_notes", mode=0o644)
    tree.write("before_vm_strat/50_x")
    file = tmp_path / "virgate.toml"
    file.write_text(f'[hooks]\ndirectories = ["{tree.root}"]\n')
    return str(file)


def test_list_names_scripts_in_order_and_what_is_never_run(tree, config):
    done = CliRunner().invoke(group, ["list", "--config", config, "--json-output"])
    found = json.loads(done.output)
    assert len(found["points"]) == 60
    (point,) = (point for point in found["points"] if point["scripts"])
    assert [os.path.basename(path) for path in point["scripts"]] == ["10_a", "50_b"]
    assert {os.path.basename(one["path"]): one["reason"] for one in found["never_run"]} == {
        "90_notes": "not executable",
        "before_vm_strat": "no hook point has this name; did you mean before_vm_start?",
    }


def test_list_shows_people_only_what_is_installed(config):
    done = CliRunner().invoke(group, ["list", "--config", config, "--installed"])
    assert done.exit_code == 0
    assert "before_vm_start  aborts" in done.output
    assert "after_vm_start" not in done.output


def test_list_says_so_when_nothing_is_installed(tmp_path):
    (tmp_path / "virgate.toml").write_text(f'[hooks]\ndirectories = ["{tmp_path}/none"]\n')
    done = CliRunner().invoke(group, ["list", "--config", str(tmp_path / "virgate.toml"), "--installed"])
    assert "No scripts are installed." in done.output


def test_wrong_settings_are_one_line(tmp_path):
    (tmp_path / "virgate.toml").write_text("[hooks]\ntimeout = -1\n")
    done = CliRunner().invoke(group, ["list", "--config", str(tmp_path / "virgate.toml")])
    assert done.exit_code == 1
    assert "timeout" in done.output
