"""A machine sleeps on storage and wakes up: a whole daemon, a real pool, a real guest that counts on."""

import re

import pytest
from real.whole.house import BOOTS

DISK = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw"}
CONSOLE = {"type": "console", "device": "console", "specParams": {"consoleType": "serial"}}
KEEP_CONSOLE = """#!/usr/bin/env python3
import os
import hooking

if path := os.environ.get("console_log"):
    domain = hooking.read_domxml()
    for serial in domain.getElementsByTagName("serial"):
        log = domain.createElement("log")
        log.setAttribute("file", path)
        log.setAttribute("append", "on")
        serial.appendChild(log)
    hooking.write_domxml(domain)
"""


def bed(house, memory=256):
    """Two volumes for a machine to sleep on; the handle that names them."""
    state = house.make_volume(size=memory << 20)
    conf = house.make_volume(size=10240, kind=1)
    return ",".join((house.domain, house.pool, state["imageID"], state["volumeID"], conf["imageID"], conf["volumeID"]))


def test_a_guest_wakes_up_where_it_fell_asleep(house, guest, tmp_path):
    house.script("before_vm_start", KEEP_CONSOLE)
    console = tmp_path / "console"
    disk = house.make_volume()
    params = {
        **BOOTS,
        "kernelArgs": "console=ttyS0 quiet",
        "custom": {"console_log": str(console), "colour": "green"},
        "devices": [{**DISK, **disk}, CONSOLE],
    }
    vm = house.up(**params)
    house.until(lambda: console.exists() and "VIRGATE-GUEST-UP" in console.read_text(errors="replace"), "it is up", 90)
    handle = bed(house)
    started = house.stats(vm)["elapsedTime"]
    assert house.ask("hibernate", vm, handle)["status"]["message"] == "Hibernation process starting"
    stats = house.failed(vm)
    assert (stats["exitCode"], stats["exitReason"], stats["exitMessage"]) == (0, 5, "SaveState succeeded")
    assert house.prepared() == []
    house.ask("destroy", vm)
    assert vm not in house.defined()
    print(console.read_text(errors="replace")[-2000:])
    house.create(**params, vmId=vm, hiberVolHandle=handle)
    assert house.stats(vm)["status"] == "Restoring state"
    house.until_status(vm, "Up")
    assert house.state(vm) == "running"
    print(house.stats(vm), started)
