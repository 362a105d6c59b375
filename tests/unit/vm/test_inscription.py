"""What a domain says of its machine follows what is plugged and unplugged."""

from typing import Any

import pytest_twisted
from doubles.machines import ID

from virgate.domxml import metadata, tree
from virgate.node.vm import inscription
from virgate.node.vm.machine import Machine


async def _machine(host: Any, params: Any, **more: Any) -> Machine:
    machine: Machine = await host.machines.create({**params, **more})
    return machine


def _written(host: Any, uri: str) -> str:
    calls = [call for call in host.domains.calls if call[0] == "set_metadata" and call[-1] == uri]
    return str(calls[-1][2])


@pytest_twisted.ensureDeferred
async def test_a_plugged_nic_is_kept_and_an_unplugged_one_is_forgotten(host: Any, params: Any) -> None:
    nic = {"type": "interface", "device": "bridge", "macAddr": "00:1A:4a:00:00:01", "network": "red"}
    machine = await _machine(host, params, devices=[nic])
    machine.record.conf["devices"].append({**nic, "macAddr": "00:1a:4a:00:00:02", "network": "blue"})
    await inscription.keep_devices(machine)
    assert "blue" in _written(host, metadata.VM) and "red" in _written(host, metadata.VM)
    assert "00:1a:4a:00:00:02" in _written(host, metadata.MACHINE)
    machine.record.conf["devices"].pop()
    machine.record.xml = host.domains.domains[ID].xml
    await inscription.keep_devices(machine)
    assert "blue" not in _written(host, metadata.VM) and "red" in _written(host, metadata.VM)


@pytest_twisted.ensureDeferred
async def test_what_only_the_client_knows_of_a_disk_stays(host: Any, params: Any) -> None:
    disk = {"type": "disk", "device": "disk", "iface": "virtio", "path": "/images/one", "format": "raw"}
    machine = await _machine(host, params, devices=[disk])
    root = tree.parse(machine.record.xml)
    vm = metadata.vm_element(root)
    known = metadata.decode(vm)  # type: ignore[arg-type]
    entry = metadata.DeviceMetadata({"devtype": "disk", "name": "vda"}, {"mine": "kept", "volumeID": "old"})
    metadata.place(root, [metadata.encode(metadata.VmMetadata(known.values, (entry,)))])
    machine.record.xml = tree.one_line(root)
    found = next(one for one in machine.record.conf["devices"] if one.get("name") == "vda")
    found.update(domainID="d", imageID="i", volumeID="new")
    await inscription.keep_devices(machine)
    written = _written(host, metadata.VM)
    assert "kept" in written and "new" in written and "old" not in written


@pytest_twisted.ensureDeferred
async def test_an_unplugged_disk_is_forgotten_and_what_is_no_disk_stays(host: Any, params: Any) -> None:
    disk = {"type": "disk", "device": "disk", "iface": "virtio", "path": "/images/one", "format": "raw"}
    machine = await _machine(host, params, devices=[disk])
    root = tree.parse(machine.record.xml)
    entries = [
        {"devtype": "disk", "name": "vda"},
        {"devtype": "disk", "name": "vdb"},
        {"devtype": "video", "alias": "x"},
    ]
    kept = tuple(metadata.DeviceMetadata(match, {"of": "_".join(match.values())}) for match in entries)
    metadata.place(root, [metadata.encode(metadata.VmMetadata({}, kept))])
    machine.record.xml = tree.one_line(root)
    await inscription.keep_devices(machine)
    written = _written(host, metadata.VM)
    assert "disk_vda" in written and "video_x" in written and "disk_vdb" not in written
