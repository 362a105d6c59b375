"""Moving an idle guest to another host and back, against `virsh migrate` with the same flags."""

import os
import statistics
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

from figures import Figure
from lab.cleanup import Lab
from lab.daemons import DaemonHost, Daemons, boots
from lab.network import Network
from lxml import etree

CACHE = Path(__file__).resolve().parents[2] / "build/lab/libvirt-cache"
ROUNDS = 8
MEMORY = 256
BANDWIDTH = 52
DOWNTIME = 101
"""Milliseconds: the first step of our schedule."""


def idle_guest(folder: Path) -> list[Figure]:
    if os.geteuid():
        return []
    with Lab() as lab:
        north, south = Daemons(lab, Network(lab), CACHE).start("north", "south")
        params = boots(memSize=str(MEMORY))
        north.call("create", params)
        north.until_status(params["vmId"], "Up")
        other = _twin(north, params["vmId"], folder / "other.xml")
        time.sleep(5)  # until both have booted and are idle
        ours: list[tuple[float, float]] = []
        theirs: list[tuple[float, float]] = []
        here, there = north, south
        for _ in range(ROUNDS):
            ours.append(_by_us(here, there, params["vmId"]))
            theirs.append(_by_virsh(here, there, other))
            here, there = there, here
        here.host.libvirtd.virsh("destroy", other)
        here.call("destroy", params["vmId"])
    seconds, downtime = (_medians(ours[1:]), _medians(theirs[1:])), "equal within noise"
    (total, still), (reference, still_there) = seconds
    return [
        Figure(f"migration of an idle {MEMORY} MiB guest, against virsh", total * 1000, "ms", "1.1x", reference * 1000),
        Figure("its downtime", still, "ms", downtime, still_there),
    ]


def _medians(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(one[0] for one in pairs), statistics.median(one[1] for one in pairs)


def _twin(host: DaemonHost, vm: str, file: Path) -> str:
    """The same guest, started by hand: nobody but libvirt minds it."""
    root: Any = etree.fromstring(host.host.libvirtd.virsh("dumpxml", "--migratable", vm).encode())
    made = str(uuid.uuid4())
    root.find("uuid").text, root.find("name").text = made, f"n{made[:8]}"
    for gone in root.xpath("metadata | sysinfo | os/smbios | devices/channel"):
        gone.getparent().remove(gone)
    file.write_bytes(etree.tostring(root))
    host.host.libvirtd.virsh("create", str(file))
    return made


def _by_us(here: DaemonHost, there: DaemonHost, vm: str) -> tuple[float, float]:
    started = time.perf_counter()
    here.move(vm, there, maxBandwidth=BANDWIDTH)
    while here.status(vm) != "Down":
        time.sleep(0.005)
    seconds = time.perf_counter() - started
    moved = here.call("migrateStatus", vm)["migrationStats"]
    if moved["status"]["code"]:
        raise RuntimeError(str(moved))
    here.call("destroy", vm)
    there.until_status(vm, "Up")
    return seconds, float(moved["downtime"])


def _by_virsh(here: DaemonHost, there: DaemonHost, vm: str) -> tuple[float, float]:
    libvirtd = here.host.libvirtd
    libvirtd.virsh("migrate-setmaxdowntime", vm, str(DOWNTIME))
    uris = [there.host.libvirt_uri, "--migrateuri", f"tcp://{there.address}"]
    started = time.perf_counter()
    libvirtd.virsh("migrate", "--live", "--p2p", "--unsafe", "--bandwidth", str(BANDWIDTH), vm, *uris)
    seconds = time.perf_counter() - started
    told = subprocess.run(
        ["virsh", "-q", "-c", there.host.libvirtd.uri, "domjobinfo", "--completed", vm],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    still = next((line.split()[-2] for line in told.splitlines() if line.startswith("Downtime w/o network")), "nan")
    return seconds, float(still)
