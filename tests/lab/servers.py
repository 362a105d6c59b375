"""Storage servers in user space, inside the lab's network: NFS by ganesha, iSCSI by tgt.

    nfs = NfsServer(lab, network, ["data"])       # hosts mount storage:/data
    iscsi = IscsiServer(lab, network)
    target = iscsi.target("east", [1 << 30])  # hosts log in to storage:3260

`freeze` and `thaw` make a server hang and go on, `stop` and `start` take it away and bring it back.
"""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from lab.cleanup import Lab
from lab.network import Network
from lab.process import Daemon, Finished, environment, run

GANESHA = """
NFS_CORE_PARAM {{ Protocols = 4; NFS_Port = 2049; Enable_NLM = false; Enable_RQUOTA = false;
    Enable_UDP = false; mount_path_pseudo = true; }}
NFS_KRB5 {{ Active_krb5 = false; }}
NFSV4 {{ Graceless = true; RecoveryBackend = fs; RecoveryRoot = {folder}/recovery; Minor_Versions = {versions}; }}
"""
EXPORT = """
EXPORT {{ Export_Id = {number}; Path = {path}; Pseudo = /{name}; Access_Type = RW; Squash = No_Root_Squash;
    SecType = sys; FSAL {{ Name = VFS; }} }}
"""
# `ip netns exec` has made a mount namespace already. The lab mounts nothing in the machine's own: every process would
# see it, and every namespace made meanwhile would keep it.
OWN_RUN_FOLDER = "mount -t tmpfs tmpfs /run"


class ServerDied(Exception):
    """Nobody asked it to: whatever failed meanwhile, this is why."""


