"""Leases of shared domains, kept by the service sanlock (spec storage-format 5).

Who does what, and why:

- **sanlock**, a service of the host, renews the host ids (one lockspace per domain) and grants leases to processes.
  When it cannot renew a host id for 8 io timeouts it sends SIGTERM to the processes that hold leases there, later
  SIGKILL, and if their connection is still open then, its watchdog resets the host: all that before another host may
  take the leases (8 io timeouts and 60 seconds).
- **`sanlock_programs/holder.py`**, one small process per domain of which this host holds leases, is the one known to
  sanlock. Its end gives the leases back, so it must outlive whatever still writes: it ends when the daemon tells it
  to, or when the daemon and all its writers have gone (`virgate.run.writers`). A daemon killed in the middle of a copy
  keeps the SPM lease for the milliseconds its qemu-img needs to die; one stuck in the kernel keeps the lease until it
  is out, or until the watchdog resets the host. sanlock knows that a process has gone by its connection alone, so the
  holder lets a twin share the connection: even when sanlock kills the holder, the leases stay with those who write.
- **`sanlock_programs/guard.py`** is the same for the disks of one machine: it lives as long as the machine's QEMU, and
  kills that when sanlock wants the leases back.
- **`calls.py`** is what worker processes call. Calls that wait for storage run in a worker of that domain, which ends
  when it has been idle; those that only ask the service share one worker. Joining takes 20 seconds to minutes and is
  watched from here, without a process that waits.
- **`lease.py`** is the lease manager: what the daemon knows, and when it hears of a loss (SIGTERM, death of the holder,
  or a look every 20 seconds that does not find the lease). Then it tells the SPM, which stops what it runs and calls
  `release`: that ends the holder, and the watchdog has nothing to do. Until then the lease is not given back. Jobs and
  servers that work under leases of volumes are told as well: the holder stays until the last of them is dead.
  What it holds, and the holder, are in **`holdings.py`**.

This module stays small: it is imported whether or not any domain uses sanlock.
"""

from attrs.validators import ge, gt, le

from virgate import hookimpl
from virgate.config import Settings, option, section
from virgate.hookspecs.leases import LeaseManager


@section("leases")
class LeaseSettings:
    """Leases of shared storage, kept by sanlock."""

    io_timeout: int = option(
        10,
        "Seconds within which storage must answer. A host that loses storage gives its leases up after 8 of them; one"
        " that dies is replaced after 8 of them and 60 seconds more. All hosts of a domain should have the same.",
        ge(1),
        le(60),
    )
    check_interval: float = option(
        20.0, "Seconds between two looks whether the leases held here are still held.", gt(0)
    )


class _Chosen:
    """The settings as they were last read."""

    settings = LeaseSettings()


chosen = _Chosen()


@hookimpl
def settings_loaded(settings: Settings) -> None:
    chosen.settings = settings[LeaseSettings]


@hookimpl
def lease_manager(name: str) -> type[LeaseManager] | None:
    if name != "sanlock":
        return None
    from virgate_plugins.leases.sanlock.lease import SanlockLease

    return SanlockLease
