"""Settings of this room (spec guest-agent 7)."""

from attrs.validators import ge, gt

from virgate.config import option, section


@section("guests")
class GuestSettings:
    """Agents inside machines: the oVirt guest agent and the QEMU guest agent."""

    timeout: float = option(30.0, "Seconds without a word after which what changes quickly is taken back.", gt(0))
    ask_qemu_agent: bool = option(True, "Ask the QEMU guest agents of all machines for what they know.")
    poll_period: float = option(5.0, "Seconds between two looks at which QEMU agents are to be asked.", gt(0))
    command_timeout: int = option(1, "Seconds that a QEMU agent has for each answer.", ge(1))
    pause: float = option(
        60.0, "Seconds that a QEMU agent is left alone after it failed; twice as long each time.", gt(0)
    )
    longest_pause: float = option(600.0, "What that becomes at most.", gt(0))
    at_once: int = option(2, "QEMU agents that are asked at the same time.", ge(1))
    boot_period: float = option(120.0, "Seconds after a start in which addresses are asked for at each look.", ge(0))
    info_period: float = option(300.0, "Seconds between two questions for the agent's abilities.", gt(0))
    system_period: float = option(120.0, "The same for names, system, time zone, addresses and drivers.", gt(0))
    users_period: float = option(10.0, "The same for the users that are logged in.", gt(0))
    disks_period: float = option(300.0, "The same for disks and file systems.", gt(0))
    cpus_period: float = option(60.0, "The same for the number of CPUs.", gt(0))