class Server:
    """A daemon inside the lab's network that listens at one TCP port."""

    def __init__(self, lab: Lab, network: Network, name: str, port: int) -> None:
        self.lab = lab
        self.network = network
        self.name = name
        self.port = port
        self.folder = lab.subfolder(name)
        self._daemon: Daemon | None = None

    def argv(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        self._daemon = self.lab.daemon(
            f"{self.name}/{self.name}",
            [*self.network.enter, "sh", "-ec", f'{self.mounts()}\nexec "$@"', "sh", *self.argv()],
            env=self.variables(),
            graceful=False,
        )
        self.lab.undo(self._must_live, self._daemon)
        self._wait_until_it_listens(self._daemon)

    def stop(self) -> None:
        """Gone at once, as when the server's power fails."""
        daemon, self._daemon = self._daemon, None
        if daemon is not None:
            daemon.kill()

    def _must_live(self, daemon: Daemon) -> None:
        if daemon is self._daemon and daemon.ended:
            raise ServerDied(f"{self.name} died by itself; it said:\n{daemon.last_words()}")

    def freeze(self) -> None:
        """Connections stay, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def variables(self) -> dict[str, str]:
        return {}

    def mounts(self) -> str:
        """Shell lines that run in the server's mount namespace before it starts."""
        return OWN_RUN_FOLDER

    @property
    def pid(self) -> int:
        if self._daemon is None or self._daemon.ended:
            raise RuntimeError(f"{self.name} is not running")
        return self._daemon.pid

    def _signal(self, number: signal.Signals) -> None:
        if self._daemon is not None:
            os.killpg(self._daemon.pid, number)

    def _wait_until_it_listens(self, daemon: Daemon, patience: float = 20.0) -> None:
        deadline = time.monotonic() + patience
        while not self.network.run("ss", "-Hltn", f"sport = :{self.port}").stdout:
            if daemon.ended or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not listen at port {self.port}:\n{daemon.last_words()}")
            time.sleep(0.05)


class NfsServer(Server):
    """NFSv4 only. The exported folders lie on a file system of their own of `size` bytes, so it can be filled.

    Without `sessions` it is NFSv4.0: ganesha 4.3 is killed now and then by clients that close many locked files at once
    (FREE_STATEID of 4.1 meets CLOSE).
    """

    def __init__(
        self, lab: Lab, network: Network, exports: Sequence[str], *, size: int = 4 << 30, sessions: bool = True
    ) -> None:
        super().__init__(lab, network, "nfs", 2049)
        self.exports = list(exports)
        self._versions = "0, 1, 2" if sessions else "0"
        self._mount_point = lab.subfolder("nfs/exports")
        self._device = self._file_system(size)
        self._write_settings()
        self.start()

    def remote(self, export: str) -> str:
        """What a host mounts."""
        return f"{self.network.gateway}:/{export}"

    def path(self, export: str) -> Path:
        """Where a process outside finds the exported folder while the server runs."""
        return Path(f"/proc/{self.pid}/root{self._mount_point / export}")

    def mounts(self) -> str:
        folders = " ".join(str(self._mount_point / name) for name in self.exports)
        return f"{OWN_RUN_FOLDER}\nmount {self._device} {self._mount_point}\nmkdir -p {folders}"

    def argv(self) -> list[str]:
        files = ["-f", self.folder / "ganesha.conf", "-p", self.folder / "ganesha.pid", "-L", "STDOUT"]
        return ["ganesha.nfsd", "-F", *map(str, files)]

    def _file_system(self, size: int) -> Path:
        image = self.folder / "disk.img"
        with image.open("wb") as file:
            file.truncate(size)
        run(["mke2fs", "-q", "-t", "ext4", "-E", "lazy_itable_init=1,nodiscard", str(image)])
        return self.lab.loop(image, "--direct-io=on")

    def _write_settings(self) -> None:
        (self.folder / "recovery").mkdir()
        text = GANESHA.format(folder=self.folder, versions=self._versions)
        for number, name in enumerate(self.exports, start=1):
            text += EXPORT.format(number=number, name=name, path=self._mount_point / name)
        (self.folder / "ganesha.conf").write_text(text)


class IscsiServer(Server):
    """Targets whose LUNs are sparse files. LUN 0 is the controller, disks begin with LUN 1.

    A second server has another name and port.
    """

    def __init__(self, lab: Lab, network: Network, name: str = "iscsi", port: int = 3260) -> None:
        super().__init__(lab, network, name, port)
        self._targets: dict[str, str] = {}
        self.start()

    @property
    def portal(self) -> str:
        return f"{self.network.gateway}:{self.port}"

    def target(self, name: str, sizes: Sequence[int]) -> str:
        """Adds a target with one disk per size (in bytes); returns its IQN."""
        number = str(len(self._targets) + 1)
        iqn = f"iqn.2012-01.lab.virgate:{name}"
        self._targets[iqn] = number
        self._admin("new", "target", number, "-T", iqn)
        for lun, size in enumerate(sizes, start=1):
            self._disk(iqn, lun, size)
        self._admin("bind", "target", number, "-I", "ALL")
        return iqn

    def replace(self, iqn: str, lun: int, size: int) -> None:
        """The same disk in another size. Requests in the moment between fail."""
        self._admin("delete", "logicalunit", self._targets[iqn], "--lun", str(lun))
        self._disk(iqn, lun, size)

    def file(self, iqn: str, lun: int) -> Path:
        """What a disk lies in."""
        return self.folder / f"{iqn.rpartition(':')[2]}-{lun}.img"

    def _disk(self, iqn: str, lun: int, size: int) -> None:
        number, name, file = self._targets[iqn], iqn.rpartition(":")[2], self.file(iqn, lun)
        file.touch()
        os.truncate(file, size)
        self._admin("new", "logicalunit", number, "--lun", str(lun), "-b", str(file))
        serial = f"scsi_id={name}-{lun},scsi_sn={name}-{lun},vendor_id=VIRGATE,product_id=LAB"
        self._admin("update", "logicalunit", number, "--lun", str(lun), "--params", serial)

    def protect(self, iqn: str, user: str, password: str) -> None:
        """From now on the target asks who logs in for these credentials."""
        self._tgtadm("new", "account", "--user", user, "--password", password)
        self._tgtadm("bind", "account", "--tid", self._targets[iqn], "--user", user)

    def listen(self, port: int) -> None:
        """At one more port, too: another portal of the same targets."""
        self._tgtadm("new", "portal", "--param", f"portal={self.network.gateway}:{port}")

    def argv(self) -> list[str]:
        return ["tgtd", "--foreground", "--nr_iothreads", "2", "--iscsi", f"portal={self.portal}"]

    def variables(self) -> dict[str, str]:
        return {"TGT_IPC_SOCKET": str(self.folder / "control")}

    def _admin(self, operation: str, mode: str, target: str, *arguments: str) -> Finished:
        return self._tgtadm(operation, mode, "--tid", target, *arguments)

    def _tgtadm(self, operation: str, mode: str, *arguments: str) -> Finished:
        return run(
            ["tgtadm", "--lld", "iscsi", "--op", operation, "--mode", mode, *arguments],
            env=environment(self.lab.name, self.variables()),
        )
