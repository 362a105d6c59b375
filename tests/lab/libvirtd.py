"""A libvirtd of one's own: its guests, settings and logs live in one folder, the machine's libvirt is not touched.

    with PrivateLibvirtd(Path("/tmp/mine")) as libvirtd:
        libvirtd.virsh("list")
        connect(libvirtd.uri)

The daemon and virtlogd run in a mount namespace where /run/libvirt, /etc/libvirt, /var/{lib,log,cache}/libvirt are
folders of ROOT; every other path is the same inside and outside, so disks, payloads and console logs need no care.
Paths libvirt reports below those five are found outside through `PrivateLibvirtd.outside`. A supervisor (supervisor.py)
is the parent of all that lives there, and ends it when the owner of the object dies, in whatever way.

As a program: in the folder `tests`, `python -m lab.libvirtd ROOT` prints the URI, runs until SIGTERM, SIGINT or the end
of its standard input, and takes its guests with it. All this needs only the standard library and root.
"""

import contextlib
import os
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from lab.owned import PLACES, end_processes, processes_of

LONGEST_SOCKET_PATH = 107
SUPERVISOR = Path(__file__).resolve().with_name("supervisor.py")

# /run/libvirt itself may be absent where no systemd made it; an empty folder there hurts nobody and is not removed,
# because removing a mount point takes the mount away from every other namespace.
INSIDE = """
set -e
{mounts}
{extra}
virtlogd -f {root}/etc/virtlogd.conf -p {root}/virtlogd.pid </dev/null 2>>{root}/log/virtlogd.log &
exec {supervisor} libvirtd -f {root}/etc/libvirtd.conf -p {root}/libvirtd.pid {options} 2>>{root}/log/libvirtd.log
"""

# libvirt asks whether it may write to /dev/kvm: to a file on a read-only mount not even root may.
HIDE_KVM = """
mount --bind {root}/etc/no-kvm /dev/kvm
mount -o remount,bind,ro /dev/kvm"""


class LibvirtdFailed(Exception):
    """The daemon ended or did not answer; the text holds the last lines of its log."""


class VirshFailed(Exception):
    """virsh said no; the text is its own."""


def kvm_works() -> bool:
    """Some machines offer /dev/kvm although their CPU cannot run guests: these hang."""
    flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split()
    return os.access("/dev/kvm", os.R_OK | os.W_OK) and (
        "vmx" in flags or "svm" in flags or os.uname().machine != "x86_64"
    )


