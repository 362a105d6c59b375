"""What four hundred guests with agents cost the daemon: a driver plays their ends of the sockets."""

import json
import selectors
import socket
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import define, field
from daemon import cpu_seconds, resident
from figures import Figure
from lab.virgated import Running

GUESTS = 400
BEAT = 5.0
WATCHED = 40.0
MEMORY = {"mem_total": 2000000, "mem_free": 1500000, "mem_unused": 1180000, "mem_buffers": 20000, "mem_cached": 300000}
MEMORY |= {"swap_total": 0, "swap_usage": 0, "swap_in": 0, "swap_out": 0, "majflt": 3, "pageflt": 7258}


def message(name: str, /, **members: Any) -> bytes:
    return json.dumps({"__name__": name, **members}).encode() + b"\n"


REFRESHED = b"".join(
    [
        message("session-startup"),
        message("active-user", name="alice"),
        message("applications", applications=[f"package-{number}-1.0" for number in range(20)]),
        message("host-name", name="vm7.example.test"),
        message("os-version", version="5.14.0-70.el9.x86_64"),
        message(
            "network-interfaces",
            interfaces=[{"name": "eth0", "hw": "02:00:00:aa:bb:01", "inet": ["192.0.2.10"], "inet6": ["fe80::1"]}],
        ),
        message(
            "disks-usage", disks=[{"path": "/", "total": 10737418240, "used": 3221225472, "fs": "xfs"}], mapping={}
        ),
        message("fqdn", fqdn="vm7.example.test"),
        message("timezone", zone="Europe/Paris", offset=60),
    ]
)


@define
class Guests:
    """Listens as QEMU does, speaks as an agent does; each guest beats every five seconds, all at other moments."""

    folder: Path
    listening: list[socket.socket] = field(factory=list)
    talking: list[socket.socket] = field(factory=list)
    beats: int = 0
    over: bool = False
    beating: bool = False
    flooding: bool = False

    def add(self, vm: str) -> None:
        door = socket.socket(socket.AF_UNIX)
        door.bind(str(self.folder / f"{vm}.com.redhat.rhevm.vdsm"))
        door.listen(1)
        self.listening.append(door)

    def play(self) -> None:
        picked = selectors.DefaultSelector()
        for door in self.listening:
            picked.register(door, selectors.EVENT_READ, True)
        begun = time.monotonic()
        while not self.over:
            for key, _ in picked.select(0.01):
                if key.data:
                    guest, _ = key.fileobj.accept()  # type: ignore[union-attr]
                    picked.register(guest, selectors.EVENT_READ, False)
                    self.talking.append(guest)
                elif not (said := key.fileobj.recv(4096)):  # type: ignore[union-attr]
                    picked.unregister(key.fileobj)
                elif b"refresh" in said:
                    key.fileobj.sendall(REFRESHED)  # type: ignore[union-attr]
            if not self.beating:
                begun = time.monotonic()
                continue
            if self.flooding:
                self._flood()
            due = int((time.monotonic() - begun) / BEAT * len(self.talking))
            while self.beats < due:
                guest = self.talking[self.beats % len(self.talking)]
                self.beats += 1
                if self.flooding and guest is self.talking[0]:
                    continue
                figures = {**MEMORY, "pageflt": 7000 + self.beats}
                guest.sendall(message("heartbeat", **{"free-ram": "1464", "memory-stat": figures, "apiVersion": 3}))

    def _flood(self) -> None:
        """As much as fits at once; the guest is a hostile one, and no other is held up by it."""
        guest = self.talking[0]
        guest.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                guest.send(b"{}\n" * 10_000)


def four_hundred_agents(folder: Path) -> list[Figure]:
    guests = Guests(folder / "run/channels")
    guests.folder.mkdir(parents=True)
    quiet = ("--set=machines.sample_period=3600", "--set=machines.parallel_starts=8")
    running = Running(folder).start(*quiet)
    player = threading.Thread(target=guests.play)
    try:
        assert running.process is not None
        pid = running.process.pid
        for _ in range(GUESTS):
            vm = str(uuid.uuid4())
            guests.add(vm)
            made = running.api.create({"vmId": vm, "vmName": f"n{vm[:8]}", "memSize": "64", "kvmEnable": "false"})
            assert made["status"]["code"] == 0, made
        running.until(lambda: count(running, "Powering up") == GUESTS, "all run", 50)
        bare = resident(pid)
        player.start()
        running.until(lambda: len(guests.talking) == GUESTS, "all are connected", 90)
        time.sleep(5)
        still = share(pid)
        guests.beating = True
        running.until(lambda: count(running, "Powering up") == 0, "all are up", 60)
        time.sleep(10)
        beats = guests.beats
        busy = share(pid)
        per_second = (guests.beats - beats) / WATCHED
        guests.flooding = True
        time.sleep(35)  # what it may say at first is said
        flooded = share(pid)
        return [
            Figure(f"{GUESTS} agents that beat ({per_second:.0f}/s), CPU", busy, "% of a core", "under 1.5 %"),
            Figure("the daemon with as many machines whose agents are silent", still, "% of a core", ""),
            Figure("the same with one guest that talks without end", flooded, "% of a core", "0.5 more"),
            Figure(f"{GUESTS} agents, memory", (resident(pid) - bare) / (1 << 20), "MiB", "under 8 MiB"),
        ]
    finally:
        guests.over = True
        running.end()
        if player.is_alive():
            player.join()
        for end in (*guests.listening, *guests.talking):
            end.close()


def share(pid: int) -> float:
    """Per cent of a core over a while."""
    before, begun = cpu_seconds(pid), time.perf_counter()
    time.sleep(WATCHED)
    return (cpu_seconds(pid) - before) / (time.perf_counter() - begun) * 100


def count(running: Running, status: str) -> int:
    return sum(one["status"] == status for one in running.api.getAllVmStats()["statsList"])
