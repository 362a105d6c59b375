"""The main job on real input: storage, a hook script, a guest that reads its disk, kill -9, recovery, the end.

Everything lives under build/demo: a private libvirtd, the daemon's state, the hook script, the logs. What is started
here is ended here; the folder stays for a look and `make demo-clean` removes it.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
import xmlrpc.client
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "build/demo"
GUEST = ROOT / "build/guest"
BLANK = "00000000-0000-0000-0000-000000000000"
SENTENCE = "This file was written to the volume before the guest was born."

sys.path.insert(0, str(ROOT / "tests"))

HOOK = '''#!/usr/bin/env python3
"""Serves two custom properties: demo_description names the machine, demo_console_log keeps its serial console."""
import os

import hooking

domain = hooking.read_domxml()
if text := os.environ.get("demo_description"):
    description = domain.createElement("description")
    description.appendChild(domain.createTextNode(text))
    domain.documentElement.appendChild(description)
if path := os.environ.get("demo_console_log"):
    for serial in domain.getElementsByTagName("serial"):
        log = domain.createElement("log")
        log.setAttribute("file", path)
        log.setAttribute("append", "off")
        serial.appendChild(log)
hooking.write_domxml(domain)
'''


class Failed(Exception):
    """A step did not do what it must."""


class Demo:
    """The steps, in order, and what each of them answered."""

    def __init__(self, uri: str, virsh: Callable[..., str]) -> None:
        self.uri = uri
        self.virsh = virsh
        self.port = free_port()
        self.api = xmlrpc.client.ServerProxy(f"http://127.0.0.1:{self.port}/", allow_none=True)
        self.pool, self.domain, self.image, self.volume, self.vm = (str(uuid.uuid4()) for _ in range(5))
        self.console = HOME / "console.log"
        self.daemon: subprocess.Popen[bytes] | None = None

    # -- the daemon

    def start_daemon(self) -> str:
        settings = {
            "daemon.state_dir": HOME / "state",
            "daemon.run_dir": HOME / "run",
            "daemon.log_file": HOME / "virgated.log",
            "hooks.directories": HOME / "hooks.d",
            "xmlrpc.port": self.port,
            "libvirt.uri": self.uri,
            "machines.channels": HOME / "run/channels",
        }
        argv = [ROOT / ".venv/bin/virgated", *(f"--set={key}={value}" for key, value in settings.items())]
        with (HOME / "virgated.err").open("ab") as errors:
            self.daemon = subprocess.Popen([*map(str, argv)], stdin=subprocess.DEVNULL, stderr=errors)
        until(lambda: self.ask("ping")["status"]["code"] == 0, "the daemon answers", (OSError, xmlrpc.client.Error))
        return f"pid {self.daemon.pid}, port {self.port}"

    def kill_daemon(self) -> str:
        if self.daemon is None:
            return "was not running"
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait()
        running = self.virsh("domstate", self.vm).strip()
        if running != "running":
            raise Failed(f"the guest is {running} after the daemon was killed")
        return f"pid {self.daemon.pid} killed, the guest still runs"

    def stop_daemon(self) -> str:
        if self.daemon is None or self.daemon.poll() is not None:
            return "was not running"
        self.daemon.terminate()
        return f"ended with {self.daemon.wait(30)}"

    def ask(self, verb: str, *arguments: Any) -> dict[str, Any]:
        return getattr(self.api, verb)(*arguments)  # type: ignore[no-any-return]

    def call(self, verb: str, *arguments: Any) -> dict[str, Any]:
        answer = self.ask(verb, *arguments)
        if answer["status"]["code"]:
            raise Failed(f"{verb}: {answer['status']['code']} {answer['status']['message']}")
        return answer

    def task(self, verb: str, *arguments: Any) -> str:
        """Starts a task, waits for it, clears it."""
        id = self.call(verb, *arguments)["uuid"]
        until(lambda: self.call("getTaskStatus", id)["taskStatus"]["taskState"] == "finished", f"{verb} finishes")
        status = self.call("getTaskStatus", id)["taskStatus"]
        self.call("clearTask", id)
        if status["taskResult"] != "success":
            raise Failed(f"{verb}: {status['code']} {status['message']}")
        return f"task {id[:8]} {status['taskResult']}"

    # -- storage

    def connect_storage(self) -> str:
        folder = HOME / "domain"
        folder.mkdir()
        answer = self.call("connectStorageServer", 4, BLANK, [{"id": "1", "connection": str(folder)}])
        if answer["statuslist"][0]["status"]:
            raise Failed(f"connection status {answer['statuslist'][0]['status']}")
        self.call("createStorageDomain", 4, self.domain, "demo", str(folder), 1, "5")
        return f"domain {self.domain[:8]} (V5, localfs)"

    def connect_pool(self) -> str:
        self.call("createStoragePool", 4, self.pool, "demo", self.domain, [self.domain], 1, "ON", 5, 60, 10, 3)
        self.call("connectStoragePool", self.pool, 1, self.pool, self.domain, 1)
        self.task("spmStart", self.pool, -1, "-1", 0, "false", 250, "5")
        return f"pool {self.pool[:8]}, {self.call('getSpmStatus', self.pool)['spm_st']['spmStatus']}"

    def create_volume(self) -> str:
        size = str(1 << 30)
        self.task(
            "createVolume", self.domain, self.pool, self.image, size, 5, 2, "DATA", self.volume, "demo", BLANK, BLANK
        )
        info = self.call("getVolumeInfo", self.domain, self.pool, self.image, self.volume)["info"]
        return f"{info['format']} {info['type']}, capacity {info['capacity']}, on disk {info['truesize']}"

    def fill_volume(self) -> str:
        path = self.call("prepareImage", self.pool, self.domain, self.image, self.volume)["path"]
        (HOME / "files").mkdir()
        (HOME / "files/hello.txt").write_text(SENTENCE + "\n")
        run("mke2fs", "-q", "-F", "-t", "ext4", "-d", str(HOME / "files"), path)
        self.call("teardownImage", self.pool, self.domain, self.image, self.volume)
        return "ext4 with /hello.txt"

    def delete_volume(self) -> str:
        return self.task("deleteVolume", self.domain, self.pool, self.image, [self.volume], "false", "false")

    def leave_storage(self) -> str:
        self.call("spmStop", self.pool)
        self.call("disconnectStoragePool", self.pool, 1, self.pool)
        return "SPM stopped, pool disconnected"

    # -- the machine

    def drop_hook(self) -> str:
        script = HOME / "hooks.d/before_vm_start/50_demo"
        script.parent.mkdir(parents=True)
        script.write_text(HOOK)
        script.chmod(0o755)
        installed = self.call("getVdsCapabilities")["info"]["hooks"]["before_vm_start"]
        return ", ".join(installed)

    def create_machine(self) -> str:
        disk = {
            "type": "disk", "device": "disk", "iface": "virtio", "index": "0", "format": "raw",
            "poolID": self.pool, "domainID": self.domain, "imageID": self.image, "volumeID": self.volume,
        }  # fmt: skip
        params = {
            "vmId": self.vm,
            "vmName": "demo",
            "memSize": "256",
            "smp": "1",
            "kernel": str(GUEST / "vmlinuz"),
            "initrd": str(GUEST / "initrd.img"),
            "kernelArgs": "console=ttyS0 quiet",
            "acpiEnable": "true",
            "custom": {"demo_description": "a demonstration", "demo_console_log": str(self.console)},
            "devices": [disk, {"type": "console", "device": "console", "specParams": {"consoleType": "serial"}}],
        }
        answer = self.call("create", params)
        return f"{answer['vmList']['status']}"

    def see_up(self) -> str:
        until(lambda: self.status() in ("Up", "Powering up"), "the machine is up")
        return f"{self.short_status()}, reported as {self.status()}"

    def status(self) -> str:
        stats = self.call("getVmStats", self.vm)["statsList"][0]
        if stats["status"] == "Down":
            raise Failed(f"the machine is Down: {stats.get('exitMessage')}")
        return str(stats["status"])

    def read_console(self) -> str:
        until(lambda: SENTENCE in text_of(self.console), "the guest prints the file from its disk", seconds=120)
        return f"guest read: {SENTENCE[:40]}..."

    def see_hook(self) -> str:
        xml = self.virsh("dumpxml", self.vm)
        for expected in ("<description>a demonstration</description>", str(self.console)):
            if expected not in xml:
                raise Failed(f"virsh dumpxml lacks {expected}")
        return "description and console log are in the running definition"

    def pause_and_continue(self) -> str:
        self.call("pause", self.vm)
        until(lambda: self.virsh("domstate", self.vm).strip() == "paused", "the guest pauses")
        paused = self.status()
        self.call("cont", self.vm)
        until(lambda: self.virsh("domstate", self.vm).strip() == "running", "the guest goes on")
        return f"{paused}, then {self.status()}"

    def see_recovered(self) -> str:
        self.start_daemon()
        (machine,) = self.call("list", "true", [self.vm])["vmList"]
        if machine["custom"].get("demo_description") != "a demonstration":
            raise Failed(f"the custom properties were lost: {machine['custom']}")
        return f"{machine['vmName']} {machine['status']}, with its custom properties"

    def shut_down(self) -> str:
        until(lambda: "VIRGATE-GUEST-UP" in text_of(self.console), "the guest is ready", seconds=120)
        self.call("shutdown", self.vm, "5", "the demo is over", False, "60", True)
        until(lambda: self.short_status() == "Down", "the machine goes down", seconds=120)
        stats = self.call("getVmStats", self.vm)["statsList"][0]
        return f"{stats['exitReason']} {stats['exitMessage']}"

    def short_status(self) -> str:
        (machine,) = self.call("list", False, [self.vm])["vmList"]
        return str(machine["status"])

    def destroy(self) -> str:
        return str(self.call("destroy", self.vm)["status"]["message"])

    def rejoin_storage(self) -> str:
        self.call("connectStorageServer", 4, BLANK, [{"id": "1", "connection": str(HOME / "domain")}])
        self.call("connectStoragePool", self.pool, 1, self.pool, self.domain, 1)
        self.task("spmStart", self.pool, -1, "-1", 0, "false", 250, "5")
        return str(self.call("getSpmStatus", self.pool)["spm_st"]["spmStatus"])

    def end(self) -> None:
        """After a failure: nothing of ours goes on running."""
        if self.daemon is not None and self.daemon.poll() is None:
            self.daemon.kill()
            self.daemon.wait()

    def steps(self) -> list[tuple[str, Callable[[], str]]]:
        return [
            ("start virgated", self.start_daemon),
            ("connect storage, create domain", self.connect_storage),
            ("create pool, start SPM", self.connect_pool),
            ("create a 1 GiB thin volume", self.create_volume),
            ("put a file system on it", self.fill_volume),
            ("drop a hook script", self.drop_hook),
            ("create the machine", self.create_machine),
            ("machine is up", self.see_up),
            ("guest reads its disk", self.read_console),
            ("hook changed the definition", self.see_hook),
            ("pause, cont", self.pause_and_continue),
            ("kill -9 the daemon", self.kill_daemon),
            ("start again, machine recovered", self.see_recovered),
            ("shut the guest down", self.shut_down),
            ("destroy", self.destroy),
            ("rejoin the pool", self.rejoin_storage),
            ("delete the volume", self.delete_volume),
            ("leave the pool", self.leave_storage),
            ("stop virgated", self.stop_daemon),
        ]


def until(true: Callable[[], bool], what: str, ignored: tuple[type[Exception], ...] = (), seconds: float = 30) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            if true():
                return
        except ignored:
            pass
        time.sleep(0.05)
    raise Failed(f"waited {seconds:.0f} s in vain until {what}")


def text_of(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{argv[0]}: {done.stderr.strip()}")


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def main() -> int:
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    from lab.libvirtd import PrivateLibvirtd

    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    console, table = Console(), Table("step", "result", "seconds")
    with ExitStack() as ends:
        libvirtd = ends.enter_context(PrivateLibvirtd(HOME / "libvirt"))
        demo = Demo(libvirtd.uri, libvirtd.virsh)
        ends.callback(demo.end)
        failed = False
        for name, step in demo.steps():
            started = time.monotonic()
            try:
                result = step()
            except (Failed, OSError, xmlrpc.client.Error) as error:
                result, failed = f"[red]FAILED: {error}", True
            table.add_row(name, result, f"{time.monotonic() - started:.2f}")
            console.print(f"{name}: {result}")
            if failed:
                break
    console.print(table)
    if failed:
        console.print(f"The daemon's log is {HOME / 'virgated.log'}.")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
