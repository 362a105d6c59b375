"""Vector 60 of spec xmlrpc-host-vm 7: every member of the host's structures has the type clients cast it to."""

from types import SimpleNamespace

import pluggy
import pytest
import pytest_twisted
from twisted.internet.task import Clock

from virgate.config import load
from virgate.config.daemon import DaemonSettings
from virgate.errors import Unexpected
from virgate.events import EventBus
from virgate.hookscripts.settings import HookSettings
from virgate.hookspecs import host as points
from virgate.hookspecs.errors import HookError
from virgate.node.host.host import PERIOD, WINDOW, Host
from virgate.node.host.report import MachinesReport
from virgate.plugins import Hooks

hookimpl = pluggy.HookimplMarker("virgate")

CAPABILITIES = """<capabilities><guest><os_type>hvm</os_type><arch name='{arch}'>
<machine canonical='pc-i440fx-7.2' maxCpus='255'>pc</machine><machine>q35</machine><domain type='qemu'/></arch></guest>
<guest><arch name='other'><machine>foreign</machine></arch></guest></capabilities>"""
DOMAIN = """<domainCapabilities><cpu><mode name='host-model'><model>x</model></mode><mode name='custom'>
<model usable='yes'>qemu64</model><model usable='no'>Zen9</model><model usable='yes'>Nehalem</model></mode></cpu>
</domainCapabilities>"""

STR, INT, BOOL, LIST, DICT = str, int, bool, list, dict
CAPABILITY_TYPES = {
    "kvmEnabled": STR, "cpuCores": STR, "cpuThreads": STR, "cpuSockets": STR, "onlineCpus": STR, "cpuSpeed": STR,
    "cpuModel": STR, "cpuFlags": STR, "memSize": STR, "reservedMem": STR, "guestOverhead": STR, "vmTypes": LIST,
    "emulatedMachines": LIST, "supportedENGINEs": LIST, "clusterLevels": LIST, "version_name": STR,
    "software_version": STR, "software_revision": STR, "uuid": STR, "operatingSystem": DICT, "packages2": DICT,
    "ISCSIInitiatorName": STR, "HBAInventory": DICT, "networks": DICT, "bridges": DICT, "nics": DICT,
    "bondings": DICT, "vlans": DICT, "netConfigDirty": STR, "hooks": DICT, "liveSnapshot": STR, "liveMerge": STR,
    "rngSources": LIST, "numaNodes": DICT, "numaNodeDistance": DICT, "autoNumaBalancing": INT, "selinux": DICT,
    "kdumpStatus": INT, "hostdevPassthrough": STR, "additionalFeatures": LIST,
    "refresh_disk_supported": BOOL, "zerocopy_migrations": BOOL,
}  # fmt: skip
STATISTIC_TYPES = {
    "cpuUser": STR, "cpuSys": STR, "cpuIdle": STR, "cpuUserVdsmd": STR, "cpuSysVdsmd": STR, "cpuLoad": STR,
    "memUsed": STR, "anonHugePages": STR, "thpState": STR, "memFree": INT, "memAvailable": INT, "memCommitted": INT,
    "swapTotal": INT, "swapFree": INT, "memShared": INT, "ksmState": BOOL, "ksmPages": INT,
    "ksmMergeAcrossNodes": BOOL, "ksmCpu": INT, "momStatus": STR, "network": DICT, "rxRate": STR, "txRate": STR,
    "rxDropped": STR, "txDropped": STR, "elapsedTime": STR, "bootTime": STR, "dateTime": STR, "diskStats": DICT,
    "storageDomains": DICT, "vmCount": INT, "vmActive": INT, "vmMigrating": INT, "incomingVmMigrations": INT,
    "outgoingVmMigrations": INT, "netConfigDirty": STR, "generationID": STR, "haStats": DICT,
    "numaNodeMemFree": DICT, "cpuStatistics": DICT, "v2vJobs": DICT,
}  # fmt: skip


class Libvirt:
    """The four calls a host makes; `away` makes each fail."""

    def __init__(self):
        self.calls, self.away, self.domain = [], None, DOMAIN

    async def call(self, function):
        if self.away:
            raise self.away
        return function(self)

    def getCapabilities(self):
        self.calls.append("capabilities")
        import platform

        return CAPABILITIES.format(arch=platform.machine())

    def getDomainCapabilities(self, emulator, arch, machine, virt_type, flags):
        self.calls.append(virt_type)
        if isinstance(self.domain, Exception):
            raise self.domain
        return self.domain

    def getSysinfo(self, flags):
        return "<sysinfo><system><entry name='manufacturer'>Maker</entry></system></sysinfo>"


