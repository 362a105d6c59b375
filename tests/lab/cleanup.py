"""One lab: a folder, a name and the stack of everything to undo.

    with Lab() as lab:
        namespace = lab.namespace("hosts")
        disk = lab.loop(lab.folder / "disk.img")

Leaving the block undoes all of it, newest first, also when a step or a test failed, and then looks whether anything is
left. Names carry the process id, so several runs live side by side; what a killed run left is swept by the next one.
"""

import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from lab import leftovers
from lab.process import Daemon, run

_numbers = itertools.count()


class NotClean(Exception):
    """A lab was left and something of it remains; the text lists it."""


class Lab:
    """See the module. `folder` is short, because UNIX socket paths are."""

    def __init__(self) -> None:
        self.name = f"{leftovers.PREFIX}{os.getpid()}-{next(_numbers)}"
        self.folder = leftovers.BASE / self.name
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        leftovers.sweep()
        self.folder.mkdir(mode=0o755)
        leftovers.sign(self.folder)
        self._stack.callback(leftovers.remove_folder, self.folder)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._stack.close()
        finally:
            remaining = leftovers.find(self.name)
            leftovers.end(self.name)
        if remaining:
            raise NotClean(f"{self.name} left behind: {', '.join(remaining)}")

    def undo(self, function: Callable[..., object], *arguments: Any) -> None:
        """Calls `function` when the lab is left, before what was registered earlier."""
        self._stack.callback(function, *arguments)

    def subfolder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def daemon(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        fds: Sequence[int] = (),
        graceful: bool = True,
    ) -> Daemon:
        """Starts a program that is stopped when the lab is left; its output goes to NAME.log in the lab's folder."""
        daemon = Daemon(argv, self.folder / f"{name}.log", mark=self.name, env=env, fds=fds)
        self.undo(daemon.stop if graceful else daemon.kill)
        return daemon

    def namespace(self, name: str) -> str:
        """A new network namespace with its loopback up; returns its full name."""
        full = f"{self.name}-{name}"
        run(["ip", "netns", "add", full])
        self.undo(run, ["ip", "netns", "delete", full])
        run(["ip", "-n", full, "link", "set", "lo", "up"])
        return full

    def loop(self, file: Path, *options: str) -> Path:
        """A loop device over an existing file."""
        device = run(["losetup", "--find", "--show", *options, os.fspath(file)]).stdout.strip()
        self.undo(run, ["losetup", "--detach", device])
        return Path(device)
