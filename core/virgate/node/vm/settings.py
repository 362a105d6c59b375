"""Settings of this room."""

from pathlib import Path

from attrs.validators import ge, gt

from virgate.config import option, section


@section("machines")
class MachineSettings:
    """Virtual machines on this host."""

    channels: Path | None = option(
        None,
        "Folder of the guest agents' sockets; empty: /var/lib/libvirt/qemu/channels, run_dir for a user's libvirt.",
    )
    parallel_starts: int = option(4, "Machines that start at the same time; others wait.", ge(1))
    sample_period: float = option(15.0, "Seconds between two samples of all machines.", gt(0))
    stale_after: float = option(
        60.0, "A machine with no sample for so many seconds is reported as not responding.", gt(0)
    )
    shutdown_delay: float = option(
        30.0, "Seconds that users in a guest get before it goes down, through its agent.", ge(0)
    )
    shutdown_timeout: float = option(120.0, "Seconds each step of a shutdown may take before the next.", ge(0))
    monitor_commands: bool = option(
        False, "Whether clients may send commands to machines' QEMU monitors; they can do anything QEMU can."
    )
    recovery_period: float = option(5.0, "Seconds between two attempts to find running machines at start.", gt(0))
    unplug_timeout: float = option(30.0, "Seconds a guest may take to let go of a device that is unplugged.", gt(0))
    unplug_check: float = option(1.0, "Seconds between two looks whether it has, should the event be lost.", gt(0))
    job_period: float = option(15.0, "Seconds between two looks at merges that are under way.", gt(0))
