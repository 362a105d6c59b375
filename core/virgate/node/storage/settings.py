"""The `[storage]` settings."""

from attrs.validators import gt, in_

from virgate.config import option, section


@section("storage")
class StorageSettings:
    """The storage repository: where domains appear and who owns what is written to them."""

    repository: str = option("", "Folder of the repository tree; empty: data-center below daemon.state_dir.")
    user: str = option(
        "", "Owner of new files, name or number; empty: vdsm (36) where it exists, else the daemon's own."
    )
    group: str = option(
        "", "Group of new files, name or number; empty: kvm (36) where it exists, else the daemon's own."
    )
    hypervisor_user: str = option("", "User that runs guests and must be able to read a folder; empty: not checked.")
    protect_disks: bool = option(
        False,
        "Whether a machine takes the leases of all disks it writes to, so that no other host can start it as well."
        " Disks that a client calls exclusive are protected in any case. When a machine moves, its leases follow it.",
    )
    lvm_method: str = option(
        "devices",
        "How LVM is kept from disks that are not storage domains': devices (a list with each command) or filter (for"
        " LVM before 2.03.12).",
        in_(("devices", "filter")),
    )
    monitor_interval: float = option(10.0, "Seconds between two checks of a domain.", gt(0))
    mount_limit: float = option(60.0, "Seconds mounting may take before it is ended and fails.", gt(0))
    inspect_memory: int = option(
        1024, "MiB of address space for qemu-img where it only reads headers and tables: they may be crafted.", gt(0)
    )
    inspect_seconds: int = option(
        30, "Seconds of processor time for the same; ten times as many where all tables are read.", gt(0)
    )
    patience: float = option(
        30.0,
        "Seconds an operation on storage may take before its helper process is replaced and the operation fails; what"
        " copies or deletes data may take longer as long as it shows signs of life.",
        gt(0),
    )
