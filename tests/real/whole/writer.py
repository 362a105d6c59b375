"""A guest that writes numbered blocks with checksums to its first disk, and what must be found there afterwards."""

import hashlib
import json
import os
import re
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from real.whole.house import BOOTS, House

BLOCK = 4096
DISK = {"type": "disk", "device": "disk", "iface": "virtio"}
WRITES = (
    "n=%d; while [ ! -e /stop ]; do s=$(printf %%08d $n); h=$(echo $s | md5sum | cut -c1-32); "
    "printf '%%s %%s' $s $h | dd of=/dev/vda bs=4096 seek=$n conv=sync,fsync 2>/dev/null && echo =W=$n=; "
    "n=$((n+1)); done & w=$!"
)
COW, RAW = 4, 5


AGENT = (
    "p=$(grep -l org.qemu.guest_agent.0 /sys/class/virtio-ports/*/name | cut -d/ -f5); exec 3<>/dev/$p",
    """id() { echo "$l" | sed 's/.*"id": *\\([0-9]*\\).*/\\1/'; }""",
    "say() { echo '{\"return\":'$1'}' >&3; }",
    "answer() { case $l in *sync-delimited*) printf '\\377' >&3; say $(id);; *guest-sync*) say $(id);; "
    "*freeze-freeze*) echo =FRO''ZEN=; sleep $(cat /delay); say 1;; *freeze-thaw*) echo =THA''WED=; say 1;; "
    '*) echo \'{"error":{"class":"CommandNotFound","desc":"no"}}\' >&3;; esac; }',
)
"""A QEMU agent in four lines of shell, which says when it freezes and thaws, and does neither."""


def patiently(condition: Callable[[], Any], what: str, seconds: float = 30) -> None:
    """Waits for something, whether a daemon runs or not."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, f"waited in vain until {what}"
        time.sleep(0.05)


class Console:
    """The guest's serial line, typed on and read by the test itself: it does not depend on any daemon."""

    def __init__(self, path: str) -> None:
        self._tty = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.text = ""

    def read(self, seconds: float = 0) -> None:
        while select.select([self._tty], [], [], seconds)[0]:
            self.text += os.read(self._tty, 65536).decode(errors="replace")
            seconds = 0

    def until(self, pattern: str, after: int = 0, seconds: float = 60) -> re.Match[str]:
        ends = time.monotonic() + seconds
        while not (found := re.compile(pattern).search(self.text, after)):
            assert time.monotonic() < ends, f"waited in vain for {pattern}: {self.text[-2000:]}"
            self.read(0.2)
        return found

    def type(self, text: str) -> None:
        """A line; slowly, for an emulated serial line has a small buffer."""
        for start in range(0, len(text), 16):
            os.write(self._tty, text[start : start + 16].encode())
            self.read(0.01)
        os.write(self._tty, b"\n")

    def wake(self, seconds: float = 90) -> None:
        """Waits for the shell; what it said before somebody listened is lost, so it is asked until it answers."""
        ends = time.monotonic() + seconds
        while "/ # " not in self.text:
            assert time.monotonic() < ends, f"no shell: {self.text[-500:]}"
            self.type("")
            self.read(1)

    def does(self, command: str, seconds: float = 60) -> str:
        """What a command of the guest prints."""
        start = len(self.text)
        self.type(f"{command}; echo =D''ONE=")
        self.until("=DONE=", start, seconds)
        return self.text[start:]

    def close(self) -> None:
        os.close(self._tty)


