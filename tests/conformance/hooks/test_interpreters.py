"""S45 and the like: scripts of the older generation run in every Python of this machine, 2.7 too if there is one."""

import ast
import subprocess
from pathlib import Path

import pytest
import pytest_twisted
from lxml import etree

from virgate.hookspecs.errors import HookError

SCRIPTS = ["pincpu", "numa", "qos", "macspoof", "isolatedprivatevlan", "qemucmdline", "diskunmap", "vmdisk", "floppy"]
MAC = "02:00:00:00:00:01"


def interpreters():
    homes = [Path("/usr/bin"), Path("/usr/local/bin"), *(Path.home() / ".pyenv/versions").glob("*/bin")]
    found = {}
    for path in [home / name for home in homes for name in ("python2.7", "python3") if (home / name).exists()]:
        asked = subprocess.run([path, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True)
        if asked.returncode == 0:
            found.setdefault(ast.literal_eval(asked.stdout), str(path))
    return [pytest.param(path, id=".".join(map(str, version))) for version, path in sorted(found.items())]


@pytest.fixture(params=interpreters())
def install(request, bench, monkeypatch):
    """Installs a script with its first line naming one of the interpreters."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    def put(point, script):
        path = bench.install(point, script)
        lines = path.read_text().split("\n", 1)
        path.write_text(f"#!{request.param}\n{lines[1]}")

    return put


@pytest_twisted.ensureDeferred
async def test_domain_scripts_run(bench, documents, install):
    for name in SCRIPTS:
        install("before_vm_start", f"{name}/50_{name}")
    custom = {
        "pincpu": "1-4",
        "numa": "strict:1",
        "qos": f"{MAC}=in{{'average':'1'}}",
        "macspoof": "true",
        "isolatedprivatevlan": "aa:bb:cc:dd:ee:ff",
        "qemu_cmdline": '["-cdrom","/tmp/ü.iso"]',
        "diskunmap": "on",
        "vmdisk": "/a/d.img:raw",
        "floppy": str(Path(__file__)),
    }
    root = etree.fromstring((await bench.start(custom, documents["old"])).encode())
    assert root.find("vcpu").get("cpuset") == "1-4"
    assert root.find("numatune/memory").get("nodeset") == "1"
    assert root.find("devices/interface/bandwidth/inbound").get("average") == "1"
    assert [one.get("filter") for one in root.iterfind("devices/interface/filterref")] == ["isolatedprivatevlan-vdsm"]
    assert [one.get("value") for one in root.iterfind(".//{*}arg")] == ["-cdrom", "/tmp/ü.iso"]
    assert root.find("devices/disk[@device='lun']/driver").get("discard") == "unmap"
    assert [one.get("dev") for one in root.iterfind(".//target[@dev]")] == ["hdc", "vda", "sda", "fda", "vdb"]


@pytest_twisted.ensureDeferred
async def test_interface_scripts_run(bench, install):
    for script in ("macspoof_nic/50_macspoof", "extnet/50_extnet"):
        install("before_nic_hotplug", script)
    text = await bench.device("before_nic_hotplug", {"ifacemacspoof": "true", "extnet": "ovs-net"})
    root = etree.fromstring(text.encode())
    assert root.find("filterref") is None
    assert root.find("source").attrib == {"network": "ovs-net"}


@pytest_twisted.ensureDeferred
async def test_network_scripts_run(bench, install):
    install("before_network_setup", "ipv6/50_ipv6")
    request = {"request": {"networks": {"ü": {"custom": {"dhcpv6": "1"}}}, "bondings": {}, "options": {}}}
    found = await bench.value("before_network_setup", request)
    assert found["request"]["networks"]["ü"]["dhcpv6"] == "1"


@pytest_twisted.ensureDeferred
async def test_a_refusal_reaches_the_caller(bench, install):
    install("before_vm_migrate_source", "floppy/50_floppy")
    with pytest.raises(HookError, match="stays on its host"):
        await bench.start({"floppy": "/x"}, point="before_vm_migrate_source")
