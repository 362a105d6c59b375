"""How disks of a request reach storage, and what is told of them afterwards."""

from typing import Any

import attrs
import pytest
import pytest_twisted
from attrs import define, field

from virgate.domxml.facts import DiskRequest, DiskSource
from virgate.node.storage.values import PreparedVolume
from virgate.node.vm import describe, readback
from virgate.node.vm.disks import HostDisks
from virgate.node.vm.figures import statistics

ID = "11111111-1111-4111-8111-111111111111"
IMAGE = {"poolID": "p", "domainID": "d", "imageID": "i", "volumeID": "v"}
CHAIN = ({"domainID": "d", "imageID": "i", "volumeID": "v", "path": "/x/v", "volType": "path"},)


@define
class Images:
    calls: list[tuple[str, ...]] = field(factory=list)

    async def prepare(self, pool: str, domain: str, image: str, volume: str) -> PreparedVolume:
        self.calls.append(("prepare", pool, domain, image, volume))
        return PreparedVolume("/x/v", "cow", CHAIN, CHAIN[0])

    async def teardown(self, pool: str, domain: str, image: str, volume: str) -> None:
        self.calls.append(("teardown", pool, domain, image, volume))


VOLUME = DiskRequest("vda", pool_id="p", domain_id="d", image_id="i", volume_id="v")


@pytest_twisted.ensureDeferred
async def test_a_volume_is_prepared_and_torn_down_by_storage() -> None:
    images = Images()
    source = await HostDisks(images).prepare(VOLUME)
    await HostDisks(images).teardown(VOLUME)
    assert (source.path, source.format, source.kind, source.chain) == ("/x/v", "qcow2", "file", CHAIN)
    assert images.calls == [("prepare", "p", "d", "i", "v"), ("teardown", "p", "d", "i", "v")]


@pytest.mark.parametrize(
    ("disk", "path", "kind"),
    [
        (DiskRequest("vda", path="/a/b.iso"), "/a/b.iso", "file"),
        (DiskRequest("vda", path="/dev/sdz"), "/dev/sdz", "block"),
        (DiskRequest("vda", guid="36001"), "/dev/mapper/36001", "block"),
        (DiskRequest("vda", uuid="u-u"), "/dev/disk/by-uuid/u-u", "block"),
        (DiskRequest("vda", path="pool/image", disk_type="network"), "pool/image", "network"),
        (DiskRequest("hdc", device="cdrom"), "", "file"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_has_a_place_of_its_own_is_taken_as_it_is(disk: DiskRequest, path: str, kind: str) -> None:
    images = Images()
    source = await HostDisks(images).prepare(disk)
    await HostDisks(images).teardown(disk)
    assert (source.path, source.kind, images.calls) == (path, kind, [])


def test_hooks_are_given_the_drive_in_the_clients_words() -> None:
    conf = {"devices": [{"type": "disk", "name": "vda", "serial": "s", **IMAGE}]}
    drive = readback.drive(conf, VOLUME, DiskSource("/x/v", "qcow2"))
    assert drive["serial"] == "s" and drive["imageID"] == "i"
    assert (drive["path"], drive["format"], drive["diskType"]) == ("/x/v", "cow", "file")


def test_of_what_a_hook_left_only_path_format_and_type_count() -> None:
    source = DiskSource("/x/v", "qcow2", "file", CHAIN)
    moved = readback.changed(source, {"path": "/dev/y", "diskType": "block"})
    assert moved == attrs.evolve(source, path="/dev/y", kind="block")


XML = f"""<domain type='qemu'><name>one</name><uuid>{ID}</uuid><memory unit='KiB'>65536</memory><vcpu>1</vcpu>
<metadata><ovirt-vm:vm xmlns:ovirt-vm='http://ovirt.org/vm/1.0'>
<ovirt-vm:custom><ovirt-vm:colour>blue</ovirt-vm:colour></ovirt-vm:custom>
<ovirt-vm:device devtype='disk' name='vda'><ovirt-vm:poolID>p</ovirt-vm:poolID><ovirt-vm:domainID>d</ovirt-vm:domainID>
<ovirt-vm:imageID>i</ovirt-vm:imageID><ovirt-vm:volumeID>v</ovirt-vm:volumeID></ovirt-vm:device>
<ovirt-vm:launchPaused>true</ovirt-vm:launchPaused>
</ovirt-vm:vm></metadata><os><type arch='x86_64'>hvm</type></os>
<devices><disk type='file' device='disk'><driver name='qemu' type='raw'/><source file=''/>
<target dev='vda' bus='virtio'/>
</disk></devices></domain>"""


@pytest_twisted.ensureDeferred
async def test_the_document_form_prepares_its_volumes_and_shows_them(host: Any) -> None:
    machine = await host.machines.create({"vmID": ID, "xml": XML})
    assert machine.vitals.exit is None
    assert host.trace.given["after_disk_prepare"]["data"].value["imageID"] == "i"
    assert "/rhev/vda" in host.domains.domains[ID].xml
    assert machine.record.custom == {"colour": "blue"}
    (disk,) = [one for one in describe.full(machine)["devices"] if one["type"] == "disk"]
    assert {name: disk[name] for name in IMAGE} == IMAGE
    counted = {"block.count": 1, "block.0.name": "vda", "block.0.rd.reqs": 1}
    host.domains.samples = {ID: counted}
    host.clock.advance(15)
    host.clock.advance(15)
    assert statistics(machine)["disks"]["vda"]["imageID"] == "i"


@pytest_twisted.ensureDeferred
async def test_a_machine_of_the_document_form_is_recovered_with_its_volumes(host: Any) -> None:
    before = await host.machines.create({"vmID": ID, "xml": XML})
    again = host.again()
    await again.start()
    after = again.find(ID)
    assert after.request.xml_form
    assert [readback.identity(disk) for disk in after.record.disks] == [IMAGE]
    old, new = describe.full(before), describe.full(after)
    assert new == old
    await again.stop()
