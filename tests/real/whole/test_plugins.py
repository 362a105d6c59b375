"""Plugins in a daemon with real machines: an installed one changes them, one that always fails stops nothing else."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[3] / "contrib/examples"

ANGRY = """
from virgate import hookimpl, hookspecs

def fail():
    raise RuntimeError("always")

for module in hookspecs.modules():
    for name, point in hookspecs.points(module).items():
        if {condition}:
            globals()[name] = hookimpl(lambda: fail())
"""


def test_an_installed_third_party_package_gives_machines_a_device(build, tmp_path):
    source, target = tmp_path / "source", tmp_path / "site"
    shutil.copytree(EXAMPLES / "watchdog", source)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True, capture_output=True)
    house = build(tmp_path, PYTHONPATH=str(target))
    house.start("--set=example_watchdog.action=poweroff")
    assert house.plugins()["example-watchdog"]["state"] == "loaded"
    house.script("before_vm_start", "#!/bin/sh\ncp $_hook_domxml $copy\n")
    vm = house.up(custom={"copy": str(tmp_path / "seen")})
    assert "<watchdog model='i6300esb' action='poweroff'>" in house.xml(vm)
    assert "i6300esb" in (tmp_path / "seen").read_text(), "scripts see what plugins did"
    assert "i6300esb" in house.libvirtd.virsh("qemu-monitor-command", vm, "--hmp", "info qtree")


def test_a_dropped_plugin_serves_the_next_machine(house):
    file = house.plugin(
        "titles",
        "from lxml import etree\nfrom virgate import hookimpl\n\n@hookimpl\nasync def before_vm_start(vm, domain):\n"
        "    etree.SubElement(domain.tree, 'title').text = 'for ' + vm.id\n",
    )
    house.until(lambda: "titles" in house.plugins(), "it is loaded")
    vm = house.up()
    assert f"<title>for {vm}</title>" in house.xml(vm)
    file.unlink()
    house.until(lambda: "titles" not in house.plugins(), "it is unloaded")
    assert "<title>" not in house.xml(house.up())


@pytest.fixture
def dropped(house):
    """Drops a plugin in, takes it away afterwards."""
    made = []

    def drop(name, text):
        made.append(house.plugin(name, text))
        house.until(lambda: house.plugins().get(name, {}).get("state") == "loaded", f"{name} is loaded")

    yield drop
    for file in made:
        file.unlink()
        house.until(lambda file=file: file.stem not in house.plugins(), "it is unloaded")


def test_a_plugin_that_fails_wherever_failures_are_logged_changes_nothing(house, dropped):
    dropped("angry", ANGRY.format(condition="point.failure.value == 'log'"))
    vm = house.up(devices=[{"type": "console", "device": "console", "custom": {"a": "b"}}], custom={"c": "d"})
    house.ask("pause", vm)
    house.ask("cont", vm)
    assert house.stats(vm)["status"] in ("Up", "Powering up")
    house.goes_on()
    house.make_volume()
    house.unplug(vm)
    house.ask("destroy", vm)
    for point in ("after_vm_start", "after_device_create", "after_vm_destroy", "before_vm_destroy", "after_get_caps"):
        assert house.told("plugin angry failed in", point), point


REFUSED = {
    "before_get_caps": "getVdsCapabilities",
    "before_get_stats": "getVdsStats",
    "before_get_all_vm_stats": "getAllVmStats",
    "before_get_vm_stats": "getVmStats",
    "before_vm_pause": "pause",
    "before_vm_cont": "cont",
    "before_device_destroy": "destroy",
}


def test_a_plugin_that_fails_in_every_point_aborts_what_it_was_asked_about_and_nothing_else(house, dropped):
    disk = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw", **house.make_volume()}
    vm = house.up(devices=[{"type": "console", "device": "console", "custom": {"a": "b"}}, disk])
    plain = ANGRY.format(condition="module.__name__.endswith(('.vm', '.devices', '.host', '.migration', '.network'))")
    dropped("angry", plain)
    for point, verb in REFUSED.items():
        status = house.call(verb, *([vm] if verb not in ("getVdsCapabilities", "getVdsStats", "getAllVmStats") else []))
        assert status["status"]["code"] != 0, point
        assert "always" in status["status"]["message"], (point, status)
    assert house.state(vm) == "running"
    for verb in ("ping", "list", "getVdsHardwareInfo", "getAllTasks", "repoStats", "virgatePlugins"):
        house.ask(verb)
    house.make_volume()
    refused = house.create(devices=[{**disk, **house.make_volume()}])
    house.until(lambda: house.ask("list", False, [refused])["vmList"][0]["status"] == "Down", "it is refused")
    (told,) = house.ask("list", "true", [refused])["vmList"]
    assert "always" in told["exitMessage"]
    assert (house.left_behind(refused), refused in house.defined()) == ([], False)


def test_a_plugin_that_fails_when_asked_for_a_kind_of_storage_does_not_take_storage_away(house, dropped):
    dropped("angry", ANGRY.format(condition="module.__name__.endswith(('.storage', '.leases'))"))
    house.make_volume()
    house.ask("getStorageDomainInfo", house.domain)
    house.connect_folder(house.folder)


def test_a_plugin_that_leaves_nonsense_is_told_as_the_exit_reason(house, dropped):
    dropped(
        "careless",
        "from virgate import hookimpl\n\n@hookimpl\ndef before_vm_start(domain):\n    domain.text = '<domain'\n",
    )
    vm = house.create()
    assert house.failed(vm)["exitMessage"]
    assert house.left_behind(vm) == []


def test_a_daemon_starts_and_stops_with_a_plugin_that_fails_in_every_hook_there_is(own):
    own.plugin("angry", ANGRY.format(condition="True"))
    own.start()
    assert own.plugins()["angry"]["state"] == "loaded"
    own.make_pool()
    own.make_volume()
    for verb in ("ping", "list", "getVdsHardwareInfo", "repoStats", "virgatePlugins"):
        own.ask(verb)
    vm = own.create()
    own.until(lambda: own.ask("list")["vmList"][0]["status"] == "Down", "it is refused")
    assert own.full(vm)["exitMessage"] == "always"
    own.ask("destroy", vm)
    assert own.end() == 0
