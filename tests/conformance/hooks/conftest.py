"""Vectors of spec hooks, run through the hook points, the script plugin's implementations and the real runner."""

import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest
from attrs import frozen
from lxml import etree

from virgate import hookimpl, hookspecs
from virgate.config import load
from virgate.hookscripts import HookSettings, Runner
from virgate.hookscripts.serving import Service
from virgate.hookspecs.documents import JsonDocument, Subject, XmlDocument
from virgate.plugins import Hooks

SCRIPTS = Path(__file__).parents[1] / "scripts"

VM = "5e0a6c3e-19c0-4d4f-9d5a-0c8b5a4a7f01"

DOMAIN = f"""<?xml version='1.0' encoding='utf-8'?>
<domain type="kvm" xmlns:ovirt-vm="http://ovirt.org/vm/1.0">
  <name>vmα</name><uuid>{VM}</uuid>
  <memory>1048576</memory><currentMemory>1048576</currentMemory>
  <vcpu current="2">4</vcpu>
  <sysinfo type="smbios"><system>
    <entry name="manufacturer">Example</entry><entry name="serial">0001</entry></system></sysinfo>
  <os><type arch="x86_64" machine="pc-q35-6.2">hvm</type><smbios mode="sysinfo"/></os>
  <cpu match="exact"><model>Nehalem</model></cpu>
  <devices>
    <disk type="file" device="cdrom"><driver name="qemu" type="raw"/><source file=""/>
      <target dev="sdc" bus="sata"/><readonly/></disk>
    <disk type="file" device="disk" snapshot="no"><driver name="qemu" type="raw" cache="none"/>
      <source file="/x/disk0"/><target dev="vda" bus="virtio"/><boot order="1"/></disk>
    <disk type="block" device="lun" snapshot="no"><driver name="qemu" type="raw" cache="none"/>
      <source dev="/x/lun0"/><target dev="sda" bus="scsi"/></disk>
    <interface type="bridge"><mac address="02:00:00:00:00:01"/><model type="virtio"/>
      <source bridge="ovirtmgmt"/><filterref filter="vdsm-no-mac-spoofing"/>
      <link state="up"/><boot order="2"/></interface>
    <hostdev mode="subsystem" type="pci" managed="no"><source>
      <address domain="0x0000" bus="0x0b" slot="0x00" function="0x1"/></source></hostdev>
    <graphics type="spice" port="-1" tlsPort="-1" passwd="x" passwdValidTo="1970-01-01T00:00:01"/>
    <serial type="pty"><target port="0"/></serial>
  </devices>
</domain>
"""

OLD_DOMAIN = DOMAIN.replace("vmα", "vm1").replace('dev="sdc" bus="sata"', 'dev="hdc" bus="ide"')

NIC = """<interface type="bridge"><mac address="02:00:00:00:00:01"/><model type="virtio"/>
<source bridge="ovirtmgmt"/><filterref filter="vdsm-no-mac-spoofing"/><link state="up"/></interface>"""


def canonical(xml):
    """Canonical XML without insignificant blanks."""
    root = etree.fromstring(xml.encode()) if isinstance(xml, str) else xml
    for element in root.iter():
        element.text = (element.text or "").strip() or None
        element.tail = (element.tail or "").strip() or None
    return etree.tostring(root, method="c14n").decode()


@frozen
class Bench:
    """A folder of scripts and the hook points that run them."""

    root: Path
    run_dir: Path
    hooks: Hooks
    runner: Runner

    def install(self, point, script, name=None):
        """Puts a script of the conformance set (its path below `scripts/`) where the point finds it."""
        folder = self.root / point
        folder.mkdir(parents=True, exist_ok=True)
        source = SCRIPTS / script
        return Path(shutil.copy(source, folder / (name or source.name)))

    def write(self, point, name, text, mode=0o755):
        """Puts a script with this text there."""
        path = self.root / point / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    async def start(self, custom=None, domain=DOMAIN, point="before_vm_start"):
        """The domain after the point."""
        document = XmlDocument(domain)
        await getattr(self.hooks, point)(vm=Subject(VM, custom or {}), domain=document)
        return document.text

    async def judge(self, custom, domain=DOMAIN, point="before_vm_start"):
        """How the scripts of the point ended."""
        return await self.runner.run(point, Subject(VM, custom), XmlDocument(domain), {})

    async def device(self, point, custom=None, machine=None, device=NIC):
        document = XmlDocument(device, custom=custom or {})
        await getattr(self.hooks, point)(vm=Subject(VM, machine or {}), device=document)
        return document.text

    async def value(self, point, data):
        document = JsonDocument(json.loads(json.dumps(data)))
        await getattr(self.hooks, point)(data=document)
        return document.value


@pytest.fixture
def bench(tmp_path):
    settings = load(None, [f"hooks.directories={tmp_path / 'hooks'}", "hooks.timeout=30"])
    runner = Runner(settings[HookSettings], tmp_path / "run")
    plugin = ModuleType("scripts")
    for name, implementation in Service(runner).implementations(hookspecs.modules()):
        setattr(plugin, name, hookimpl(implementation))
    hooks = Hooks(*hookspecs.modules())
    hooks.register(plugin, "scripts")
    return Bench(tmp_path / "hooks", tmp_path / "run", hooks, runner)


@pytest.fixture(scope="session")
def documents():
    """The base documents of V1."""
    return {"domain": DOMAIN, "old": OLD_DOMAIN, "nic": NIC}


@pytest.fixture(scope="session")
def same():
    """Whether two documents are the same but for insignificant blanks; shows both when not."""

    def compare(left, right):
        assert canonical(left) == canonical(right)
        return True

    return compare