@pytest.fixture
def parts(fake, tmp_path, monkeypatch):
    (tmp_path / "hooks.d/before_vm_start").mkdir(parents=True)
    script = tmp_path / "hooks.d/before_vm_start/50_x"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)

    async def no_packages():
        return {"kernel": {"version": "1", "release": "2", "buildtime": 0}}

    monkeypatch.setattr("virgate.node.host.host.read_packages", no_packages)
    made = SimpleNamespace(libvirt=Libvirt(), hooks=Hooks(points), clock=Clock(), events=EventBus(), fake=fake)
    settings = load(None, [f"hooks.directories={tmp_path}/hooks.d", f"daemon.run_dir={tmp_path}"])
    assert settings[HookSettings].directories
    assert settings[DaemonSettings].run_dir == tmp_path
    made.host = Host(
        settings, made.libvirt, made.hooks, events=made.events, tree=fake.tree, clock=made.clock,
        storage_report=lambda: {"sd": {"code": 0, "valid": True}}, machines_report=lambda: MachinesReport(count=1),
    )  # fmt: skip
    return made


def check(found, types):
    assert {name: type(found[name]) for name in found} == types


@pytest_twisted.ensureDeferred
async def test_60_capabilities_have_the_types_clients_cast_them_to(parts):
    found = await parts.host.capabilities()
    check(found, CAPABILITY_TYPES)
    assert found["emulatedMachines"] == ["pc", "pc-i440fx-7.2", "q35"]
    assert found["cpuFlags"] == "fpu,vmx,sse2,model_Nehalem,model_qemu64"
    assert (found["cpuCores"], found["cpuThreads"], found["cpuSockets"], found["onlineCpus"]) == (
        "2",
        "4",
        "2",
        "0,1,2,3",
    )
    assert (found["memSize"], found["reservedMem"], found["guestOverhead"]) == ("8192", "321", "65")
    assert set(found["hooks"]) == {"before_vm_start"}
    assert set(found["hooks"]["before_vm_start"]["50_x"]) == {"md5", "checksum"}
    assert found["numaNodes"] == {"0": {"cpus": [0, 1, 2, 3], "totalMemory": "8192"}}


@pytest_twisted.ensureDeferred
async def test_60_statistics_have_the_types_clients_cast_them_to(parts):
    parts.host.start()
    parts.clock.advance(PERIOD)
    found = await parts.host.statistics()
    parts.host.stop()
    check(found, STATISTIC_TYPES)
    assert found["storageDomains"] == {"sd": {"code": 0, "valid": True}}
    assert found["vmCount"] == 1
    assert {type(value) for value in found["haStats"].values()} == {bool, int}


@pytest_twisted.ensureDeferred
async def test_figures_are_averages_over_the_window_and_sampling_ends(parts):
    parts.host.start()
    for _ in range(10):
        parts.clock.advance(PERIOD)
    assert len(parts.host._samples) == WINDOW
    assert parts.host._samples[-1].time - parts.host._samples[0].time == PERIOD * (WINDOW - 1)
    parts.host.stop()
    assert not parts.clock.getDelayedCalls()


@pytest_twisted.ensureDeferred
async def test_libvirt_is_asked_once_per_connection(parts):
    await parts.host.capabilities()
    await parts.host.capabilities()
    assert parts.libvirt.calls == ["capabilities", parts.host.virt_type]
    parts.events.tell("libvirt.connected")
    await parts.host.capabilities()
    assert len(parts.libvirt.calls) == 4


@pytest_twisted.ensureDeferred
async def test_a_driver_without_domain_capabilities_costs_the_models_only(parts):
    parts.libvirt.domain = Unexpected("not supported by the connection driver")
    assert "model_" not in (await parts.host.capabilities())["cpuFlags"]


@pytest_twisted.ensureDeferred
async def test_without_libvirt_capabilities_fail_and_statistics_do_not(parts):
    parts.libvirt.away = Unexpected("away")
    with pytest.raises(Unexpected):
        await parts.host.capabilities()
    assert (await parts.host.statistics())["memFree"] == 4096
    assert await parts.host.hardware() == {}
    parts.libvirt.away = None
    assert await parts.host.hardware() == {"systemManufacturer": "Maker"}


class Plugin:
    def __init__(self):
        self.refuse = False

    @hookimpl
    def before_get_caps(self, data):
        if self.refuse:
            raise HookError("no")

    @hookimpl
    def before_get_stats(self, data):
        if self.refuse:
            raise HookError("no")

    @hookimpl
    def after_get_caps(self, data):
        data.value["cpuModel"] = "changed"

    @hookimpl
    def after_get_stats(self, data):
        data.value = {"only": "this"}


@pytest_twisted.ensureDeferred
async def test_hooks_may_change_both_answers_and_refuse_both_questions(parts):
    plugin = Plugin()
    parts.hooks.register(plugin, "plugin")
    assert (await parts.host.capabilities())["cpuModel"] == "changed"
    assert await parts.host.statistics() == {"only": "this"}
    plugin.refuse = True
    for question in (parts.host.capabilities, parts.host.statistics):
        with pytest.raises(HookError) as error:
            await question()
        assert error.value.code == 1500
