"""What commands ask of the daemon, and what they say when it is done."""

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.cli import main
from virgate.cli.problems import Refused
from virgate.cli.storage.volume import Bytes

ID = "7b51c643-1cac-4d5f-98bd-30d6d88c530e"
POOL, DOMAIN = "c114d7ae-d37a-46a5-886a-c3d1a60749a6", "16af8ae5-4e19-4d56-ae16-a764ce82ebf2"
IMAGE, VOLUME = "6877ea8b-6f17-486b-af75-2c1695d1ea3a", "d50a016a-617c-4017-aeb6-159adc46c0fe"


def leaves(command, *words):
    if not isinstance(command, click.Group):
        return [(words, command)]
    context = click.Context(command)
    names = command.list_commands(context)
    return [leaf for name in names for leaf in leaves(command.get_command(context, name), *words, name)]


@pytest.mark.parametrize(
    ("words", "command"), leaves(main), ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_every_command_says_what_it_does_and_takes_json(words, command):
    assert command.help
    assert command.help.splitlines()[0].endswith((".", "name.", "for each."))
    assert any("--json" in one.opts for one in command.params)
    for one in command.params:
        assert isinstance(one, click.Argument) or one.help, one


@pytest.mark.parametrize(
    ("typed", "count"), [("1", 1), ("10G", 10 << 30), ("512MiB", 512 << 20), ("2 tb", 2 << 40), ("3k", 3 << 10)]
)
def test_sizes_are_read_as_people_write_them(typed, count):
    assert Bytes().convert(typed, None, None) == count


@pytest.mark.parametrize("typed", ["", "0", "-1", "1.5G", "G", "1x", "1e9", "10GG", "٣G"])
def test_what_is_no_size_is_refused_with_the_form_to_write(typed):
    with pytest.raises(click.BadParameter, match="10G or 512M"):
        Bytes().convert(typed, None, None)


@given(st.integers(1, 1 << 60))
def test_digits_alone_are_bytes(count):
    assert Bytes().convert(str(count), None, None) == count


@pytest.mark.parametrize(
    ("command", "verb", "said"),
    [
        ("pause", "pause", "first is paused"),
        ("cont", "cont", "first goes on"),
        ("reset", "reset", "first was reset"),
        ("destroy", "destroy", "first is gone"),
    ],
)
def test_a_machine_is_commanded_by_its_name(run, daemon, command, verb, said):
    daemon.machines((ID, "first", "Up"))
    daemon.answers[verb] = {}
    assert said in run("vm", command, "first").stdout
    assert daemon.asked[-1] == (verb, ID)
    assert run("vm", command, "first", json_=True) == {"vmId": ID}


def test_create_describes_the_machine_and_waits_until_it_runs(run, daemon, tmp_path):
    daemon.machines()
    kernel = tmp_path / "vmlinuz"
    kernel.touch()

    def create(params):
        daemon.machines((params["vmId"], params["vmName"], "Up"))
        return {"vmList": {"vmId": params["vmId"], "vmName": params["vmName"], "status": "WaitForLaunch"}}

    daemon.answers |= {"create": create, "getVolumeInfo": {"info": {"format": "COW"}}}
    disk = f"{POOL}/{DOMAIN}/{IMAGE}/{VOLUME}"
    line = [
        "--memory",
        "64",
        "--disk",
        disk,
        "--network",
        "br0",
        "--kernel",
        str(kernel),
        "--custom",
        "a=b=c",
        "--paused",
    ]
    assert "first" in run("vm", "create", "first", *line).stdout
    (params,) = next(arguments for verb, *arguments in daemon.asked if verb == "create")
    assert (params["memSize"], params["custom"], params["launchPaused"]) == ("64", {"a": "b=c"}, "true")
    assert params["kernel"] == str(kernel)
    found, nic, console = params["devices"]
    assert (found["volumeID"], found["format"]) == (VOLUME, "cow")
    assert (nic["network"], console["device"]) == ("br0", "console")


def test_a_name_that_is_taken_is_refused_before_anything_is_made(run, daemon):
    daemon.machines((ID, "first", "Down"))
    assert "virgate vm destroy first" in run("vm", "create", "first", code=1).stderr
    assert "create" not in daemon.verbs()


@pytest.mark.parametrize("wrong", ["a", "=b", ""])
def test_a_custom_property_is_name_and_value(run, daemon, wrong):
    daemon.machines()
    assert "NAME=VALUE" in run("vm", "create", "first", "--custom", wrong, code=2).stderr


def test_shutdown_hands_everything_on_and_tells_why_the_machine_ended(run, daemon):
    (machine,) = daemon.machines((ID, "first", "Down"))
    machine.update(exitReason=7, exitMessage="User shut down from within the guest")
    daemon.answers["shutdown"] = {}
    line = ["--delay", "3", "--message", "bye", "--timeout", "9", "--force", "--wait"]
    assert "User shut down" in run("vm", "shutdown", "first", *line).stdout
    assert ("shutdown", ID, "3", "bye", False, "9", True) in daemon.asked
    assert "asked to reboot" in run("vm", "shutdown", "first", "--reboot", "--wait").stdout


def test_the_list_tells_why_machines_are_down_and_which_are_not_ours(run, daemon):
    first, second = daemon.machines((ID, "first", "Down"), (VOLUME, "second", "Up"))
    first["exitMessage"], second["external"] = "no such disk", True
    shown = run("vm", "list", columns=80).stdout
    assert "no such disk" in shown
    assert "external" in shown


def test_statistics_are_a_line_for_each_machine_or_everything_of_one(run, daemon):
    daemon.machines((ID, "first", "Up"))
    found = {
        "statsList": [
            {"vmId": ID, "vmName": "first", "status": "Up", "cpuUser": "1.50", "disks": {"vda": {"readOps": "6"}}}
        ]
    }
    daemon.answers |= {"getAllVmStats": found, "getVmStats": found}
    assert "1.50" in run("vm", "stats").stdout
    assert "    readOps: 6" in run("vm", "stats", "first").stdout


def test_a_console_of_another_host_is_not_looked_for_here(run, daemon):
    found = run("--server", "virt1", "vm", "console", "first", code=1)
    assert "virt1 is another" in found.stderr
    assert not daemon.asked


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("10", 10),
        ("true", True),
        ('["a"]', ["a"]),
        ("word", "word"),
        (ID, ID),
        ("99999999999", "99999999999"),
        ("null", None),
    ],
)
def test_call_sends_json_or_else_text(run, daemon, typed, sent):
    daemon.answers["getVmStats"] = {"statsList": []}
    run("call", "getVmStats", typed)
    assert daemon.asked == [("getVmStats", sent)]


