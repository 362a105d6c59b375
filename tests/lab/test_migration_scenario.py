"""A guest counts to disk and to the network while it moves to and fro under load (spec migration 5 to 9).

The agent runs in it: each host hears it, and it runs the guest's own scripts before and after each move.
"""

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lab.cleanup import Lab
from lab.daemons import DaemonHost, Daemons
from lab.network import Network
from lab.traveller import Traveller

ROUNDS = 10
VERSION = '<guestAgentAPIVersion type="int">3</guestAgentAPIVersion>'
LONGEST_GAP = 2.0
LONGEST_SILENCE = 5.0
"""Seconds from when a host tells that the guest is up there until it tells what the agent says."""

NOTE = """#!/bin/sh
echo "$(basename "$(dirname "$0")")" >>{log}
"""
SOURCE = [
    "before_device_migrate_source",
    "before_vm_migrate_source",
    "after_vm_migrate_source",
    "after_device_migrate_source",
]
MOVED = ["before_migration", "after_migration"]
DESTINATION = [name.replace("source", "destination") for name in SOURCE]


@pytest.fixture
def hosts(lab: Lab, libvirt_cache: Path, python_guest: Path) -> Iterator[tuple[Daemons, DaemonHost, DaemonHost]]:
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
    silences = []
    logs: dict[DaemonHost, Path] = {}
    for host in (north, south):
        logs[host] = host.host.folder / "hooks.log"
        for point in SOURCE + DESTINATION:
            host.script(point, NOTE.format(log=logs[host]))

    moves: list[dict[str, Any]] = []
    here, there = north, south
    for _ in range(2 * ROUNDS):
        before = traveller.counted()
        here.move(vm, there, enableGuestEvents="true")
        assert here.until_over(vm) == (0, "Migration done"), here.said() + there.said()
        moves.append(here.call("migrateStatus", vm)["migrationStats"])
        here.until_status(vm, "Down")
        there.until_status(vm, "Up")
        arrived = time.monotonic()
        traveller.agent_is_heard(there)
        silences.append(time.monotonic() - arrived)
        assert VERSION in there.host.libvirtd.virsh("metadata", vm, "http://ovirt.org/vm/1.0")
        here.call("destroy", vm)
        here, there = there, here
        here.until(lambda: traveller.scripts() == MOVED * len(moves), "the guest's scripts ran", 10)
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
    assert max(silences) < LONGEST_SILENCE, silences
    print(f"the agent is heard {min(silences):.1f} to {max(silences):.1f} s after a guest is up")
    print(f"downtimes {sorted(move['downtime'] for move in moves)} ms, longest gap {max(gaps):.2f} s")
