"""A whole daemon on real libvirt: the process, its storage, its hook scripts, its machines, and what may be left."""

import contextlib
import os
import shutil
import signal
import uuid
from pathlib import Path
from typing import Any

from lab.libvirtd import PrivateLibvirtd, VirshFailed
from lab.virgated import Running

BLANK = "00000000-0000-0000-0000-000000000000"
GUEST = Path(__file__).parents[3] / "build/guest"
SHELL = "#!/bin/sh\n"
PYTHON = "#!/usr/bin/env python3\n"

BOOTS = {
    "kernel": str(GUEST / "vmlinuz"),
    "initrd": str(GUEST / "initrd.img"),
    "memSize": "192",
    "acpiEnable": "true",
}
"""Parameters of a machine whose guest really runs; without them there is only firmware that finds no disk."""


def new_id() -> str:
    return str(uuid.uuid4())


class House(Running):
    """`call` answers the reply struct, `code` its code, `ask` fails on another code than 0."""

    def __init__(self, home: Path, libvirtd: PrivateLibvirtd, environment: dict[str, str] | None = None) -> None:
        super().__init__(home, uri=libvirtd.uri, environment=environment)
        self.libvirtd = libvirtd
        self.hooks = home / "hooks.d"
        self.made: list[str] = []
        self.pool, self.domain = new_id(), new_id()
        self.folder = home / "domain"

    def argv(self, *more: str) -> list[str]:
        settings = {
            "hooks.timeout": 20,
            "machines.channels": self.libvirtd.root / "channels",  # a socket's path must be short
            "machines.recovery_period": 0.2,
            "machines.sample_period": 0.3,
        }
        return super().argv(*(f"--set={key}={value}" for key, value in settings.items()), *more)

    def call(self, verb: str, *arguments: Any) -> dict[str, Any]:
        return getattr(self.api, verb)(*arguments)

    def beside(self) -> "House":
        """The same daemon through a connection of its own, for a thread of its own."""
        other = House(self.home, self.libvirtd)
        other.api = type(self.api)(f"http://127.0.0.1:{self.port}/", allow_none=True)
        return other

    def code(self, verb: str, *arguments: Any) -> int:
        return int(self.call(verb, *arguments)["status"]["code"])

    def ask(self, verb: str, *arguments: Any) -> dict[str, Any]:
        answer = self.call(verb, *arguments)
        assert answer["status"]["code"] == 0, (verb, answer["status"])
        return answer

    def goes_on(self) -> None:
        """What clients poll is still answered."""
        for verb in ("ping", "getAllVmStats", "list", "getVdsCapabilities", "getVdsStats", "getAllTasks"):
            self.ask(verb)

    def kill(self) -> None:
        """As a power failure of the daemon alone."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """Ends the daemon and the machines that were made through it."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(OSError):
                self.process.send_signal(signal.SIGCONT)
        try:
            self.end()
        finally:
            for vm in self.made:
                for verb in ("destroy", "undefine"):
                    with contextlib.suppress(VirshFailed):
                        self.libvirtd.virsh(verb, vm)

    # -- hook scripts and plugins

    def script(self, point: str, text: str, name: str = "50_test") -> Path:
        """Installs a hook script; it is taken away by `no_scripts`."""
        path = self.hooks / point / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def no_scripts(self) -> None:
        for point in self.hooks.iterdir():
            shutil.rmtree(point)

    def plugin(self, name: str, text: str) -> Path:
        path = self.home / "plugins.d" / f"{name}.py"
        path.write_text(text)
        return path

    def plugins(self) -> dict[str, dict[str, Any]]:
        return {one["name"]: one for one in self.ask("virgatePlugins")["plugins"]}

    # -- storage

    def task(self, verb: str, *arguments: Any) -> dict[str, Any]:
        """Starts a task, waits for its end, clears it; the status it ended with."""
        return self.wait(self.ask(verb, *arguments)["uuid"])

    def wait(self, task: str) -> dict[str, Any]:
        def state() -> dict[str, Any]:
            return dict(self.ask("getTaskStatus", task)["taskStatus"])

        self.until(lambda: state()["taskState"] == "finished", f"task {task} is finished")
        ended = state()
        self.ask("clearTask", task)
        return ended

    def done(self, verb: str, *arguments: Any) -> None:
        ended = self.task(verb, *arguments)
        assert (ended["taskResult"], ended["code"]) == ("success", 0), ended

    def make_pool(self) -> None:
        """A local domain in a folder, a pool with it as its master, and the SPM here."""
        self.folder.mkdir(exist_ok=True)
        self.connect_folder(self.folder)
        self.ask("createStorageDomain", 4, self.domain, "whole", str(self.folder), 1, "5")
        self.ask("createStoragePool", 4, self.pool, "whole", self.domain, [self.domain], 1, "ON", 5, 60, 10, 3)
        self.ask("connectStoragePool", self.pool, 1, self.pool, self.domain, 1)
        self.start_spm()

    def connect_folder(self, folder: Path) -> None:
        (found,) = self.ask("connectStorageServer", 4, BLANK, [{"id": "1", "connection": str(folder)}])["statuslist"]
        assert found["status"] == 0

    def rejoin(self) -> None:
        """What a client does after the daemon was restarted."""
        self.connect_folder(self.folder)
        self.ask("connectStoragePool", self.pool, 1, self.pool, self.domain, 1)
        self.start_spm()

    def start_spm(self) -> None:
        self.done("spmStart", self.pool, -1, "-1", 0, "false", 250, "5")

    def volume_arguments(self, image: str, volume: str, size: int = 1 << 20, form: int = 5, kind: int = 2) -> list[Any]:
        """Of createVolume: `form` 4 cow, 5 raw; `kind` 1 preallocated, 2 sparse."""
        sizes = [str(size), form, kind]
        return [self.domain, self.pool, image, *sizes, "DATA", volume, "of a test", BLANK, BLANK]

    def make_volume(self, **how: int) -> dict[str, str]:
        """A new volume; answers its four ids as a disk of a machine names them."""
        image, volume = new_id(), new_id()
        self.done("createVolume", *self.volume_arguments(image, volume, **how))
        return {"poolID": self.pool, "domainID": self.domain, "imageID": image, "volumeID": volume}

    def images(self) -> list[str]:
        return sorted(path.name for path in (self.folder / self.domain / "images").iterdir())

    # -- machines

    def create(self, **params: Any) -> str:
        """Asks for a machine; answers its id."""
        vm = params.pop("vmId", None) or new_id()
        self.made.append(vm)
        given = {"vmId": vm, "vmName": f"n{vm[:13]}", "memSize": "32", "kvmEnable": "false", "devices": []}
        self.ask("create", given | params)
        return vm

    def up(self, **params: Any) -> str:
        """A machine that runs."""
        vm = self.create(**params)
        self.until_status(vm, "Up", "Powering up")
        return vm

    def failed(self, vm: str) -> dict[str, Any]:
        """Waits until the machine is Down; its last statistics."""
        self.until_status(vm, "Down")
        return self.stats(vm)

    def stats(self, vm: str) -> dict[str, Any]:
        return dict(self.ask("getVmStats", vm)["statsList"][0])

    def full(self, vm: str) -> dict[str, Any]:
        (found,) = self.ask("list", "true", [vm])["vmList"]
        return dict(found)

    def until_status(self, vm: str, *wanted: str, seconds: float = 30) -> None:
        def reached() -> bool:
            stats = self.stats(vm)
            assert stats["status"] in wanted or stats["status"] != "Down", stats
            return stats["status"] in wanted

        self.until(reached, f"{vm} is {wanted}", seconds)

    def xml(self, vm: str) -> str:
        return self.libvirtd.virsh("dumpxml", vm)

    def state(self, vm: str) -> str:
        return self.libvirtd.virsh("domstate", vm).strip()

    def defined(self) -> list[str]:
        """Ids of all domains that libvirt knows."""
        return self.libvirtd.virsh("list", "--all", "--uuid").split()

    def qemu(self, vm: str) -> int:
        """The pid of the machine's QEMU. The daemon cannot know it: this libvirtd keeps its files in a namespace."""
        name = self.libvirtd.virsh("domname", vm).strip()
        pid = int((self.libvirtd.root / "run/qemu" / f"{name}.pid").read_text())
        assert pid > 1
        return pid

    def unplug(self, *vms: str) -> None:
        """Kills the QEMUs of machines at once and waits until they are Down: one after the other takes seconds each."""
        for pid in [self.qemu(vm) for vm in vms]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for vm in vms:
            self.until(lambda vm=vm: self.stats(vm)["status"] == "Down", f"{vm} is Down")

    def left_behind(self, vm: str) -> list[str]:
        """Whatever is still here of a machine that is gone: launch flags, payloads, prepared images."""
        run = self.home / "run"
        return [str(path.relative_to(run)) for path in run.rglob("*") if vm in str(path) and not path.is_dir()]

    def prepared(self) -> list[str]:
        """Links of images in the repository's run folder: what is prepared now."""
        return [str(path) for path in (self.home / "run").rglob("*") if path.is_symlink()]

    def told(self, *words: str) -> bool:
        """Whether one line of the log has all the words."""
        return any(all(word in line for word in words) for line in self.log.read_text().splitlines())
