"""A libvirtd of one's own: its guests, settings and logs live in one folder, the machine's libvirt is not touched.

    with PrivateLibvirtd(Path("/tmp/mine")) as libvirtd:
        libvirtd.virsh("list")
        connect(libvirtd.uri)

The daemon and virtlogd run in a mount namespace where /run/libvirt, /etc/libvirt, /var/{lib,log,cache}/libvirt are
folders of ROOT; every other path is the same inside and outside, so disks, payloads and console logs need no care.
Paths libvirt reports below those five are found outside through `PrivateLibvirtd.outside`.

As a program: `python tests/lab/libvirtd.py ROOT` prints the URI, runs until SIGTERM, SIGINT or the end of its standard
input, and takes its guests with it. This module needs only the standard library and root.
"""

import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self
from urllib.parse import quote

PLACES = {
    "run": "/run/libvirt",
    "etc": "/etc/libvirt",
    "lib": "/var/lib/libvirt",
    "log": "/var/log/libvirt",
    "cache": "/var/cache/libvirt",
}
LONGEST_SOCKET_PATH = 107

# /run/libvirt itself may be absent where no systemd made it; an empty folder there hurts nobody and is not removed,
# because removing a mount point takes the mount away from every other namespace.
INSIDE = """
set -e
{mounts}
{extra}
virtlogd -f {root}/etc/virtlogd.conf -p {root}/virtlogd.pid 2>>{root}/log/virtlogd.log &
exec libvirtd -f {root}/etc/libvirtd.conf -p {root}/libvirtd.pid {options} 2>>{root}/log/libvirtd.log
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
    lines run inside before the daemons, `settings` are lines for libvirtd.conf. `cache` may be shared by many: libvirt
    keeps there what it found out about QEMU, which takes seconds. `kvm=False` hides /dev/kvm from libvirt.
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
        self._settings = settings
        self._cache = cache or self.root / "cache"
        self._kvm = kvm_works() if kvm is None else kvm
        self._daemon: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """Where libvirt clients outside of the namespace connect."""
        return f"qemu+unix:///system?socket={quote(os.fspath(self.socket))}"

    @property
    def pid(self) -> int:
        """libvirtd's own pid, seen from outside of any namespace."""
        if self._daemon is None:
            raise LibvirtdFailed("libvirtd is not running")
        pid = self._daemon.pid
        while (comm := Path(f"/proc/{pid}/comm").read_text().strip()) != "libvirtd":
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            if not children:
                raise LibvirtdFailed(f"libvirtd is not running below {comm}")
            pid = int(children[0])
        return pid

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
        if not keep_guests:
            end_processes(self.root)
            shutil.rmtree(self.root / "run", ignore_errors=True)  # as after a boot: no guest is remembered as running
        self._write_settings()
        self.socket.unlink(missing_ok=True)
        with self._log.open("ab") as log:
            self._daemon = subprocess.Popen(
                [*self._command, "sh", "-c", self._script()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_it_listens(time.monotonic() + patience)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends libvirtd, then its guests and everything else that it started."""
        self.stop_daemon(signal.SIGTERM)
        end_processes(self.root)

    def stop_daemon(self, how: signal.Signals = signal.SIGKILL, patience: float = 10.0) -> None:
        """Ends libvirtd alone; its guests run on."""
        if self._daemon is None:
            return
        with contextlib.suppress(OSError, LibvirtdFailed):
            os.kill(self.pid, how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._daemon.wait(patience)
        if self._daemon.poll() is None:
            os.killpg(self._daemon.pid, signal.SIGKILL)
        self._daemon.wait()
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
        qemu = ['user = "root"', 'group = "root"', "max_core = 0"]
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
        return INSIDE.format(mounts=mounts, extra=self._extra, root=root, options=options)

    def _wait_until_it_listens(self, deadline: float) -> None:
        assert self._daemon is not None
        while time.monotonic() < deadline:
            if self._daemon.poll() is not None:
                raise LibvirtdFailed(f"libvirtd ended with {self._daemon.returncode}:\n{self._last_words()}")
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
                client.connect(os.fspath(self.socket))
                return
            time.sleep(0.02)
        raise LibvirtdFailed(f"libvirtd does not listen at {self.socket}:\n{self._last_words()}")

    def _last_words(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])


def processes_of(root: Path) -> Iterator[int]:
    """Every process that lives in a namespace made for `root`: daemons, guests, helpers.

    Such a process finds our very folder at /run/libvirt, and lives in another mount namespace than we do. Both are
    asked: no name, no pid file and no path that merely looks alike may ever put a stranger on this list.
    """
    try:
        mine = (root.absolute() / "run").stat()
    except FileNotFoundError:
        return
    our_namespace = Path("/proc/self/ns/mnt").readlink()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                apart = (entry / "ns/mnt").readlink() != our_namespace
                if apart and os.path.samestat(mine, Path(f"{entry}/root{PLACES['run']}").stat()):
                    yield int(entry.name)


def end_processes(root: Path, patience: float = 10.0) -> None:
    """Kills what `processes_of` finds until nothing is found."""
    deadline = time.monotonic() + patience
    while found := list(processes_of(root)):
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise LibvirtdFailed(f"processes {found} of {root} do not end")
        time.sleep(0.02)


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write("usage: libvirtd.py ROOT\n")
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
