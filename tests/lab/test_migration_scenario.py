"""A guest counts to disk and to the network while it moves to and fro under load (spec migration 5 to 9)."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lab.cleanup import Lab
from lab.daemons import BRIDGE, DaemonHost, Daemons, boots
from lab.network import SUBNET, Network

MIB = 1 << 20
ROUNDS = 10
LONGEST_GAP = 2.0
BLOCK = 512

LISTENER = """
import socket, sys, time
listening = socket.create_server(("0.0.0.0", 7777))
with open(sys.argv[1], "w", buffering=1) as log:
    log.write("ready\\n")
    connection, _ = listening.accept()
    for line in connection.makefile():
        log.write(f"{time.monotonic():.3f} {line}")
"""
NOTE = """#!/bin/sh
echo "$(basename "$(dirname "$0")")" >>{log}
"""
SOURCE = [
    "before_device_migrate_source",
    "before_vm_migrate_source",
    "after_vm_migrate_source",
    "after_device_migrate_source",
]
DESTINATION = [name.replace("source", "destination") for name in SOURCE]


class Traveller:
    """The guest, what it counted and where."""

    def __init__(self, daemons: Daemons, host: DaemonHost) -> None:
        self._log = daemons.lab.folder / "counted"
        script = daemons.lab.folder / "listener.py"
        script.write_text(LISTENER)
        daemons.lab.daemon("listener", [*daemons.network.enter, "python3", str(script), str(self._log)])
        disk = daemons.volume(host, 8 * MIB)
        drive = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw", "index": "0", **disk}
        nic = {"type": "interface", "device": "bridge", "network": BRIDGE, "nicModel": "pv"}
        nic |= {"macAddr": "52:54:00:77:00:01", "custom": {"kind": "first"}}
        words = f"console=ttyS0 virgate.ip={SUBNET}.99/24 virgate.tick={SUBNET}.1:7777 virgate.load=8"
        params = boots(kernelArgs=words, devices=[drive, nic], smp="1")
        self.vm: str = params["vmId"]
        self.file = daemons.file(disk)
        host.until(self._log.exists, "the listener listens")
        host.call("create", params)
        host.until_status(self.vm, "Up")
        host.until(lambda: self.counted() > 5, "the guest counts", 60)

    def heard(self) -> list[tuple[float, int]]:
        found = re.findall(r"^([\d.]+) TICK (\d+)$", self._log.read_text(), re.MULTILINE)
        return [(float(at), int(number)) for at, number in found]

    def counted(self) -> int:
        heard = self.heard()
        return heard[-1][1] if heard else -1

    def on_disk(self) -> list[int]:
        """The numbers from the first block on, as far as something is written."""
        data = self.file.read_bytes()
        blocks = (data[at : at + BLOCK].strip(b"\0 \n") for at in range(0, len(data), BLOCK))
        return [int(block) for block in blocks if block]


@pytest.fixture
def hosts(lab: Lab, libvirt_cache: Path, guest: Path) -> Iterator[tuple[Daemons, DaemonHost, DaemonHost]]:
    daemons = Daemons(lab, Network(lab), libvirt_cache)
    north, south = daemons.start("north", "south", settings={"migration.monitor_interval": 0.5})
    yield daemons, north, south


@pytest.mark.timeout(300)
def test_a_guest_under_load_travels_ten_times_to_and_fro_and_never_loses_count(
    hosts: tuple[Daemons, DaemonHost, DaemonHost],
) -> None:
    daemons, north, south = hosts
    traveller = Traveller(daemons, north)
    vm = traveller.vm
    logs: dict[DaemonHost, Path] = {}
    for host in (north, south):
        logs[host] = host.host.folder / "hooks.log"
        for point in SOURCE + DESTINATION:
            host.script(point, NOTE.format(log=logs[host]))

    moves: list[dict[str, Any]] = []
    here, there = north, south
    for _ in range(2 * ROUNDS):
        before = traveller.counted()
        here.move(vm, there)
        assert here.until_over(vm) == (0, "Migration done"), here.said() + there.said()
        moves.append(here.call("migrateStatus", vm)["migrationStats"])
        here.until_status(vm, "Down")
        there.until_status(vm, "Up")
        here.call("destroy", vm)
        here, there = there, here
        here.until(lambda before=before: traveller.counted() > before, "the guest counts on")  # type: ignore[misc]

    heard = traveller.heard()
    assert [number for _, number in heard] == list(range(len(heard)))
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(heard)]
    assert max(gaps) < LONGEST_GAP, sorted(gaps)[-10:]
    north.call("destroy", vm)
    written = traveller.on_disk()
    assert written == list(range(len(written))) and len(written) >= len(heard)
    assert all(move["progress"] == 100 and move["downtime"] >= 0 for move in moves), moves
    for host, first, second in ((north, SOURCE, DESTINATION), (south, DESTINATION, SOURCE)):
        assert logs[host].read_text().split() == (first + second) * ROUNDS
        assert not [uuid for uuid in host.defined() if uuid == vm]
    print(f"downtimes {sorted(move['downtime'] for move in moves)} ms, longest gap {max(gaps):.2f} s")
