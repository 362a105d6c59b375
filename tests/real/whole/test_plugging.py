"""Devices of a machine whose guest really runs: what is plugged is seen inside, and what is unplugged is gone."""

import pytest
from real.whole.house import BOOTS, new_id

DISK = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw"}
NIC = {"type": "interface", "device": "bridge", "nicModel": "pv", "network": "virbr-none"}


@pytest.fixture
def vm(house, guest):
    console = {"type": "console", "device": "console", "specParams": {"consoleType": "serial"}}
    vm = house.up(**BOOTS, kernelArgs="console=ttyS0 virgate.count=1", devices=[console])
    return vm


def test_a_disk_comes_and_goes(house, vm):
    volume = house.make_volume()
    reply = house.ask("hotplugDisk", {"vmId": vm, "drive": {**DISK, **volume}})
    (disk,) = [one for one in reply["vmList"]["devices"] if one["type"] == "disk"]
    print(disk)
    print(house.xml(vm))
    import time
    time.sleep(3)
    reply = house.ask("hotunplugDisk", {"vmId": vm, "drive": {**DISK, **volume}})
    assert not [one for one in reply["vmList"]["devices"] if one["type"] == "disk"]
    assert house.prepared() == []
    assert "vda" not in house.xml(vm)