def test_ping_asks_again_for_as_long_as_it_is_told(run, daemon):
    daemon.answers["ping"] = lambda: {} if len(daemon.asked) > 2 else (_ for _ in ()).throw(Refused("ping", 99, "no"))
    assert "answers" in run("host", "ping", "--wait", "5").stdout
    assert len(daemon.asked) == 3


def test_verbs_are_listed_without_a_daemon(run, daemon):
    missing = run("verbs", "--missing", json_=True)
    assert all(one["state"] == "not built" for one in missing)
    assert "getVmStats" in run("verbs", "getvmstats").stdout
    assert run("verbs", "nix").stdout == "No verb has that name.\n"
    assert not daemon.asked


def test_a_volume_upon_another_lies_in_its_image_and_is_cow(run, daemon):
    daemon.answers |= {
        "getConnectedStoragePoolsList": {"poollist": [POOL]},
        "createVolume": {"uuid": "1"},
        "getTaskInfo": {"TaskInfo": {"verb": "createVolume"}},
        "getTaskStatus": {
            "taskStatus": {"taskState": "finished", "taskResult": "success", "message": "", "progress": 100}
        },
        "clearTask": {},
    }
    parent = f"{POOL}/{DOMAIN}/{IMAGE}/{VOLUME}"
    assert "--format cow" in run("storage", "volume", "create", DOMAIN, "1G", "--parent", parent, code=2).stderr
    made = run("storage", "volume", "create", DOMAIN, "1G", "--parent", parent, "--format", "cow", json_=True)
    (arguments,) = [arguments for verb, *arguments in daemon.asked if verb == "createVolume"]
    assert arguments == [DOMAIN, POOL, IMAGE, str(1 << 30), 4, 2, "DATA", made["volume"], "", IMAGE, VOLUME]
    assert made["disk"] == f"{POOL}/{DOMAIN}/{IMAGE}/{made['volume']}"


def test_a_volume_that_others_build_on_is_not_deleted(run, daemon):
    daemon.answers["getVolumeInfo"] = {"info": {"voltype": "INTERNAL"}}
    found = run("storage", "volume", "delete", "-y", f"{POOL}/{DOMAIN}/{IMAGE}/{VOLUME}", code=1)
    assert "builds on" in found.stderr
    assert "deleteVolume" not in daemon.verbs()
