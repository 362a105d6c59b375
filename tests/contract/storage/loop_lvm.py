"""Real `lvm` where device mapper is missing: a logical volume that is active is a loop device over its extents.

Groups, volumes, tags and sizes are what `lvm` makes them; data are where they are on a real host, as long as a volume
is in one piece.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import define, field
from lab.process import run

from virgate.node.storage.lvm.lvm import Lvm
from virgate.run.process import Finished

EXTENT = 128 << 20
START = 135266304
"""Where the extents of a physical volume begin (vector C-07)."""


@define(eq=False)
class LoopLvm(Lvm):
    active: dict[str, str] = field(factory=dict)
    """Loop device by `group/volume`."""
    ran: list[str] = field(factory=list)
    """Names of the programs that were run."""
    fails: Callable[[Sequence[str]], bool] = lambda argv: False
    """Which command lines fail before they do anything."""

    async def _run(self, argv: Sequence[str], patience: float) -> Finished:
        command, arguments = argv[1], list(argv[2:])
        self.ran.append(command)
        if self.fails(argv):
            return Finished(5, b"", b"no luck")
        if "--available" in arguments:
            await self._switch(command, arguments)
            return Finished(0, b"", b"")
        if "--refresh" in arguments:
            return Finished(0, b"", b"")
        finished = await super()._run(argv, patience)
        if finished.code == 0 and command == "lvcreate":
            name = arguments[arguments.index("--name") + 1]
            await self._show(arguments[arguments.index("--name") + 2], name)
        if finished.code == 0 and command == "lvremove":
            self._hide(*(word for word in arguments if word in self.active))
        if command == "lvs":
            return Finished(finished.code, self._marked(finished.stdout), finished.stderr)
        return finished

    async def _switch(self, command: str, arguments: list[str]) -> None:
        if command == "vgchange":
            self._hide(*(name for name in self.active if name.startswith(arguments[-1])))
            return
        names = [word for word in arguments if "/" in word and "{" not in word and not word.startswith("/")]
        on = arguments[arguments.index("--available") + 1] == "y"
        for name in names:
            if on:
                await self._show(*name.split("/"))
            else:
                self._hide(name)

    async def _show(self, group: str, name: str) -> None:
        if f"{group}/{name}" in self.active:
            return
        seen = ["--devices", ",".join(await self._paths())]
        argv = [
            "lvm",
            "lvs",
            *seen,
            "--noheadings",
            "--units",
            "b",
            "--nosuffix",
            "--separator",
            "|",
            "-o",
            "size,devices",
        ]
        told = await super()._run([*argv, f"{group}/{name}"], 10)
        size, devices = told.stdout.decode().split("\n")[0].strip().split("|")
        device, _, extent = devices.rstrip(")").rpartition("(")
        place = ["--offset", str(START + int(extent) * EXTENT), "--sizelimit", size]
        loop = run(["losetup", "--show", "--find", *place, device]).stdout.strip()
        self.active[f"{group}/{name}"] = loop
        link = self.path(group, name)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(loop)

    def _hide(self, *names: str) -> None:
        for name in names:
            if loop := self.active.pop(name, ""):
                shutil.chown(loop, "root", "disk")
                Path(loop).chmod(0o660)
                run(["losetup", "--detach", loop])
                Path(self.root, name).unlink()

    def _marked(self, report: bytes) -> bytes:
        """With the state that the kernel would know."""
        rows = [line.split("|") for line in report.decode().splitlines()]
        for row in rows:
            state = "a" if f"{row[2]}/{row[1]}" in self.active else "-"
            row[3] = f"{row[3][:4]}{state}-{row[3][6:]}"
        return "\n".join("|".join(row) for row in rows).encode()

    def end(self) -> None:
        self._hide(*list(self.active))