class PrivateLibvirtd:
    """One libvirtd with its virtlogd. Starting it again after `stop` finds the same defined guests.

    `enter` is put before the command that makes the namespaces (for example `ip netns exec NAME`), `extra` are shell
    lines run inside before the daemons, `settings` are lines for libvirtd.conf, `qemu` for qemu.conf. `cache` may be
    shared by many: libvirt keeps there what it found out about QEMU, which takes seconds. `kvm=False` hides
    /dev/kvm from libvirt.
    """

    def __init__(
        self,
        root: Path,
        *,
        host_uuid: str | None = None,
        enter: Sequence[str] = (),
        unshare: Sequence[str] = ("unshare", "--mount"),
        extra: str = "",
        listen: bool = False,
        settings: Sequence[str] = (),
        qemu: Sequence[str] = (),
        cache: Path | None = None,
        kvm: bool | None = None,
    ) -> None:
        self.root = root.absolute()
        self.socket = self.root / "run" / "libvirt-sock"
        if len(os.fsencode(self.socket)) > LONGEST_SOCKET_PATH:
            raise ValueError(f"{self.socket} is too long for a UNIX socket; choose a shorter folder")
        self.host_uuid = host_uuid or str(uuid.uuid4())
        self._log = self.root / "log" / "libvirtd.log"
        self._command = [*enter, *unshare]
        self._extra = extra
        self._listen = listen
        self._settings, self._qemu = settings, qemu
        self._cache = cache or self.root / "cache"
        self._kvm = kvm_works() if kvm is None else kvm
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._daemon: int | None = None  # a pidfd

    @property
    def uri(self) -> str:
        """Where libvirt clients outside of the namespace connect."""
        return f"qemu+unix:///system?socket={quote(os.fspath(self.socket))}"

    @property
    def pid(self) -> int:
        """libvirtd's own pid, seen from outside of any namespace."""
        if self._daemon is not None:
            fields = Path(f"/proc/self/fdinfo/{self._daemon}").read_text().split()
            if (pid := int(fields[fields.index("Pid:") + 1])) > 0:
                return pid
        raise LibvirtdFailed("libvirtd is not running")

    def guest(self, name: str) -> int:
        """The pid of a running guest's QEMU, seen from outside of any namespace."""
        told = (self.root / "run" / "qemu" / f"{name}.pid").read_text().strip()
        for pid in processes_of(self.root):
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/status").read_text().partition("NSpid:")[2].partition("\n")[0].split()
                if fields[-1:] == [told]:
                    return pid
        raise LibvirtdFailed(f"guest {name} is not running")

    def send(self, number: signal.Signals) -> None:
        """Sends libvirtd itself a signal; nobody else can get it, whatever became of libvirtd."""
        if self._daemon is None:
            raise LibvirtdFailed("libvirtd is not running")
        signal.pidfd_send_signal(self._daemon, number)

    def inside(self, *command: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Runs a program where libvirtd and its guests see the file system; its exit code is the caller's business."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--"]
        return subprocess.run([*enter, *command], capture_output=True, text=True, timeout=timeout, check=False)

    def outside(self, path: str | Path) -> Path:
        """Where a path that libvirt reports is found by a process outside."""
        for name, place in PLACES.items():
            if Path(path).is_relative_to(place):
                return self.root / name / Path(path).relative_to(place)
        return Path(path)

    def start(self, *, keep_guests: bool = False, patience: float = 30.0) -> Self:
        """Returns when libvirtd listens.

        What an earlier run left in this folder is ended first, unless `keep_guests`: then the new daemon finds the
        guests of the one that `stop_daemon` ended, as after an upgrade or a crash.
        """
        self.stop_daemon()
        if not keep_guests:
            self._end_supervisor()
            end_processes(self.root)
            shutil.rmtree(self.root / "run", ignore_errors=True)  # as after a boot: no guest is remembered as running
        self._write_settings()
        self.socket.unlink(missing_ok=True)
        deadline = time.monotonic() + patience
        try:
            if self._supervisor is None or self._supervisor.poll() is not None:
                self._start_supervisor()
            self._start_daemon(patience)
            self._wait_until_it_listens(deadline)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends libvirtd, then its guests and everything else that it started."""
        self.stop_daemon(signal.SIGTERM)
        self._end_supervisor()
        end_processes(self.root)

    def stop_daemon(self, how: signal.Signals = signal.SIGKILL, patience: float = 10.0) -> None:
        """Ends libvirtd alone; its guests run on."""
        if self._daemon is None:
            return
        for each in (how, signal.SIGCONT):  # a stopped process hears nothing but SIGKILL
            with contextlib.suppress(ProcessLookupError):
                self.send(each)
        if not self._daemon_ends(patience):
            self.send(signal.SIGKILL)
            self._daemon_ends(patience)
        os.close(self._daemon)
        self._daemon = None

    def virsh(self, *arguments: str, timeout: float = 120.0) -> str:
        """What `virsh ARGUMENTS` prints; VirshFailed with its stderr."""
        done = subprocess.run(
            ["virsh", "-q", "-c", self.uri, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode:
            raise VirshFailed(f"virsh {shlex.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _write_settings(self) -> None:
        for folder in (*(self.root / name for name in PLACES), self._cache):
            folder.mkdir(parents=True, exist_ok=True)
        lines = ['auth_unix_rw = "none"', f'host_uuid = "{self.host_uuid}"', *self._settings]
        if self._listen:
            lines += ["listen_tls = 0", "listen_tcp = 1", 'auth_tcp = "none"']
        etc = self.root / "etc"
        (etc / "libvirtd.conf").write_text("\n".join(lines) + "\n")
        (etc / "virtlogd.conf").write_text("")
        (etc / "no-kvm").write_text("")
        qemu = ['user = "root"', 'group = "root"', "max_core = 0", *self._qemu]
        if not self._kvm:
            qemu.append("namespaces = []")  # a /dev of its own per guest cannot be made over our /dev/kvm
        (etc / "qemu.conf").write_text("\n".join(qemu) + "\n")

    def _script(self) -> str:
        root = shlex.quote(os.fspath(self.root))
        cache = shlex.quote(os.fspath(self._cache.absolute()))
        folders = {name: f"{root}/{name}" for name in PLACES} | {"cache": cache}
        mounts = "\n".join(
            f"mkdir -p {PLACES[name]}; mount --bind {folder} {PLACES[name]}" for name, folder in folders.items()
        )
        if not self._kvm and Path("/dev/kvm").exists():
            mounts += HIDE_KVM.format(root=root)
        options = "--listen" if self._listen else ""
        supervisor = shlex.join([sys.executable, "-I", os.fspath(SUPERVISOR)])
        return INSIDE.format(mounts=mounts, extra=self._extra, root=root, options=options, supervisor=supervisor)

    def _start_supervisor(self) -> None:
        self._end_supervisor()
        self._line, inside = socket.socketpair()
        with self._log.open("ab") as log, inside:
            self._supervisor = subprocess.Popen(
                [*self._command, "sh", "-c", self._script()],
                stdin=inside.fileno(),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _end_supervisor(self, patience: float = 20.0) -> None:
        """With it ends all that libvirtd started."""
        if self._line is not None:
            self._line.close()
        if self._supervisor is not None:
            try:
                self._supervisor.wait(patience)
            except subprocess.TimeoutExpired:
                self._supervisor.kill()
                self._supervisor.wait()
        self._line = self._supervisor = None

    def _start_daemon(self, patience: float) -> None:
        assert self._line is not None
        self._line.settimeout(patience)
        pidfds: list[int] = []
        with contextlib.suppress(OSError):
            self._line.send(b"!")
            _, pidfds, _, _ = socket.recv_fds(self._line, 1, 1)
        if not pidfds:
            raise LibvirtdFailed(f"libvirtd cannot be started:\n{self._last_words()}")
        (self._daemon,) = pidfds

    def _daemon_ends(self, patience: float) -> bool:
        assert self._daemon is not None
        poll = select.poll()
        poll.register(self._daemon, select.POLLIN)
        return bool(poll.poll(patience * 1000))

    def _wait_until_it_listens(self, deadline: float) -> None:
        while time.monotonic() < deadline:
            if self._daemon_ends(0):
                raise LibvirtdFailed(f"libvirtd ended at once:\n{self._last_words()}")
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
                client.connect(os.fspath(self.socket))
                return
            time.sleep(0.02)
        raise LibvirtdFailed(f"libvirtd does not listen at {self.socket}:\n{self._last_words()}")

    def _last_words(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])


@contextlib.contextmanager
def passing_libvirtd(**options: Any) -> Iterator[PrivateLibvirtd]:
    """One that runs, in a folder that is gone afterwards; its path is short because those of sockets below must be."""
    with (
        tempfile.TemporaryDirectory(prefix="libvirtd-", dir="/tmp") as root,
        PrivateLibvirtd(Path(root), **options) as libvirtd,
    ):
        yield libvirtd


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m lab.libvirtd ROOT\n")
        return 2
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, lambda *_: sys.exit(0))
    with PrivateLibvirtd(Path(arguments[0])) as libvirtd:
        sys.stdout.write(f"{libvirtd.uri}\n")
        sys.stdout.flush()
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
