"""Machines whose client brings the whole document with metadata, as newer clients do (spec xmlrpc-host-vm 3.6)."""

import base64

from real.whole.house import PYTHON, new_id

XML = """<?xml version="1.0" encoding="utf-8"?>
<domain type="kvm" xmlns:ovirt-tune="http://ovirt.org/vm/tune/1.0" xmlns:ovirt-vm="http://ovirt.org/vm/1.0">
  <name>document-{short}</name><uuid>{id}</uuid>
  <memory>32768</memory><currentMemory>32768</currentMemory>
  <vcpu current="1">4</vcpu>
  <sysinfo type="smbios"><system><entry name="product">OS-NAME:</entry><entry name="version">OS-VERSION:</entry>
    <entry name="serial">HOST-SERIAL:</entry><entry name="uuid">{id}</entry></system></sysinfo>
  <os><type arch="x86_64">hvm</type><smbios mode="sysinfo"/></os>
  <features><acpi/></features>
  <devices>
    <interface type="user"><mac address="56:6f:1a:00:00:0a"/><model type="virtio"/><alias name="ua-nic"/></interface>
    <controller type="usb" model="none"/>
    <memballoon model="none"/>
    <disk type="file" device="disk" snapshot="no"><target dev="vda" bus="virtio"/>
      <source file="/rhev/data-center/placeholder"/><driver name="qemu" type="raw" cache="none"/>
      <alias name="ua-{image}"/><serial>{image}</serial></disk>
    <disk type="file" device="cdrom"><source file="PAYLOAD:"/><target dev="hdd" bus="ide"/><readonly/>
      <driver name="qemu" type="raw"/></disk>
  </devices>
  <metadata>
    <ovirt-tune:qos/>
    <ovirt-vm:vm>
      <ovirt-vm:minGuaranteedMemoryMb type="int">16</ovirt-vm:minGuaranteedMemoryMb>
      <ovirt-vm:clusterVersion>4.7</ovirt-vm:clusterVersion>
      <ovirt-vm:launchPaused>{paused}</ovirt-vm:launchPaused>
      <ovirt-vm:custom><ovirt-vm:title>a title &amp; more</ovirt-vm:title></ovirt-vm:custom>
      <ovirt-vm:device mac_address="56:6F:1A:00:00:0A">
        <ovirt-vm:custom><ovirt-vm:model>e1000e</ovirt-vm:model></ovirt-vm:custom></ovirt-vm:device>
      <ovirt-vm:device devtype="disk" name="vda">
        <ovirt-vm:poolID>{poolID}</ovirt-vm:poolID><ovirt-vm:domainID>{domainID}</ovirt-vm:domainID>
        <ovirt-vm:imageID>{imageID}</ovirt-vm:imageID><ovirt-vm:volumeID>{volumeID}</ovirt-vm:volumeID>
      </ovirt-vm:device>
      <ovirt-vm:device devtype="disk" name="hdd">
        <ovirt-vm:payload><ovirt-vm:volId>config-2</ovirt-vm:volId>
          <ovirt-vm:file path="note">{note}</ovirt-vm:file></ovirt-vm:payload></ovirt-vm:device>
    </ovirt-vm:vm>
  </metadata>
</domain>"""

TITLE = """
import os
import hooking

domain = hooking.read_domxml()
title = domain.createElement("title")
title.appendChild(domain.createTextNode(os.environ["title"]))
domain.documentElement.appendChild(title)
hooking.write_domxml(domain)
"""
MODEL = """
import os
import hooking

device = hooking.read_domxml()
device.getElementsByTagName("model")[0].setAttribute("type", os.environ["model"])
hooking.write_domxml(device)
"""


def document(house, *, paused="false"):
    id, disk = new_id(), house.make_volume()
    house.made.append(id)
    note = base64.b64encode(b"hello").decode()
    return id, disk, XML.format(id=id, short=id[:8], image=disk["imageID"], note=note, paused=paused, **disk)


def by_alias(full):
    return {device["alias"]: device for device in full["devices"] if "alias" in device}


def test_a_document_runs_with_its_disk_payload_properties_and_hooks_and_survives_kill_9(own):
    own.start()
    own.make_pool()
    own.script("before_vm_start", PYTHON + TITLE)
    own.script("before_device_create", PYTHON + MODEL)
    id, disk, xml = document(own)
    answer = own.ask("create", {"vmID": id, "xml": xml})
    assert (answer["vmList"]["vmId"], answer["vmList"]["status"]) == (id, "WaitForLaunch")
    own.until_status(id, "Up", "Powering up")
    live = own.xml(id)
    for expected in ("<title>a title &amp; more</title>", "e1000e", disk["volumeID"], "clusterVersion>4.7<"):
        assert expected in live, expected
    assert "OS-NAME:" not in live
    assert len(own.left_behind(id)) == 1
    before = own.full(id)
    assert before["custom"] == {"title": "a title & more"}
    assert {one.get("name") for one in before["devices"] if one["type"] == "disk"} == {"vda", "hdd"}

    own.kill()
    own.start()
    after = own.full(id)
    for name in ("vmName", "custom", "status", "memSize"):
        assert after[name] == before[name], name
    assert by_alias(after)["ua-nic"]["nicModel"] == "e1000e", "what the script made of it"
    assert len(own.left_behind(id)) == 1, "the payload of a running guest stays"
    own.rejoin()
    alias = f"ua-{disk['imageID']}"
    chain = by_alias(before)[alias]["volumeChain"]
    own.until(lambda: by_alias(own.full(id))[alias].get("volumeChain") == chain, "its disk is prepared again")
    after = by_alias(own.full(id))
    for alias, device in by_alias(before).items():
        lost = {name: value for name, value in device.items() if after[alias].get(name) != value and name != "nicModel"}
        assert lost == {}, alias
    own.no_scripts()
    own.unplug(id)
    own.ask("destroy", id)
    assert (own.left_behind(id), own.prepared(), id in own.defined()) == ([], [], False)


def test_a_document_may_ask_to_be_launched_paused(house):
    id, _, xml = document(house, paused="true")
    house.ask("create", {"vmID": id, "xml": xml})
    house.until_status(id, "Paused")
    assert house.state(id) == "paused"
    house.ask("cont", id)
    assert house.state(id) == "running"


def test_a_document_whose_disk_is_not_there_goes_down_and_leaves_nothing(house):
    id, disk, xml = document(house)
    house.ask("create", {"vmID": id, "xml": xml.replace(disk["volumeID"], new_id())})
    assert house.failed(id)["exitMessage"]
    assert (house.left_behind(id), house.prepared(), id in house.defined()) == ([], [], False)
    house.ask("destroy", id)
    house.ask("create", {"vmID": id, "xml": xml})
    house.until_status(id, "Up", "Powering up")
