"""Machines move between two hosts, each with a whole daemon (spec migration 5 to 10)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.cleanup import Lab
from lab.daemons import DaemonHost, Daemons, boots
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
