"""Leases: what keeps two hosts from being manager of the same storage.

A lease manager is a class made once per domain. Its object lives as long as the daemon knows the domain and holds
the state of this host in it: the host id it joined with, and the domain's SPM lease.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import ClassVar, Protocol

from attrs import frozen

from virgate.hookspecs.point import Answers, Failure, point

RESERVED_HOST = 250
"""The host id of one who is in no pool, used for a moment while a pool is made (spec storage-format 5.2)."""


@frozen
class LeaseParameters:
    """Times in seconds; only the oldest lock uses them (spec storage-format 3.2)."""

    renewal_interval: int = 5
    lease: int = 60
    io_timeout: int = 10
    retries: int = 3


@frozen
class LeaseSpace:
    """The place of a domain's leases."""

    domain: str
    ids: Path
    leases: Path
    block_size: int = 512
    alignment: int = 1 << 20
    parameters: LeaseParameters = LeaseParameters()


@frozen
class LeaseOwner:
    """Who holds the SPM lease. `version` grows with each owner; 0 where the manager keeps no count."""

    host: int
    version: int


@frozen
class LeasePlace:
    """One lease besides the SPM's: a volume's, or an external one. Its lockspace is the domain."""

    name: str
    path: Path
    offset: int = 0


class LeaseManager(Protocol):
    """Guards one domain for this host. Every method may be called again after it failed."""

    volume_leases: ClassVar[bool]
    """Whether each volume has a lease of its own, and from version 4 on the domain has external leases."""

    def __init__(self, space: LeaseSpace) -> None: ...

    async def initialize(self) -> None:
        """Writes empty leases into a domain just made."""

    async def join(self, host: int) -> None:
        """Takes the host id; `HostIdNotAcquired` (661) if another one has it or this process joined as another."""

    async def leave(self) -> None:
        """Gives the host id back; nothing happens without one."""

    @property
    def joined(self) -> int | None:
        """The host id held here."""

    async def acquire(self) -> None:
        """Takes the SPM lease with the host id held; `LeaseNotAcquired` (651) if another host has it."""

    async def release(self) -> None:
        """Gives the SPM lease back; `LeaseNotReleased` (660) if that is not certain."""

    @property
    def held(self) -> bool:
        """Whether the SPM lease is held here."""

    async def inquire(self) -> LeaseOwner | None:
        """Who has the SPM lease, on whichever host; None if it is free."""

    async def lives(self, host: int) -> bool:
        """Whether that host is known to have renewed its id lately; False when nobody can tell."""

    def when_lost(self, tell: Callable[[str], None]) -> None:
        """From now on `tell(reason)` is called when the SPM lease held here is gone without `release`.

        It is called before any other host can have the lease. A manager whose leases cannot be lost never calls it.
        """

    def fresh(self, name: str) -> bytes:
        """The beginning of a free lease of this name; zeros follow up to the domain's alignment. `b""` without
        `volume_leases`."""

    async def acquire_other(self, lease: LeasePlace) -> None:
        """Takes one more lease with the host id held; `LeaseNotAcquired` (651) if another host has it."""

    async def release_other(self, lease: LeasePlace) -> None:
        """Gives it back; nothing happens if it is not held."""

    async def inquire_other(self, lease: LeasePlace) -> LeaseOwner | None:
        """Who has it; None if it is free."""


class ExternalLeaseManager(LeaseManager, Protocol):
    """What a manager with `volume_leases` does besides, for the external leases of a domain."""

    async def write_other(self, lease: LeasePlace, name: str) -> None:
        """Writes a free lease of that name in place of whatever is there; with the name `""` one that is no lease.

        Nobody may hold what was there. `LeasesNotMade` (703).
        """

    async def change_value(self, lease: LeasePlace, change: Callable[[bytes], bytes]) -> None:
        """Takes a lease, replaces the 512 bytes kept with it by what `change` makes of them, and gives it back.

        Raises as `acquire_other`, and what `change` raises; then the bytes stay as they were.
        """

    def when_others_lost(self, tell: Callable[[str], Awaitable[None]]) -> Callable[[], None]:
        """From now on `tell(reason)` is called when leases of `acquire_other` are gone without `release_other`.

        What is held for this host is not given back before `tell` is done: by then nothing writes any more that needed
        them. Answers the function that ends it.
        """

    async def guard(self, machine: str, leases: Sequence[LeasePlace]) -> "Guard":
        """Takes leases for a machine that is about to start; `LeaseNotAcquired` (651) names the host that has one.

        They are held by a process of their own, over a restart of the daemon. It ends with the machine's QEMU, and ends
        that when the leases are lost.
        """

    async def unguard(self, machine: str, lease: LeasePlace) -> None:
        """Gives back one lease of a machine that runs on without that disk, whichever daemon had it taken.

        Nothing happens if no guard holds it. `LeaseNotReleased` (660).
        """


class Guard(Protocol):
    """Holds leases for one machine. One of the two is called once."""

    def started(self) -> None:
        """The guest runs, or may do so soon: the leases are held as long as its QEMU lives."""

    def end(self) -> None:
        """There will be no guest; the leases are given back."""


@point(Failure.LOG, answers=Answers.FIRST)
def lease_manager(name: str) -> type[LeaseManager] | None:
    """Which class guards domains by leases of this kind?

    Fired when a domain is first used, with the name that its storage type gives for its version ("local", "sanlock").
    Answer the class, or None if it is not yours. The first answer is used; without any the domain cannot be used.
    Raising counts as no answer and is logged.
    """
