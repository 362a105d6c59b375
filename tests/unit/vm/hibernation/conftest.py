"""Machines on a host without a hypervisor, which can be saved to files that are kept in memory."""

from collections.abc import AsyncIterator
from typing import Any

import attrs
import libvirt
import pytest
import pytest_twisted
from attrs import define, field
from doubles.machines import ID, Host, RecordingDomains, host, launched, params

from virgate.node.vm.hibernation import conf_file
from virgate.node.vm.hibernation.handle import Handle, VolumeId
from virgate.node.vm.machine import Machine

__all__ = ["host", "params"]

HANDLE = "d,p,i1,v1,i2,v2"
IMAGE = {"poolID": "p", "domainID": "d", "imageID": "i", "volumeID": "v"}


def disk(**keys: Any) -> dict[str, Any]:
    return {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw", **keys}


@define
class Confs:
    """Volumes of parameters."""

    volumes: dict[VolumeId, bytes] = field(factory=dict)
    lengthened: list[VolumeId] = field(factory=list)
    fail: Exception | None = None

    async def lengthen(self, volume: VolumeId) -> None:
        self.lengthened.append(volume)

    async def read(self, volume: VolumeId, longest: int) -> bytes:
        if self.fail:
            raise self.fail
        return self.volumes[volume][:longest]

    async def write(self, volume: VolumeId, data: bytes) -> None:
        if self.fail:
            raise self.fail
        self.volumes[volume] = data


@define
class Played:
    """Stands for libvirt's domain and connection at once: what was saved is here by path."""

    domains: RecordingDomains
    files: dict[str, str] = field(factory=dict)
    aborted: int = 0
    told: list[Any] = field(factory=list)

    def save(self, path: str) -> None:
        self.files[path] = self.domains.domains[ID].xml
        self.domains.stop(ID, "saved")

    def abortJob(self) -> None:
        self.aborted += 1

    def setTime(self, moment: dict[str, int]) -> None:
        self.told.append(moment)

    def saveImageGetXMLDesc(self, path: str, flags: int) -> str:
        return self.files[path]

    def restoreFlags(self, path: str, xml: str, flags: int) -> None:
        assert flags == libvirt.VIR_DOMAIN_SAVE_PAUSED
        self.domains.domains[ID].state = "paused"
        self.domains.lifecycle(ID, "started", "restored")
        self.domains.lifecycle(ID, "suspended", "restored")


@define
class Dormitory:
    """A host, the stand-in for libvirt and the volumes."""

    host: Host
    libvirt: Played
    confs: Confs

    @property
    def kept(self) -> dict[str, Any]:
        return conf_file.read(self.confs.volumes[Handle.parse(HANDLE).conf])

    async def asleep(self, machine: Machine) -> None:
        if machine.departure is not None:
            await machine.departure.over()

    async def woken(self, params: dict[str, Any]) -> Machine:
        machine = await self.host.machines.create({**params, "hiberVolHandle": HANDLE})
        await launched(machine)
        return machine


@pytest.fixture
def dormitory(host: Host) -> Dormitory:
    confs, played = Confs(), Played(host.domains)
    host.machines.means = attrs.evolve(host.machines.means, confs=confs)
    host.domains.handles[ID] = played
    host.domains.connection = played
    return Dormitory(host, played, confs)


@pytest_twisted.async_yield_fixture
async def machine(dormitory: Dormitory, params: dict[str, Any]) -> AsyncIterator[Machine]:
    params["devices"] = [disk(**IMAGE)]
    yield await dormitory.host.running(params)
