"""Hosts made of user-mode Linux: a kernel of their own with device mapper, NFS, iSCSI, VLANs, bonding, loop devices.

    with Lab() as lab:
        network = Network(lab)
        host = UmlHost(lab, network, "east")
        host.run("vgcreate", "data", "/dev/sda")
        job = host.start("sanlock", "client", "add_lockspace", "-s", lockspace)   # runs on meanwhile
        job.wait(60).check()
        host.crash()

Root, without any harm: the machine's file system is seen, writes stay in the host's memory. `lab.folder` is shared at
its own path, but storage does not belong there: hostfs and tmpfs know no O_DIRECT. Use `servers.py` or a loop device
over a file in the host. CPU-bound work is some ten times slower than outside.
"""

import itertools
import json
import select
import shlex
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from lab.cleanup import Lab
from lab.guests import PROJECT
from lab.network import Network
from lab.process import CommandTimedOut, Daemon, Finished, run

HERE = Path(__file__).parent
# The agent ends a command at its timeout; a host that does not even tell so within this time is dead.
GRACE = 15.0


class HostDied(Exception):
    """The host's kernel ended or does not answer; the text holds its console's last lines."""


@dataclass(frozen=True)
class Job:
    """A command under way in a host."""

    host: "UmlHost"
    number: int
    argv: tuple[str, ...]
    deadline: float

    def wait(self, timeout: float | None = None) -> Finished:
        """How it ended. CommandTimedOut when its own time was over; with `timeout` also when that has passed."""
        deadline = self.deadline if timeout is None else min(self.deadline, time.monotonic() + timeout)
        return self.host.result(self, deadline)

    @property
    def ended(self) -> bool:
        """Whether `wait` would come back at once."""
        return self.host.has_ended(self)


