"""Small copies of what a kernel shows below /sys, /proc and /run, as they were seen on a host with iSCSI disks."""

from pathlib import Path

WWID = "360000000000000000000000000000001"
IQN = "iqn.2012-01.lab.virgate:pool"


class Tree:
    """A root folder with disks, sessions and maps in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("sys/block", "run/udev/data", "proc/net", "proc/self"):
            (root / folder).mkdir(parents=True)

    def write(self, name: str, text: str | bytes) -> None:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode() + b"\n")

    def session(self, number: int, *, state: str = "LOGGED_IN", user: str = "(null)", port: str = "3260") -> None:
        told = {"targetname": IQN, "tpgt": "1", "ifacename": "default", "username": user, "state": state}
        for name, value in {**told, "password": "secret" if user != "(null)" else "(null)"}.items():
            self.write(f"sys/class/iscsi_session/session{number}/{name}", value)
        for name, value in {"address": "10.0.0.1", "persistent_address": "storage"}.items():
            self.write(f"sys/class/iscsi_connection/connection{number}:0/{name}", value)
        for name in ("port", "persistent_port"):
            self.write(f"sys/class/iscsi_connection/connection{number}:0/{name}", port)

    def disk(
        self,
        name: str,
        number: str,
        *,
        session: int | None = 1,
        wwid: str = WWID,
        sectors: int = 2048,
        state: str = "running",
        udev: str = "",
        type: str = "0",
    ) -> Path:
        """A SCSI disk; without a session it hangs on a SAS adapter."""
        place = f"session{session}/target0:0:0" if session else "port-1:0/end_device-1:0"
        device = f"sys/devices/platform/host0/{place}/0:0:0:{number.split(':')[1]}"
        block = f"{device}/block/{name}"
        values = {
            f"{device}/vendor": "VIRGATE ",
            f"{device}/model": "LAB             ",
            f"{device}/rev": "0001",
            f"{device}/state": state,
            f"{device}/type": type,
            f"{device}/wwid": f"naa.{wwid[1:]}",
            f"{block}/removable": "0",
        }
        for file, text in values.items():
            self.write(file, text)
        self.write(f"{device}/vpd_pg80", b"\0\x80\0\x24" + b"pool-1".rjust(36))
        self._block(block, number, sectors)
        (self.root / block / "device").symlink_to(self.root / device)
        (self.root / "sys/block" / name).symlink_to(self.root / block)
        links = f"S:disk/by-id/scsi-{wwid}\nE:ID_SERIAL={wwid}\n" if wwid else ""
        self.write(f"run/udev/data/b{number}", f"I:1\n{links}{udev}")
        return self.root / block

    def map(self, name: str, number: str, *slaves: str, wwid: str = WWID, sectors: int = 2048) -> None:
        block = f"sys/devices/virtual/block/{name}"
        self._block(block, number, sectors)
        self.write(f"{block}/dm/name", wwid)
        self.write(f"{block}/dm/uuid", f"mpath-{wwid}")
        (self.root / block / "slaves").mkdir()
        for slave in slaves:
            (self.root / block / "slaves" / slave).mkdir()
            self.hold(slave, name, f"mpath-{wwid}", wwid)
        (self.root / "sys/block" / name).symlink_to(self.root / block)

    def hold(self, held: str, holder: str, uuid: str = "", name: str = "") -> None:
        """A device that is built on another one."""
        folder = f"sys/block/{held}/holders/{holder}"
        (self.root / folder).mkdir(parents=True)
        if uuid:
            self.write(f"{folder}/dm/uuid", uuid)
            self.write(f"{folder}/dm/name", name)

    def multipathd(self) -> None:
        self.write("proc/net/unix", "0: 2 0 10000 1 1 960 @/org/kernel/linux/storage/multipathd")

    def _block(self, block: str, number: str, sectors: int) -> None:
        for file, text in {
            "dev": number,
            "size": str(sectors),
            "queue/logical_block_size": "512",
            "queue/physical_block_size": "4096",
        }.items():
            self.write(f"{block}/{file}", text)
