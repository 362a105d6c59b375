"""Managers made when they are first asked for: what a quiet daemon never does need not be in memory."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from virgate.events import EventBus
from virgate.node.storage.accounts import owner, reader
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.images.jobs import Jobs
from virgate.node.storage.images.qemu_img import QemuImg
from virgate.node.storage.settings import StorageSettings
from virgate.node.storage.values import Clock
from virgate.node.tasks.locks import Locks

if TYPE_CHECKING:
    from virgate.node.storage.external_leases import ExternalLeases
    from virgate.node.storage.images.copying import Copying
    from virgate.node.storage.images.iso_files import IsoFiles
    from virgate.node.storage.images.merging import Merging
    from virgate.node.storage.images.moving import Moving
    from virgate.node.storage.images.moving_many import ManyMoves
    from virgate.node.storage.images.remote import Remote
    from virgate.node.storage.images.sparsifying import Sparsifying
    from virgate.node.storage.images.transfer import Transfers
    from virgate.node.storage.nbd.servers import NbdServers
    from virgate.node.storage.pools.machine_files import MachineFiles
    from virgate.node.storage.sdm.bitmaps import Bitmaps
    from virgate.node.storage.sdm.external import ExternalCopies
    from virgate.node.storage.sdm.merging import ColdMerge
    from virgate.node.storage.sdm.registry import JobRegistry
    from virgate.node.storage.sdm.sdm import Sdm
    from virgate.node.storage.sdm.upkeep import Upkeep


@frozen(kw_only=True, slots=False)
class LateManagers:
    """Each property imports its module and makes its manager once."""

    settings: StorageSettings
    run_dir: Path
    domains: Domains
    jobs: Jobs
    locks: Locks
    qemu: QemuImg
    events: EventBus
    clock: Clock
    host: Callable[[], str]
    """Answers the hardware id of this host."""

    @cached_property
    def copying(self) -> "Copying":
        from virgate.node.storage.images.copying import Copying

        return Copying(self.jobs, self.qemu, self.clock)

    @cached_property
    def moving(self) -> "Moving":
        from virgate.node.storage.images.moving import Moving

        return Moving(self.jobs, self.qemu)

    @cached_property
    def many_moves(self) -> "ManyMoves":
        from virgate.node.storage.images.moving_many import ManyMoves

        return ManyMoves(self.moving)

    @cached_property
    def merging(self) -> "Merging":
        from virgate.node.storage.images.merging import Merging

        return Merging(self.jobs, self.qemu)

    @cached_property
    def sparsifying(self) -> "Sparsifying":
        from virgate.node.storage.images.sparsifying import Sparsifying

        return Sparsifying(self.jobs, self.qemu)

    @cached_property
    def remote(self) -> "Remote":
        from virgate.node.storage.images.remote import Remote

        return Remote(self.jobs, self.qemu)

    @cached_property
    def transfers(self) -> "Transfers":
        from virgate.node.storage.images.transfer import Transfers

        return Transfers(self.jobs)

    @cached_property
    def files(self) -> "IsoFiles":
        from virgate.node.storage.images.iso_files import IsoFiles

        return IsoFiles(self.domains, self.jobs.pools, reader(self.settings))

    @cached_property
    def machine_files(self) -> "MachineFiles":
        from virgate.node.storage.pools.machine_files import MachineFiles

        return MachineFiles(self.jobs.pools, self.locks, owner(self.settings))

    @cached_property
    def external_leases(self) -> "ExternalLeases":
        from virgate.node.storage.external_leases import ExternalLeases

        return ExternalLeases(self.jobs, self.clock, self.host)

    # jobs of one host (spec xmlrpc-storage 11)

    @cached_property
    def job_registry(self) -> "JobRegistry":
        from virgate.node.storage.sdm.registry import JobRegistry

        return JobRegistry(self.clock, self.events)

    @cached_property
    def sdm(self) -> "Sdm":
        from virgate.node.storage.sdm.sdm import Sdm

        return Sdm(self.domains, self.locks, self.qemu, self.job_registry)

    @cached_property
    def cold_merge(self) -> "ColdMerge":
        from virgate.node.storage.sdm.merging import ColdMerge

        return ColdMerge(self.jobs, self.job_registry, self.qemu)

    @cached_property
    def bitmaps(self) -> "Bitmaps":
        from virgate.node.storage.sdm.bitmaps import Bitmaps

        return Bitmaps(self.sdm)

    @cached_property
    def upkeep(self) -> "Upkeep":
        from virgate.node.storage.sdm.upkeep import Upkeep

        return Upkeep(self.jobs, self.job_registry, self.qemu)

    @cached_property
    def external_copies(self) -> "ExternalCopies":
        from virgate.node.storage.images.qemu_served import QemuServed
        from virgate.node.storage.sdm.external import ExternalCopies

        qemu = QemuServed.like(self.qemu)
        return ExternalCopies(self.domains, self.locks, qemu, self.job_registry, self.external_leases)

    @cached_property
    def nbd(self) -> "NbdServers":
        from virgate.node.storage.nbd.servers import NbdServers

        return NbdServers(self.domains, self.locks, self.run_dir / "nbd")

    async def end_work(self) -> None:
        """Ends the jobs and the served volumes of this host, if there ever were any."""
        for name in ("job_registry", "nbd"):
            if name in vars(self):
                await getattr(self, name).close()
