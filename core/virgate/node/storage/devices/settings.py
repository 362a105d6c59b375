"""The `[devices]` settings."""

from attrs.validators import ge, gt

from virgate.config import option, section


@section("devices")
class DeviceSettings:
    """Disks of storage networks: how new ones are looked for."""

    whitelist: list[str] = option(
        [], "Paths of further devices that may hold volume groups, such as loop devices; LVM is shown no others."
    )
    settle_timeout: float = option(5.0, "Seconds to wait for udev after a look for new disks.", gt(0))
    scan_timeout: float = option(30.0, "Seconds that a look for new disks may take.", gt(0))
    multipath_timeout: float = option(
        10.0, "Seconds to wait until multipath has joined the paths of a new disk; it is not used before.", ge(0)
    )
