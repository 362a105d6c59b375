"""V5: which devices are handed to scripts, in the form where the machine is given as XML with metadata."""

import pytest_twisted

from virgate.domxml import metadata
from virgate.domxml.hooked import hooked_devices
from virgate.domxml.tree import parse
from virgate.hookspecs.documents import Subject, XmlDocument

DOMAIN = """<domain xmlns:ovirt-vm="http://ovirt.org/vm/1.0"><metadata><ovirt-vm:vm>
<ovirt-vm:custom><ovirt-vm:vmprop>1</ovirt-vm:vmprop></ovirt-vm:custom>
<ovirt-vm:device mac_address="02:00:00:00:00:01"><ovirt-vm:custom><ovirt-vm:p>v</ovirt-vm:p>
</ovirt-vm:custom></ovirt-vm:device>
<ovirt-vm:device mac_address="02:00:00:00:00:02"><ovirt-vm:custom/></ovirt-vm:device>
<ovirt-vm:device devtype="disk" name="vda"><ovirt-vm:custom><ovirt-vm:d>1</ovirt-vm:d>
</ovirt-vm:custom></ovirt-vm:device>
</ovirt-vm:vm></metadata><devices>
<interface type="bridge"><mac address="02:00:00:00:00:01"/></interface>
<disk type="file"><target dev="vda"/></disk>
<interface type="bridge"><mac address="02:00:00:00:00:02"/></interface>
<video><model type="vga"/></video>
</devices></domain>"""

MARK = """#!/bin/sh
echo "$(head -c 400 "$_hook_domxml" | grep -oE '<(interface|disk|video)') p=$p d=$d vmprop=$vmprop" >> "$SEEN"
sed -i 's/ type=/ seen="yes" type=/' "$_hook_domxml"
"""


@pytest_twisted.ensureDeferred
async def test_v5_devices_with_a_custom_element_are_handed_over_and_keep_their_place(bench, monkeypatch, tmp_path):
    """An empty `custom` counts. Disks count here, too, and nothing is reordered: so the spec's remarks have it."""
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    bench.write("before_device_create", "1", MARK)
    root = parse(DOMAIN)
    kept = metadata.read(root)
    for device in hooked_devices(root, kept):
        document = XmlDocument(device.text, custom=device.custom)
        await bench.hooks.before_device_create(vm=Subject("V", kept.custom), device=document)
        device.replace(document.text)
    assert (tmp_path / "seen").read_text().splitlines() == [
        "<interface p=v d= vmprop=1",
        "<disk p= d=1 vmprop=1",
        "<interface p= d= vmprop=1",
    ]
    assert [(one.tag, one.get("seen")) for one in root.find("devices")] == [
        ("interface", "yes"),
        ("disk", "yes"),
        ("interface", "yes"),
        ("video", None),
    ]


def test_v5_values_of_metadata_keep_their_type():
    root = parse(
        DOMAIN.replace("<ovirt-vm:custom>", '<ovirt-vm:n type="int">5</ovirt-vm:n><ovirt-vm:e/><ovirt-vm:custom>', 1)
    )
    values = metadata.read(root).values
    assert (values["n"], values["e"]) == (5, "")
