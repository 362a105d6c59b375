"""A guest that counts on its console, and the volumes it sleeps on."""

import re
from pathlib import Path
from typing import Any

from real.whole.house import BOOTS, House

DISK = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw"}
CONSOLE = {"type": "console", "device": "console", "specParams": {"consoleType": "serial"}}
KEEP_CONSOLE = """#!/usr/bin/env python3
import os
import hooking

if path := os.environ.get("console_log"):
    domain = hooking.read_domxml()
    for serial in domain.getElementsByTagName("serial"):
        log = domain.createElement("log")
        log.setAttribute("file", path)
        log.setAttribute("append", "on")
        serial.appendChild(log)
    hooking.write_domxml(domain)
"""
COUNT = re.compile(r"VIRGATE-COUNT (\d+)")


class Sleeper:
    """`params` make it; `vm` is its id once it was created."""

    def __init__(self, house: House, console: Path, **params: Any) -> None:
        self.house, self.console = house, console
        self.disk = house.make_volume()
        self.params = {
            **BOOTS,
            "kernelArgs": "console=ttyS0 quiet virgate.count=1",
            "custom": {"console_log": str(console), "colour": "green"},
            "devices": [{**DISK, **self.disk}, CONSOLE],
            **params,
        }
        house.script("before_vm_start", KEEP_CONSOLE, "10_console")
        self.vm = house.up(**self.params)
        house.until(lambda: self.counted() >= 1, "it counts", 90)

    def said(self) -> str:
        return self.console.read_text(errors="replace") if self.console.exists() else ""

    def counted(self) -> int:
        found = COUNT.findall(self.said())
        return int(found[-1]) if found else -1

    def bed(self) -> str:
        """Two new volumes; the handle that names them."""
        memory = self.house.make_volume(size=256 << 20)
        conf = self.house.make_volume(size=10240, kind=1)
        names = (memory["imageID"], memory["volumeID"], conf["imageID"], conf["volumeID"])
        return ",".join((self.house.domain, self.house.pool, *names))

    def file(self, handle: str, number: int) -> Path:
        """Of the memory (0) or of the parameters (1)."""
        domain, _, *names = handle.split(",")
        image, volume = names[2 * number : 2 * number + 2]
        return self.house.folder / domain / "images" / image / volume

    def sleep(self, handle: str) -> None:
        """Saved, and gone from the list."""
        self.house.ask("hibernate", self.vm, handle)
        stats = self.house.failed(self.vm)
        assert (stats["exitCode"], stats["exitReason"]) == (0, 5), stats
        self.house.ask("destroy", self.vm)

    def wake(self, handle: str, **params: Any) -> None:
        self.house.create(**{**self.params, "vmId": self.vm, "hiberVolHandle": handle, **params})

    def goes_on(self) -> None:
        """It counts on from where it was: it did not boot again."""
        before = self.counted()
        self.house.until(lambda: self.counted() > before, "it counts on", 30)
        numbers = [int(number) for number in COUNT.findall(self.said())]
        assert numbers == list(range(len(numbers))), numbers
