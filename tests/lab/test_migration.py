"""Machines move between two hosts, each with a whole daemon (spec migration 5 to 10)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.cleanup import Lab
from lab.daemons import DaemonHost, Daemons, new_id
from lab.guests import GUEST
from lab.network import Network

MIB = 1 << 20


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


@pytest.fixture(scope="module")
def daemons(lab: Lab, libvirt_cache: Path, guest: Path) -> Daemons:
    return Daemons(lab, Network(lab), libvirt_cache)


@pytest.fixture(scope="module")
def hosts(daemons: Daemons) -> list[DaemonHost]:
    return daemons.start("north", "south")


def boots(**more: Any) -> dict[str, Any]:
    vm = new_id()
    return {
        "vmId": vm,
        "vmName": f"n{vm[:8]}",
        "memSize": "192",
        "kvmEnable": "false",
        "kernel": str(GUEST / "vmlinuz"),
        "initrd": str(GUEST / "initrd.img"),
        "acpiEnable": "true",
        "devices": [],
        **more,
    }


def test_a_machine_moves(daemons: Daemons, hosts: list[DaemonHost]) -> None:
    north, south = hosts
    disk = daemons.volume(north, MIB)
    drive = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw", "index": "0", **disk}
    params = boots(devices=[drive])
    vm = params["vmId"]
    north.call("create", params)
    north.until_status(vm, "Up")
    north.move(vm, south)
    north.until_status(vm, "Down")
    assert north.standing(vm) == (0, "Migration done"), north.said() + south.said()
    south.until_status(vm, "Up")
