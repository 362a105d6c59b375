"""Documents to try a script on when nobody has a better one: small, complete, and typical of each point."""

from typing import Any

DOMAIN = """<?xml version="1.0" encoding="utf-8"?>
<domain type="kvm" xmlns:ovirt-vm="http://ovirt.org/vm/1.0">
    <name>sample</name>
    <uuid>00000000-0000-4000-8000-000000000001</uuid>
    <memory>1048576</memory>
    <currentMemory>1048576</currentMemory>
    <vcpu current="2">4</vcpu>
    <os>
        <type arch="x86_64" machine="q35">hvm</type>
    </os>
    <cpu match="exact">
        <model>Nehalem</model>
    </cpu>
    <devices>
        <disk type="file" device="disk" snapshot="no">
            <driver name="qemu" type="qcow2" cache="none"/>
            <source file="/path/of/a/volume"/>
            <target dev="vda" bus="virtio"/>
            <boot order="1"/>
        </disk>
        <interface type="bridge">
            <mac address="02:00:00:00:00:01"/>
            <model type="virtio"/>
            <source bridge="ovirtmgmt"/>
            <filterref filter="vdsm-no-mac-spoofing"/>
            <link state="up"/>
        </interface>
        <serial type="pty">
            <target port="0"/>
        </serial>
        <graphics type="vnc" port="-1" autoport="yes"/>
    </devices>
</domain>
"""

INTERFACE = """<?xml version="1.0" encoding="utf-8"?>
<interface type="bridge">
    <mac address="02:00:00:00:00:01"/>
    <model type="virtio"/>
    <source bridge="ovirtmgmt"/>
    <filterref filter="vdsm-no-mac-spoofing"/>
    <link state="up"/>
</interface>
"""

DISK = """<?xml version="1.0" encoding="utf-8"?>
<disk type="file" device="disk" snapshot="no">
    <driver name="qemu" type="qcow2" cache="none"/>
    <source file="/path/of/a/volume"/>
    <target dev="vdb" bus="virtio"/>
</disk>
"""

MEMORY = """<?xml version="1.0" encoding="utf-8"?>
<memory model="dimm">
    <target>
        <size unit="KiB">1048576</size>
        <node>0</node>
    </target>
</memory>
"""

_REQUEST = {
    "request": {
        "networks": {"sample": {"nic": "eth0", "bridged": True, "bootproto": "dhcp", "custom": {}}},
        "bondings": {},
        "options": {"connectivityCheck": True},
    }
}

_MACHINE = {"vmId": "00000000-0000-4000-8000-000000000001", "status": "Up", "cpuUser": "1.00", "memUsage": "20"}

_VALUES: dict[str, Any] = {
    "after_disk_prepare": {"device": "disk", "name": "vda", "path": "/path/of/a/volume", "format": "cow"},
    "before_network_setup": _REQUEST,
    "after_network_setup": _REQUEST,
    "after_network_setup_fail": _REQUEST,
    "before_ifcfg_write": {"name": "eth0", "ifcfg_file": "/etc/interfaces/eth0", "config": "BOOTPROTO=dhcp\n"},
    "after_ifcfg_write": {"name": "eth0", "ifcfg_file": "/etc/interfaces/eth0", "config": "BOOTPROTO=dhcp\n"},
    "after_get_vm_stats": [_MACHINE],
    "after_get_all_vm_stats": [_MACHINE],
    "after_get_caps": {"cpuModel": "sample", "hooks": {}},
    "after_get_stats": {"cpuLoad": "0.10", "memUsed": "20"},
    "after_hostdev_list_by_caps": {"pci_0000_00_02_0": {"params": {"capability": "pci"}}},
}


def device(point: str) -> str:
    """The element that the device points of this name are about."""
    kinds = {"disk": DISK, "memory": MEMORY}
    return next((text for kind, text in kinds.items() if kind in point), INTERFACE)


def value(point: str) -> Any:
    return _VALUES.get(point, {})
