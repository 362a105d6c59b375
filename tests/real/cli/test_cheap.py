"""Commands against a real daemon whose hypervisor is libvirt's test driver."""

import json

import pytest

MACHINE = {"vmName": "mine", "memSize": 64, "devices": []}


@pytest.fixture
def machine(cheap, tmp_path):
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(MACHINE))
    yield cheap.json("vm", "start-from", str(file))["vmId"]
    cheap.virgate("vm", "destroy", "mine")


@pytest.mark.parametrize("noun", ["caps", "stats", "hardware", "ping"])
def test_the_host_tells_about_itself_to_people_and_programs(cheap, noun):
    assert cheap.do("host", noun)
    assert isinstance(cheap.json("host", noun), dict)


def test_a_machine_lives_and_ends_by_its_name(cheap, machine):
    assert [one["status"] for one in cheap.json("vm", "list") if one["vmId"] == machine] == ["Up"]
    for verb, status in (("pause", "Paused"), ("cont", "Up")):
        assert "mine" in cheap.do("vm", verb, "mine")
        assert cheap.json("vm", "show", machine[:8])["status"] == status
    assert cheap.json("vm", "stats", "mine")["vmId"] == machine
    assert "mine" in cheap.do("vm", "stats")
    cheap.do("vm", "destroy", "mine")
    assert "No machine is called mine" in cheap.do("vm", "show", "mine", code=1)


def test_a_machine_that_libvirt_has_and_we_did_not_make_is_external(cheap):
    (theirs,) = [one for one in cheap.json("vm", "list") if one["vmName"] == "test"]
    assert theirs["external"]
    assert "external" in cheap.do("vm", "list")


def test_a_second_machine_of_a_name_is_refused(cheap, machine):
    assert "already" in cheap.do("vm", "create", "mine", code=1)


def test_any_verb_can_be_called(cheap, machine):
    assert cheap.do("call", "ping") == "Done.\n"
    assert cheap.json("call", "list", "false", json.dumps([machine]))["vmList"][0]["vmId"] == machine
    assert "virgate verbs" in cheap.do("call", "setupNetworks", "{}", code=1)
    assert "virgate verbs" in cheap.do("call", "nix", code=1)


def test_a_refusal_is_an_object_with_the_code_of_the_api(cheap):
    error = json.loads(cheap.do("--json", "call", "getVmStats", "nix", code=1))["error"]
    assert (error["code"], error["verb"]) == (1, "getVmStats")


def test_storage_without_a_pool_says_how_to_get_one(cheap):
    assert "virgate storage server connect" in cheap.do("storage", "domain", "list")
    assert "virgate storage pool create" in cheap.do("storage", "pool", "show", code=1)
    assert "virgate storage server connect" in cheap.do("storage", "domain", "show", "nix", code=1)
    assert "(code 469)" in cheap.do("storage", "server", "connect", "/nix/da", code=1)


def test_plugins_hooks_and_verbs_are_listed(cheap):
    assert "xmlrpc" in cheap.do("plugins", "list")
    assert "before_vm_start" in cheap.do("hooks", "list")
    assert {one["xmlrpc"] for one in cheap.json("verbs")} >= {"create", "getVmStats"}
    assert cheap.do("task", "list") == "No tasks.\n"


def test_a_script_is_tried_with_its_verdict_as_exit_status(cheap, tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho no such thing >&2\nexit 2\n")
    script.chmod(0o755)
    line = ("hooks", "try", "before_vm_start", str(script))
    done = cheap.virgate("--json", *line)
    assert (done.returncode, json.loads(done.stdout)["stderr"].strip()) == (1, "no such thing")
    script.write_text("#!/bin/sh\n")
    assert "PASSES" in cheap.do(*line)
    assert (
        "there is no hook point"
        in json.loads(cheap.do("--json", "hooks", "try", "nix", str(script), code=2))["error"]["message"]
    )
    assert cheap.json("hooks", "list")["points"]


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (("--server", "127.0.0.1:1"), "Is virgated running?"),
        (("--server", "nosuch.invalid", "--no-tls"), "HOST:PORT"),
        (("--tls", "--pki", "/nix"), "virgate pki init"),
    ],
)
def test_a_daemon_that_cannot_be_reached_is_named_with_what_to_look_at(cheap, options, hint):
    assert hint in cheap.do(*options, "vm", "list", code=1)


def test_encryption_where_there_is_none_is_told_apart(cheap, tmp_path):
    cheap.do("pki", "init", "--folder", str(tmp_path / "pki"))
    assert "--no-tls" in cheap.do("--tls", "--pki", str(tmp_path / "pki"), "vm", "list", code=1)
