"""Leases of machines: found before the start, disks guarded from the start until the guest is gone."""

from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from doubles.machines import launched
from lxml import etree

from virgate.domxml.errors import BadDevice
from virgate.domxml.facts import DiskRequest, LeaseRequest, LeaseSource
from virgate.hookspecs.leases import LeasePlace
from virgate.libvirt.errors import HypervisorFailed
from virgate.node.storage.errors import LeaseNotAcquired
from virgate.node.storage.formats.errors import NoSuchLease
from virgate.node.storage.values import VolumeAddress
from virgate.node.vm.disks import HostDisks
from virgate.node.vm.guarding import HostGuards
from virgate.node.vm.life import Status

IMAGE = {"poolID": "p", "domainID": "d", "imageID": "i", "volumeID": "v"}
DISK = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw", **IMAGE}
LEASE = {"type": "lease", "device": "lease", "lease_id": "one", "sd_id": "d"}


@pytest_twisted.ensureDeferred
async def test_the_leases_of_a_machine_are_told_to_the_hypervisor_with_their_places(host: Any, params: Any) -> None:
    params["devices"] = [LEASE]
    machine = await host.run(params)
    assert machine.vitals.status is Status.UP
    lease = etree.fromstring(host.domains.calls[0][1].encode()).find("devices/lease")
    assert (lease.findtext("key"), lease.findtext("lockspace")) == ("one", "d")
    assert dict(lease.find("target").attrib) == {"path": "/rhev/xleases", "offset": str(3 << 20)}


@pytest_twisted.ensureDeferred
async def test_a_lease_placeholder_in_a_document_is_filled_in(host: Any, params: Any) -> None:
    text = f"""<domain type="qemu"><name>one</name><uuid>{params["vmId"]}</uuid><memory unit="MiB">64</memory>
        <os><type>hvm</type></os><devices><lease><key>one</key><lockspace>d</lockspace>
        <target path="LEASE-PATH:one:d" offset="LEASE-OFFSET:one:d"/></lease></devices></domain>"""
    machine = await host.run({"vmID": params["vmId"], "xml": text})
    assert machine.vitals.status is Status.UP
    target = etree.fromstring(host.domains.calls[0][1].encode()).find("devices/lease/target")
    assert dict(target.attrib) == {"path": "/rhev/xleases", "offset": str(3 << 20)}


@pytest_twisted.ensureDeferred
async def test_a_machine_whose_lease_is_missing_does_not_start_and_leaves_nothing(host: Any, params: Any) -> None:
    params["devices"] = [DISK, LEASE]
    host.disks.fail["lease one"] = NoSuchLease("one")
    machine = await host.run(params)
    assert machine.vitals.status is Status.DOWN
    assert "There is no lease one" in machine.vitals.exit.message
    assert host.domains.names == []
    assert host.guards.calls == ["take", "end"]
    assert host.disks.calls[-1] == ("teardown", "vda")


@pytest_twisted.ensureDeferred
async def test_disks_are_guarded_before_the_guest_starts_and_from_then_on(host: Any, params: Any) -> None:
    async def look(**_: Any) -> None:
        seen.extend(host.guards.calls)

    seen: list[str] = []
    host.trace.act["before_vm_start"] = look
    params["devices"] = [DISK]
    await launched(await host.machines.create(params))
    assert (seen, host.guards.calls) == (["take"], ["take", "started"])


@pytest_twisted.ensureDeferred
async def test_a_machine_whose_disk_another_host_uses_does_not_start(host: Any, params: Any) -> None:
    params["devices"] = [DISK]
    host.guards.fail = LeaseNotAcquired("d", "host id 7 holds v")
    machine = await host.run(params)
    assert machine.vitals.status is Status.DOWN
    assert "host id 7 holds v" in machine.vitals.exit.message
    assert (host.domains.names, host.disks.calls[-1]) == ([], ("teardown", "vda"))


@pytest_twisted.ensureDeferred
async def test_a_guest_that_cannot_start_is_guarded_no_more(host: Any, params: Any) -> None:
    params["devices"] = [DISK]
    host.domains.fail["start"] = HypervisorFailed("start", "no such emulator")
    machine = await host.run(params)
    assert machine.vitals.status is Status.DOWN
    assert host.guards.calls == ["take", "end"]


@define
class Taken:
    volumes: list[VolumeAddress] = field(factory=list)

    async def take(self, machine: str, volumes: Any) -> str:
        self.volumes.extend(volumes)
        return machine

    async def give_back(self, machine: str, volumes: Any) -> None:
        self.volumes = [one for one in self.volumes if one not in volumes]


def disk(target: str, **keys: Any) -> DiskRequest:
    return DiskRequest(target, domain_id="d", image_id="i", volume_id=target, **keys)


DISKS = [
    disk("none"),
    disk("exclusive", shared="exclusive"),
    disk("shared", shared="shared"),
    disk("transient", shared="transient"),
    disk("cdrom", read_only=True, shared="exclusive"),
    DiskRequest("path", path="/dev/x", shared="exclusive"),
]


@pytest.mark.parametrize(("everything", "guarded"), [(False, ["exclusive"]), (True, ["none", "exclusive"])])
@pytest_twisted.ensureDeferred
async def test_disks_are_guarded_when_asked_for_or_all_that_are_not_shared(
    everything: bool, guarded: list[str]
) -> None:
    taken = Taken()
    assert await HostGuards(taken, everything).take("machine", DISKS) == "machine"
    assert [volume.volume for volume in taken.volumes] == guarded
    await HostGuards(taken, everything).give_back("machine", DISKS)
    assert taken.volumes == []


@pytest_twisted.ensureDeferred
async def test_without_such_a_disk_storage_is_not_asked() -> None:
    taken = Taken()
    assert await HostGuards(taken).take("machine", [disk("none")]) is None
    assert taken.volumes == []


class Leases:
    async def place(self, domain: str, lease: str) -> LeasePlace:
        return LeasePlace(lease, Path("/mnt") / domain, 3 << 20)


@pytest_twisted.ensureDeferred
async def test_a_lease_is_found_by_storage_if_there_is_one() -> None:
    images: Any = None
    assert await HostDisks(images, Leases).lease(LeaseRequest("one", "d")) == LeaseSource("/mnt/d", 3 << 20)
    with pytest.raises(BadDevice, match="lease one of domain d was not found"):
        await HostDisks(images).lease(LeaseRequest("one", "d"))
