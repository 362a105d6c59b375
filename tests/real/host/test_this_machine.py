"""The host's answers about the machine the tests run on, with libvirt's own test driver and with QEMU."""

import os
import platform
import re
import subprocess
from pathlib import Path

import pytest
import pytest_twisted

from virgate import hookspecs
from virgate.config import load
from virgate.events import EventBus
from virgate.libvirt.connection import Hypervisor
from virgate.node.host.host import Host
from virgate.node.host.hypervisor import Documents, cpu_models, machine_types
from virgate.plugins import Hooks
from virgate_plugins.transports.rpc.writing import reply


@pytest_twisted.async_yield_fixture
async def host():
    events = EventBus()
    hypervisor = Hypervisor("test:///default", events)
    await hypervisor.start()
    made = Host(load(), hypervisor, Hooks(*hookspecs.modules()), events=events)
    made.start()
    yield made
    made.stop()
    await hypervisor.stop()


@pytest_twisted.ensureDeferred
async def test_capabilities_are_those_of_this_machine(host):
    found = await host.capabilities()
    assert found["cpuThreads"] == str(os.cpu_count())
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    assert abs(int(found["memSize"]) - pages) <= 1
    kernel = found["packages2"]["kernel"]
    assert "-".join(filter(None, (kernel["version"], kernel["release"]))) == platform.release()
    assert re.fullmatch(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", found["uuid"])
    assert found["emulatedMachines"] == [] or all(isinstance(name, str) for name in found["emulatedMachines"])
    assert found["operatingSystem"]["pretty_name"] in Path("/etc/os-release").read_text()


@pytest_twisted.ensureDeferred
async def test_versions_are_those_the_package_manager_knows(host):
    packages = (await host.capabilities())["packages2"]
    known = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "libvirt-daemon"], capture_output=True, text=True)
    assert "libvirt" in packages
    assert packages["libvirt"]["version"] in known.stdout
    assert packages["libvirt"]["release"] in known.stdout


@pytest_twisted.ensureDeferred
async def test_every_answer_can_be_sent_to_old_clients(host):
    for answer in (await host.capabilities(), await host.statistics(), await host.hardware()):
        assert reply({"status": {"code": 0, "message": "Done"}, "info": answer})


def test_kvm_is_used_only_where_the_processor_has_it(host):
    flags = set(Path("/proc/cpuinfo").read_text().split())
    has = bool(flags & {"vmx", "svm"}) and os.access("/dev/kvm", os.R_OK | os.W_OK)
    if platform.machine() == "x86_64":
        assert host.kvm_usable is has
    assert host.virt_type == ("kvm" if host.kvm_usable else "qemu")


def test_an_address_of_this_machine_leads_to_its_device(host):
    assert host.device_with("127.0.0.1") == "lo"


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    """What libvirt's QEMU driver says, from a process of its own."""
    root = tmp_path_factory.mktemp("libvirt")
    (root / "etc").mkdir()
    (root / "etc/qemu.conf").write_text('user = "root"\ngroup = "root"\n')
    script = (
        "import libvirt, sys, platform\n"
        "libvirt.virEventRegisterDefaultImpl()\n"
        f"c = libvirt.open('qemu:///embed?root={root}')\n"
        "print(c.getCapabilities(), c.getDomainCapabilities(None, platform.machine(), None, 'qemu', 0), sep='\\0')\n"
    )
    asked = subprocess.run([os.sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    return Documents(*asked.stdout.strip().split("\0"))


def test_qemu_s_machine_types_and_models_are_found(documents):
    machines = machine_types(documents, platform.machine())
    assert machines == sorted(set(machines))
    if platform.machine() == "x86_64":
        assert {"pc", "q35"} <= set(machines)
        assert any(name.startswith("pc-i440fx-") for name in machines)
        assert "qemu64" in cpu_models(documents)
