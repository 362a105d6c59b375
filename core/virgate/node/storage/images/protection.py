"""Keeping other hosts from writing to the disks of a machine that runs here."""

from collections.abc import Sequence
from itertools import groupby
from typing import cast

from attrs import astuple, frozen

from virgate.hookspecs.leases import ExternalLeaseManager, Guard, LeasePlace
from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.errors import LeaseNotAcquired
from virgate.node.storage.values import VolumeAddress


@frozen
class Guards:
    """The guards of one machine: one per domain."""

    held: tuple[Guard, ...]

    def started(self) -> None:
        for guard in self.held:
            guard.started()

    def end(self) -> None:
        for guard in self.held:
            guard.end()


@frozen
class Protection:
    domains: Domains

    async def take(self, machine: str, volumes: Sequence[VolumeAddress]) -> Guards:
        """Takes the leases of these volumes for a machine that is about to start.

        `LeaseNotAcquired` (651) if another host has one; then none is held. A domain that only this host sees needs no
        protection.
        """
        held: list[Guard] = []
        try:
            for domain, members in groupby(sorted(set(volumes), key=astuple), lambda volume: volume.domain):
                found = await self.domains.find(domain)
                if found.lease.volume_leases:
                    places = [await place_of(found, volume) for volume in members]
                    held.append(await cast(ExternalLeaseManager, found.lease).guard(machine, places))
        except BaseException:
            Guards(tuple(held)).end()
            raise
        return Guards(tuple(held))

    async def give_back(self, machine: str, volumes: Sequence[VolumeAddress]) -> None:
        """Lets other hosts write to volumes that the running machine has no more; raises what storage says."""
        for volume in dict.fromkeys(volumes):
            found = await self.domains.find(volume.domain)
            if found.lease.volume_leases:
                place = await place_of(found, volume)
                await cast(ExternalLeaseManager, found.lease).unguard(machine, place)


async def place_of(domain: Domain, volume: VolumeAddress) -> LeasePlace:
    """Where the lease of a volume is."""
    found = await domain.images.lease_of(volume.image, volume.volume)
    if found is None:
        raise LeaseNotAcquired(volume.domain, f"volume {volume.volume} has no place for one")
    return LeasePlace(volume.volume, *found)
