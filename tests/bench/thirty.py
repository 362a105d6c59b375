"""Thirty machines at once, against thirty virsh at once."""

import subprocess
import time
import uuid
from pathlib import Path

from figures import Figure, in_turn
from lab.libvirtd import PrivateLibvirtd
from lab.virgated import Running

MANY = 30
MEMORY = "32"


def thirty_against_virsh(folder: Path) -> list[Figure]:
    with PrivateLibvirtd(folder / "l") as libvirtd:
        running = Running(folder, uri=libvirtd.uri).start()
        try:
            documents = describe(running, libvirtd, folder)
            ours, theirs = in_turn(3, lambda: by_us(running), lambda: by_virsh(running, libvirtd, documents))
        finally:
            running.end()
    return [Figure("30 machines at once, against 30 virsh create", ours, "s", "1.15x", theirs)]


def describe(running: Running, libvirtd: PrivateLibvirtd, folder: Path) -> dict[str, Path]:
    """Documents of machines just as ours, by their ids."""
    vm = create(running)
    wait(running, [vm])
    text = libvirtd.virsh("dumpxml", "--inactive", vm)
    running.api.destroy(vm)
    documents = {}
    for _ in range(MANY):
        other = str(uuid.uuid4())
        documents[other] = folder / f"{other}.xml"
        documents[other].write_text(text.replace(vm, other).replace(f"n{vm[:8]}", f"n{other[:8]}"))
    return documents


def create(running: Running) -> str:
    vm = str(uuid.uuid4())
    made = running.api.create({"vmId": vm, "vmName": f"n{vm[:8]}", "memSize": MEMORY, "kvmEnable": "false"})
    if made["status"]["code"]:
        raise RuntimeError(str(made["status"]))
    return vm


def wait(running: Running, vms: list[str]) -> None:
    while True:
        states = {one["status"] for one in running.api.list(False, vms)["vmList"]}
        if "Down" in states:
            ended = [one["exitMessage"] for one in running.api.getAllVmStats()["statsList"] if "exitMessage" in one]
            raise RuntimeError(f"a machine did not start: {ended}")
        if states == {"Up"}:
            return
        time.sleep(0.02)


def by_us(running: Running) -> float:
    started = time.perf_counter()
    vms = [create(running) for _ in range(MANY)]
    wait(running, vms)
    seconds = time.perf_counter() - started
    for vm in vms:
        running.api.destroy(vm)
    return seconds


def by_virsh(running: Running, libvirtd: PrivateLibvirtd, documents: dict[str, Path]) -> float:
    """No daemon runs meanwhile: it would look at each of these."""
    running.end()
    try:
        return beside_no_daemon(libvirtd, documents)
    finally:
        running.start()


def beside_no_daemon(libvirtd: PrivateLibvirtd, documents: dict[str, Path]) -> float:
    started = time.perf_counter()
    at_once([["virsh", "-c", libvirtd.uri, "-q", "create", str(path)] for path in documents.values()])
    seconds = time.perf_counter() - started
    for vm in documents:
        libvirtd.virsh("destroy", vm)
    return seconds


def at_once(commands: list[list[str]]) -> None:
    children = [subprocess.Popen(argv, stdout=subprocess.DEVNULL) for argv in commands]
    codes = [child.wait() for child in children]
    if any(codes):
        raise RuntimeError("virsh failed")
