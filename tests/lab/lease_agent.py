"""Holds leases in a host for a test outside: `python lease_agent.py FOLDER DOMAIN IDS LEASES IO_TIMEOUT`.

Calls come as files `N.call` in FOLDER ([method, arguments]), answers leave as `N.answer`; `lost` appears, with the
time, when the SPM lease is lost. A place of a lease travels as [name, path, offset].
"""

import json
import os
import sys
import time
from pathlib import Path

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater

from virgate.errors import VirgateError
from virgate.hookspecs.leases import LeasePlace, LeaseSpace
from virgate.node.storage.errors import LeaseNotAcquired
from virgate.run.group import Group
from virgate.run.writers import writers
from virgate_plugins.leases import sanlock
from virgate_plugins.leases.sanlock.lease import SanlockLease

FOLDER = Path(sys.argv[1])
DOMAIN, IDS, LEASES = sys.argv[2:5]


class Agent:
    def __init__(self) -> None:
        self.lease = SanlockLease(LeaseSpace(DOMAIN, Path(IDS), Path(LEASES)))
        self.lease.when_lost(self.lost)
        self.done = 0
        self.guest: Group

    def lost(self, how: str) -> None:
        write("lost", [time.time(), how])

    def look(self) -> None:
        call = FOLDER / f"{self.done + 1}.call"
        if call.exists():
            self.done += 1
            Deferred.fromCoroutine(self.answer(self.done, *json.loads(call.read_text())))

    async def answer(self, number: int, method: str, arguments: list[object]) -> None:
        places = [LeasePlace(a[0], Path(a[1]), a[2]) if isinstance(a, list) else a for a in arguments]
        try:
            found = await self.do(method, places)
        except VirgateError as problem:
            write(f"{number}.answer", {"code": problem.code, "text": str(problem)})
        except Exception as problem:
            write(f"{number}.answer", {"code": -1, "text": repr(problem)})
        else:
            write(f"{number}.answer", {"result": found})

    async def do(self, method: str, arguments: list[object]) -> object:
        if method == "write for ever":
            # One that outlives the daemon, as a program stuck in the kernel does.
            keep = (writers().writing,)
            child = Group(["sleep", "600"], print, stdin=nothing(), stdout=nothing(), stderr=nothing(), keep=keep)
            return child.pid
        if method == "acquire at last":
            while not self.lease.held:
                try:
                    await self.lease.acquire()
                except LeaseNotAcquired:
                    await deferLater(reactor, 0.3)
            return None
        if method == "guarded guest":
            machine, *leases = arguments
            guard = await self.lease.guard(machine, leases)
            argv = ["sh", "-c", "sleep 600 & wait", "-uuid", machine]
            self.guest = Group(argv, print, stdin=nothing(), stdout=nothing(), stderr=nothing())
            guard.started()
            return self.guest.pid
        if method == "guests":
            state = Path(f"/proc/{self.guest.pid}/stat").read_text().rpartition(")")[2].split()[0]
            return [] if state == "Z" else [self.guest.pid]
        if method == "holder":
            return self.lease._mine.holder.pid
        if method == "value":
            found: list[bytes] = []
            await self.lease.change_value(arguments[0], lambda old: found.append(old) or old)
            return found[0].rstrip(b"\0").decode()
        if method == "set value":
            place, text = arguments
            await self.lease.change_value(place, lambda old: text.encode().ljust(512, b"\0"))
            return None
        found = getattr(self.lease, method)
        if callable(found):
            found = await found(*arguments)
        return [found.host, found.version] if hasattr(found, "version") else found


def nothing() -> int:
    return os.open(os.devnull, os.O_RDWR)


def write(name: str, value: object) -> None:
    (FOLDER / f".{name}").write_text(json.dumps(value))
    (FOLDER / f".{name}").rename(FOLDER / name)


sanlock.chosen.settings = evolve(sanlock.chosen.settings, io_timeout=int(sys.argv[5]), check_interval=2.0)
LoopingCall(Agent().look).start(0.05)
reactor.run()