class UmlHost:
    """Booted when made, in about two seconds; crashed when the lab is left."""

    def __init__(self, lab: Lab, network: Network, name: str, *, memory: int = 384) -> None:
        self.lab = lab
        self.name = name
        self.folder = lab.subfolder(name)
        self.port = network.tap(name)
        self.address = self.port.address
        self._enter = network.enter
        self._memory = memory
        self._commands = lab.subfolder(f"{name}/commands")
        self._numbers = itertools.count(1)
        self._listening = threading.Lock()
        self.boot()

    def boot(self, patience: float = 60.0) -> None:
        outside, inside = socket.socketpair()
        outside.setblocking(False)
        self._line, self._unread, self._rung = outside, b"", set[int]()
        self.lab.undo(outside.close)
        with inside:
            # In a pid namespace of its own all of the host's processes end with the first. That is a shell, because a
            # kernel that panics aborts itself, and SIGABRT does not end the first process of a namespace.
            apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
            apart += ["sh", "-c", '"$@"; exit $?', "sh"]
            self._kernel: Daemon = self.lab.daemon(
                f"{self.name}/console",
                [*self._enter, *apart, *self._command_line(inside.fileno())],
                env={"LD_PRELOAD": str(xstate_shim())},
                fds=[inside.fileno()],
                graceful=False,
            )
        self._wait_for(0, time.monotonic() + patience)

    def run(self, *argv: str, input: str = "", timeout: float = 60.0, check: bool = True) -> Finished:
        """Runs a program in the host to its end, with the clear result of `process.run`."""
        finished = self.start(*argv, input=input, timeout=timeout).wait()
        return finished.check() if check else finished

    def shell(self, script: str, *, timeout: float = 60.0) -> str:
        """Runs a shell script that stops at its first failing line; returns what it prints."""
        return self.run("sh", "-ec", script, timeout=timeout).stdout

    def start(self, *argv: str, input: str = "", timeout: float = 600.0) -> Job:
        """Starts a program in the host. It is killed after `timeout`, whether somebody waits or not."""
        number = next(self._numbers)
        request = {"argv": argv, "input": input, "timeout": timeout}
        (self._commands / f"{number}.request").write_text(json.dumps(request))
        try:
            self._line.send(b"%d\n" % number)
        except BrokenPipeError:
            raise HostDied(self._obituary("is down")) from None
        return Job(self, number, argv, time.monotonic() + timeout + GRACE)

    def result(self, job: Job, deadline: float) -> Finished:
        self._wait_for(job.number, deadline)
        answer = json.loads((self._commands / f"{job.number}.answer").read_text())
        if answer["timed_out"]:
            raise CommandTimedOut(f"{shlex.join(job.argv)} on {self.name}: killed; {answer['stderr']}")
        return Finished(job.argv, answer["code"], answer["stdout"], answer["stderr"])

    def has_ended(self, job: Job) -> bool:
        try:
            self._wait_for(job.number, time.monotonic())
        except HostDied:
            return self._kernel.ended
        return True

    def crash(self) -> None:
        """The power fails. `boot` starts the host anew, with nothing but what lies on shared storage."""
        self._kernel.kill()

    @property
    def dead(self) -> bool:
        return self._kernel.ended

    def shutdown(self) -> None:
        """The kernel syncs and powers off; services are not asked."""
        self.start("sh", "-c", "sync; echo o >/proc/sysrq-trigger")
        deadline = time.monotonic() + 10
        while not self._kernel.ended and time.monotonic() < deadline:
            time.sleep(0.02)
        self._kernel.kill()

    def _command_line(self, line: int) -> list[str]:
        return [
            "linux.uml",
            f"mem={self._memory}M",
            "root=/dev/root",
            "rootfstype=hostfs",
            "rootflags=/",
            "ro",
            f"init={HERE / 'uml_init.sh'}",
            f"umid={self.name}",
            f"uml_dir={self.folder}",
            f"vec0:transport=tap,ifname={self.port.device},depth=128,gro=1",
            "con=null",
            "con0=null,fd:1",
            "ssl=null",
            f"ssl0=fd:{line}",
            "quiet",
            f"lab.name={self.name}",
            f"lab.address={self.address}",
            f"lab.folder={self.lab.folder}",
            f"lab.agent={HERE / 'uml_agent.py'}",
        ]

    def _wait_for(self, number: int, deadline: float) -> None:
        """Listens to the bell until `number` has rung. Of several threads one listens for all."""
        while number not in self._rung:
            if self._listening.acquire(timeout=0.02):
                try:
                    if number not in self._rung:
                        self._listen(deadline)
                finally:
                    self._listening.release()

    def _listen(self, deadline: float) -> None:
        ready, _, _ = select.select([self._line], [], [], max(0.0, min(deadline - time.monotonic(), 0.5)))
        if ready:
            try:
                piece = self._line.recv(4096)
            except ConnectionResetError:  # it died before it read our last word
                piece = b""
            if not piece:
                raise HostDied(self._obituary("ended"))
            *lines, self._unread = (self._unread + piece).split(b"\n")
            self._rung.update(int(line) for line in lines)
        elif self._kernel.ended:
            raise HostDied(self._obituary("ended"))
        elif time.monotonic() > deadline:
            raise HostDied(self._obituary("does not answer"))

    def _obituary(self, what: str) -> str:
        return f"host {self.name} {what}; its console:\n{self._kernel.last_words()}"


def xstate_shim() -> Path:
    """The library that lets user-mode Linux run on CPUs with AMX; compiled once."""
    source, library = HERE / "xstate_shim.c", PROJECT / "build" / "lab" / "xstate_shim.so"
    if not library.exists() or library.stat().st_mtime < source.stat().st_mtime:
        library.parent.mkdir(parents=True, exist_ok=True)
        fresh = library.with_suffix(f".{time.monotonic_ns()}")
        run(["gcc", "-O2", "-Wall", "-shared", "-fPIC", "-o", str(fresh), str(source)])
        fresh.replace(library)
    return library
