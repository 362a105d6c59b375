"""Facts of the host, from the fake driver and from a real libvirtd."""

import os

import pytest
import pytest_twisted
from lxml import etree

from virgate.libvirt.host import HypervisorHost
from virgate.units import Size


@pytest.fixture
def host(real):
    return HypervisorHost(real)


@pytest_twisted.ensureDeferred
async def test_the_layout_of_this_host_is_told(host):
    info = await host.node_info()
    assert info.cpus == os.sysconf("SC_NPROCESSORS_ONLN")
    assert info.sockets * info.cores * info.threads * info.numa_nodes >= info.cpus
    assert Size.mib(100) < info.memory <= Size(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    assert info.model == os.uname().machine


@pytest_twisted.ensureDeferred
async def test_the_documents_of_this_host_are_told(host):
    assert etree.fromstring(await host.capabilities()).findtext("host/cpu/arch") == os.uname().machine
    found = etree.fromstring(await host.domain_capabilities(virt_type="qemu"))
    assert (found.tag, found.findtext("domain")) == ("domainCapabilities", "qemu")
    assert "q35" in etree.fromstring(await host.domain_capabilities(machine="q35")).findtext("machine")


@pytest_twisted.ensureDeferred
async def test_memory_and_processor_figures_are_told(host):
    memory = await host.memory_statistics()
    assert memory["free"] < memory["total"]
    before = await host.cpu_statistics()
    after = await host.cpu_statistics()
    assert after["user"] >= before["user"] > 0
    assert {"kernel", "idle", "iowait"} <= set(after)


@pytest_twisted.ensureDeferred
async def test_names_of_processors_and_versions_are_told(host):
    assert {"Nehalem", "Skylake-Client"} <= set(await host.cpu_models("x86_64"))
    versions = await host.versions()
    assert versions.libvirt >= (5, 0, 0)
    assert versions.emulator >= (4, 0, 0)
    assert await host.hostname()


@pytest_twisted.ensureDeferred
async def test_system_information_is_the_host_s_or_none_where_there_is_none(host, fake):
    assert etree.fromstring(await HypervisorHost(fake).system_information()).tag == "sysinfo"
    told = await host.system_information()
    assert (told is not None) == os.path.exists("/sys/firmware/dmi/tables/smbios_entry_point")
