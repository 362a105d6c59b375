"""A machine with one device of each kind that can be changed, on a host without a hypervisor."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from doubles.machines import Host
from doubles.plugging import PlayedDomain

from virgate.node.vm.machine import Machine

VOLUME = {"poolID": "pool", "domainID": "domain", "imageID": "image", "volumeID": "volume"}
MAC = "00:1a:4a:00:00:01"
DEVICES = [
    {"type": "disk", "device": "disk", "iface": "virtio", "path": "/images/first", "format": "raw"},
    {"type": "disk", "device": "cdrom", "iface": "ide", "index": "2", "path": "", "readonly": "true"},
    {"type": "interface", "device": "bridge", "macAddr": MAC, "network": "red", "nicModel": "pv"},
    {"type": "graphics", "device": "spice"},
    {"type": "graphics", "device": "vnc"},
    {"type": "balloon", "device": "memballoon", "specParams": {"model": "virtio"}},
]


@pytest_twisted.async_yield_fixture
async def machine(host: Host, params: dict[str, Any]) -> AsyncIterator[Machine]:
    found = await host.running({**params, "devices": [dict(one) for one in DEVICES], "maxVCpus": "4"})
    PlayedDomain.of(host)
    await found.devices_changed()
    host.disks.calls.clear()
    host.guards.calls.clear()
    host.domains.calls.clear()
    yield found


@pytest.fixture
def domain(host: Host, machine: Machine) -> PlayedDomain:
    return host.domains.handles[machine.id]  # type: ignore[no-any-return]
