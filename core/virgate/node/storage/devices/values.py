"""A disk as domains use it, with the paths that lead to it."""

from attrs import frozen

ISCSI = "iSCSI"
FCP = "FCP"
MIXED = "MIXED"


@frozen
class Session:
    """An iSCSI session that a path uses. It may need a password; nobody is told it."""

    iqn: str
    host: str
    port: str
    tpgt: str
    iface: str
    user: str
    state: str

    @property
    def up(self) -> bool:
        return self.state == "LOGGED_IN"


@frozen
class DevicePath:
    """One SCSI disk of the kernel. `number` is major:minor."""

    name: str
    number: str
    size: int
    lun: str
    active: bool
    session: Session | None

    @property
    def transport(self) -> str:
        return ISCSI if self.session else FCP


@frozen
class Device:
    """A disk by its world-wide name, whatever number of paths there is. Sizes are in bytes."""

    guid: str
    path: str
    """The device mapper's name if multipath joins the paths, else the disk's own, by its identity if udev knows it."""
    size: int
    vendor: str
    product: str
    serial: str
    firmware: str
    logical_block: int
    physical_block: int
    paths: tuple[DevicePath, ...]
    multipath: bool
    foreign: bool
    """This host uses it for something that is none of ours: mounted, swap, partitioned, held by another driver."""
    aliases: frozenset[str]
    """Every path that leads to it on this host."""

    @property
    def transport(self) -> str:
        kinds = {path.transport for path in self.paths}
        return kinds.pop() if len(kinds) == 1 else MIXED

    @property
    def active(self) -> bool:
        return any(path.active for path in self.paths)