class Writer:
    """One machine on a disk of 64 MiB, whose guest can be told to write."""

    def __init__(self, house: House, guest: Path, size: int = 64 << 20, form: int = RAW, **params: Any) -> None:
        self.house, self.size = house, size
        self.disk = house.make_volume(size=size, form=form)
        self.chain = [self.disk["volumeID"]]
        self.sums: dict[tuple[int, int], str] = {}
        """Of other data, by place and size in MiB."""
        name = "cow" if form == COW else "raw"
        devices = [
            {**DISK, **self.disk, "format": name},
            {"type": "console", "device": "console", "specParams": {"consoleType": "serial"}},
            *params.pop("devices", []),
        ]
        kernel = {"kernelArgs": "console=ttyS0 quiet virgate.shell=1"}
        self.vm = house.up(**{**BOOTS, **kernel, "devices": devices, **params})
        self.console = Console(house.ask("getVmConsole", self.vm)["console"]["path"])
        self.console.wake()
        self.console.type("stty -echo")
        self.console.does("true")

    @property
    def image(self) -> str:
        return self.disk["imageID"]

    @property
    def written(self) -> int:
        """The last block that the guest knows to be on its disk; -1 before the first."""
        self.console.read()
        return max((int(number) for number in re.findall("=W=([0-9]+)=", self.console.text)), default=-1)

    def write(self) -> None:
        """Begins to write, behind what is written already."""
        self.console.does("rm -f /stop")
        self.console.type(WRITES % (self.written + 1))

    def write_on(self, blocks: int = 5, seconds: float = 60) -> None:
        """Comes back when so many more blocks are written."""
        wanted = self.written + blocks
        ends = time.monotonic() + seconds
        while self.written < wanted:
            assert time.monotonic() < ends, f"the guest does not write: {self.console.text[-500:]}"
            self.console.read(0.2)

    def rest(self) -> None:
        self.console.does("touch /stop; wait $w")

    def fill(self, mib: int, at: int) -> None:
        """Random data of so many MiB, whose sum is known."""
        told = self.console.does(
            f"dd if=/dev/urandom of=/dev/vda bs=1M seek={at} count={mib} conv=fsync 2>/dev/null; "
            f"dd if=/dev/vda bs=1M skip={at} count={mib} 2>/dev/null | md5sum"
        )
        found = re.search("[0-9a-f]{32}", told)
        assert found, told
        kept = {
            (place, size): one for (place, size), one in self.sums.items() if place >= at + mib or place + size <= at
        }
        self.sums = {**kept, (at, mib): found[0]}

    def start_agent(self, delay: float = 0) -> None:
        """From now on the guest has an agent, which takes its time to freeze."""
        self.console.does(f"echo {delay} >/delay")
        if "state='connected'" in self.house.xml(self.vm):
            return
        for line in AGENT:
            self.console.does(line)
        self.console.type("while read -r l <&3; do answer; done &")
        patiently(lambda: "state='connected'" in self.house.xml(self.vm), "the agent is heard")

    def new_volume(self) -> dict[str, str]:
        """A volume on top of the last; answers what `snapshot` wants to know."""
        from real.whole.house import new_id

        house, base, new = self.house, self.chain[-1], new_id()
        sizes = [str(self.size), COW, 2]
        house.done(
            "createVolume", house.domain, house.pool, self.image, *sizes, "DATA", new, "of a test", self.image, base
        )
        return {"domainID": house.domain, "imageID": self.image, "baseVolumeID": base, "volumeID": new}

    def snapshot(self, *more: Any) -> dict[str, Any]:
        drive = self.new_volume()
        answer = self.house.ask("snapshot", self.vm, [drive], *more)
        self.chain.append(drive["volumeID"])
        return answer

    def merge(self, base: int, top: int, bandwidth: int = 0, job: str = "") -> None:
        """Begins to merge, by places in the chain; 0 is the base."""
        drive = {**self.disk, "volumeID": self.chain[-1]}
        self.house.ask("merge", self.vm, drive, self.chain[base], self.chain[top], bandwidth, job)

    def merged(self, base: int, top: int, seconds: float = 60) -> None:
        """Waits until no job is told of; deletes what is merged."""
        self.house.until(lambda: self.jobs() == {}, "no merge is under way", seconds)
        gone = self.chain[base + 1 : top + 1]
        assert self.told_chain() == [volume for volume in self.chain if volume not in gone]
        self.drop(gone)

    def flat(self) -> None:
        """Leaves one volume of the chain."""
        if len(self.chain) > 1:
            top = len(self.chain) - 1
            self.merge(0, top)
            self.merged(0, top)

    def drop(self, gone: list[str]) -> None:
        self.house.done("deleteVolume", self.house.domain, self.house.pool, self.image, gone[::-1])
        self.chain = [volume for volume in self.chain if volume not in gone]

    def jobs(self) -> dict[str, dict[str, Any]]:
        return dict(self.house.stats(self.vm)["vmJobs"])

    def told_chain(self) -> list[str]:
        """What `list full` tells of the disk's volumes."""
        (disk,) = [one for one in self.house.full(self.vm)["devices"] if one.get("imageID") == self.image]
        assert disk["volumeID"] == disk["volumeChain"][-1]["volumeID"]
        return [one["volumeID"] for one in disk["volumeChain"]]

    @property
    def leaf(self) -> Path:
        return self.house.folder / self.house.domain / "images" / self.image / self.chain[-1]

    def check(self) -> None:
        """The chain is right for clients, in libvirt, in the headers and on storage."""
        house = self.house
        assert self.told_chain() == self.chain
        told = subprocess.run(
            ["qemu-img", "info", "--force-share", "--backing-chain", "--output=json", self.leaf],
            check=True,
            capture_output=True,
        )
        headers = [Path(one["filename"]).name for one in json.loads(told.stdout)]
        assert headers == self.chain[::-1]
        in_libvirt = re.findall(rf"<source file='[^']*/{self.image}/([^']*)'", house.xml(self.vm))
        assert in_libvirt == self.chain[::-1]
        for place, volume in enumerate(self.chain):
            info = house.ask("getVolumeInfo", house.domain, house.pool, self.image, volume)["info"]
            assert info["legality"] == "LEGAL"
            assert info["voltype"] == ("LEAF" if volume == self.chain[-1] else "INTERNAL")
            if place:
                assert info["parent"] == self.chain[place - 1]
        report = house.ask("checkStorageDomain", house.domain)["check"]
        assert report["sound"], report
        assert [one for one in report["findings"] if one["severity"] != "note"] == [], report

    def verify(self, blocks: int | None = None) -> int:
        """Every block that the guest was told to be written is there; answers how many."""
        raw = self.house.home / "data.raw"
        form = "raw" if len(self.chain) == 1 and self.is_raw else "qcow2"
        subprocess.run(["qemu-img", "convert", "--force-share", "-f", form, "-O", "raw", self.leaf, raw], check=True)
        count = self.written + 1 if blocks is None else blocks
        with raw.open("rb") as file:
            for number in range(count):
                text = f"{number:08d}"
                wanted = f"{text} {hashlib.md5((text + chr(10)).encode()).hexdigest()}".encode()
                found = file.read(BLOCK)
                assert found[: len(wanted)] == wanted, (number, count, found[:50])
            for (place, size), wanted_sum in self.sums.items():
                file.seek(place << 20)
                assert hashlib.md5(file.read(size << 20)).hexdigest() == wanted_sum, place
        raw.unlink()
        return count

    @property
    def is_raw(self) -> bool:
        info = self.house.ask("getVolumeInfo", self.house.domain, self.house.pool, self.image, self.chain[-1])
        return bool(info["info"]["format"] == "RAW")


@contextmanager
def one_writer(libvirtd: Any, guest: Path, home: Path) -> Iterator[Writer]:
    """A guest for all tests of a module: what they kill is its daemon, which is there again when a test is over."""
    for name in ("plugins.d", "hooks.d"):
        (home / name).mkdir()
    house = House(home, libvirtd)
    try:
        house.start("--set=machines.job_period=0.5")
        house.make_pool()
        made = Writer(house, guest)
        yield made
        made.console.close()
    finally:
        house.close()
