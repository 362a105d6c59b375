"""Thirty machines at once, each with a hook script: all start, all end, and the daemon answers all the while."""

import json

from real.whole.house import SHELL

MANY = 30
LONGEST = 0.1
"""Seconds that the daemon may be deaf."""
TRIES = 3
"""What the daemon itself causes comes each time; that the children it starts wait for a processor does not."""

WATCHDOG = """
import faulthandler
import json
import threading
import time
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import LoopingCall

from virgate import hookimpl

PERIOD = 0.01
HOME = Path({home!r})
LONGEST = HOME / "longest"
THREAD = Path(f"/proc/self/task/{{threading.get_native_id()}}/schedstat")


class Watchdog:
    "Notes the longest time between two beats, without what the thread had to wait for a processor."

    def __init__(self):
        self.longest = 0.0
        self.stacks = (HOME / "stacks").open("w")

    def begin(self):
        self.before = time.monotonic(), self.queued()
        LoopingCall(self.beat).start(PERIOD)

    def queued(self):
        return int(THREAD.read_text().split()[1]) / 1e9

    def beat(self):
        now, queued = time.monotonic(), self.queued()
        late = now - self.before[0] - PERIOD - (queued - self.before[1])
        self.before = now, queued
        if late > self.longest or not LONGEST.exists():
            self.longest = late
            LONGEST.write_text(json.dumps({{"seconds": late}}))
        faulthandler.dump_traceback_later(0.08, file=self.stacks)


watchdog = Watchdog()


@hookimpl
def settings_loaded(settings):
    reactor.callWhenRunning(watchdog.begin)
"""


def test_thirty_machines_start_and_end_and_the_daemon_is_never_deaf(own, tmp_path):
    own.plugin("watchdog", WATCHDOG.format(home=str(tmp_path)))
    own.script("before_vm_start", f"{SHELL}echo $vmId $number >>{tmp_path}/started\n")
    own.script("after_vm_destroy", f"{SHELL}echo $vmId >>{tmp_path}/ended\n")
    own.start("--set=machines.sample_period=2")
    deaf = []
    while not deaf or (deaf[-1] >= LONGEST and len(deaf) < TRIES):
        for name in ("longest", "started", "ended"):  # how long the daemon's start took is another's claim
            (tmp_path / name).unlink(missing_ok=True)
        thirty(own, tmp_path)
        deaf.append(json.loads((tmp_path / "longest").read_text())["seconds"])
        print(f"deaf for {deaf[-1] * 1000:.0f} ms at most")
    assert deaf[-1] < LONGEST, (deaf, (tmp_path / "stacks").read_text())


def thirty(own, tmp_path):
    vms = [own.create(memSize="32", custom={"number": str(number)}) for number in range(MANY)]
    own.until(lambda: up(own) == MANY, "all are up", 120)
    assert len(own.ask("getAllVmStats")["statsList"]) == MANY
    started = (tmp_path / "started").read_text().splitlines()
    assert sorted(line.split()[0] for line in started) == sorted(vms)
    for vm in vms:
        own.ask("destroy", vm)
    assert own.ask("list")["vmList"] == []
    assert sorted((tmp_path / "ended").read_text().split()) == sorted(vms)
    assert not set(vms) & set(own.defined())


def up(house):
    return sum(one["status"] == "Up" for one in house.ask("list")["vmList"])
