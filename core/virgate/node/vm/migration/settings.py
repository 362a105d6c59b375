"""Settings of this room."""

from attrs.validators import ge, gt

from virgate.config import option, section


@section("migration")
class MigrationSettings:
    """Machines that move between hosts while they run."""

    max_outgoing: int = option(2, "Machines that leave this host at the same time, at most one per core.", ge(1))
    max_incoming: int = option(2, "Machines that arrive at the same time; more are told to come later.", ge(1))
    bandwidth: int = option(52, "MiB/s of one move unless its client says otherwise; 0: no limit.", ge(0))
    downtime: int = option(500, "Milliseconds a guest may stand still, unless its client says otherwise.", ge(1))
    downtime_steps: int = option(5, "Steps in which the downtime grows while a move does not converge.", ge(1))
    monitor_interval: float = option(
        10.0, "Seconds between two looks at a move; 0: none, and then nothing helps one that does not converge.", ge(0)
    )
    retry_after: float = option(10.0, "Seconds before a destination that was busy is asked again.", gt(0))
    create_timeout: float = option(600.0, "Seconds that the destination may take to prepare.", gt(0))
    listener_timeout: float = option(
        30.0, "Seconds that this host may take to prepare an arrival; more with each machine it has.", gt(0)
    )
    max_listener_timeout: float = option(600.0, "Most seconds that this host may take to prepare an arrival.", gt(0))
    disk_timeout: float = option(2.0, "Seconds added for each disk of an arrival below /dev/mapper.", ge(0))
    destination_timeout: float = option(21600.0, "Seconds that an arrival is waited for once it is prepared.", gt(0))
    guest_patience: float = option(10.0, "Seconds that scripts in a guest may run before it moves.", ge(0))
    time_limits: bool = option(
        False,
        "Moves without a schedule of their own are given up after 64 seconds per GiB of memory, or after 240 seconds"
        " in which no less was left to send than before, as hosts did before there were schedules.",
    )
    uri: str = option(
        "",
        "Where libvirt of another host is reached, {host} in its place; empty: qemu+tls://{host}/system, or qemu+tcp"
        " when the management port has no TLS.",
    )
    trust_storage: bool = option(
        False,
        "Moves machines whose disks lie where libvirt cannot know that every host sees the same. If that is not so,"
        " their data are lost.",
    )
