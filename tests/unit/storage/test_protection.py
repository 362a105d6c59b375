"""Guarding the disks of machines by the leases of their volumes: one guard per domain, all or none."""

from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field

from virgate.errors import VirgateError
from virgate.hookspecs.leases import LeasePlace
from virgate.node.storage.errors import LeaseNotAcquired
from virgate.node.storage.images.protection import Protection
from virgate.node.storage.values import VolumeAddress

LEASE_FILE = Path("/mnt/d/images/i/v1.lease")


@define
class Lease:
    """As one domain's lease manager; it is its own guard."""

    volume_leases: bool = True
    refuses: bool = False
    taken: list[LeasePlace] = field(factory=list)
    said: list[str] = field(factory=list)

    async def guard(self, machine: str, leases: list[LeasePlace]) -> "Lease":
        if self.refuses:
            raise LeaseNotAcquired("d", "host id 7 holds v")
        self.taken.extend(leases)
        return self

    async def unguard(self, machine: str, lease: LeasePlace) -> None:
        self.taken.remove(lease)

    def started(self) -> None:
        self.said.append("started")

    def end(self) -> None:
        self.said.append("end")


@define
class Images:
    place: tuple[Path, int] | None = (Path("/dev/vg/leases"), 101 << 20)

    async def lease_of(self, image: str, volume: str) -> tuple[Path, int] | None:
        return self.place


@define
class FakeDomain:
    lease: Lease
    images: Images = field(factory=Images)


@define
class Found:
    domains: dict[str, FakeDomain]

    async def find(self, domain: str) -> FakeDomain:
        return self.domains[domain]


def protection(**domains: FakeDomain) -> Protection:
    found: Any = Found(domains)
    return Protection(found)


@pytest_twisted.ensureDeferred
async def test_the_leases_of_all_volumes_are_taken_where_their_domain_keeps_them() -> None:
    files, blocks = Lease(), Lease()
    guards = await protection(a=FakeDomain(files, Images((LEASE_FILE, 0))), b=FakeDomain(blocks)).take(
        "machine", [VolumeAddress("b", "i", "v2"), VolumeAddress("a", "i", "v1"), VolumeAddress("b", "i", "v2")]
    )
    assert files.taken == [LeasePlace("v1", LEASE_FILE)]
    assert blocks.taken == [LeasePlace("v2", Path("/dev/vg/leases"), 101 << 20)]
    guards.started()
    assert (files.said, blocks.said) == (["started"], ["started"])


@pytest_twisted.ensureDeferred
async def test_what_a_running_machine_has_no_more_is_given_back() -> None:
    shared, local = Lease(), Lease(volume_leases=False)
    kept, gone = VolumeAddress("a", "i", "v1"), VolumeAddress("a", "i", "v2")
    made = protection(a=FakeDomain(shared), b=FakeDomain(local))
    await made.take("machine", [kept, gone])
    await made.give_back("machine", [gone, VolumeAddress("b", "i", "v")])
    assert [place.name for place in shared.taken] == ["v1"]


@pytest_twisted.ensureDeferred
async def test_a_domain_that_only_this_host_sees_needs_none() -> None:
    local = Lease(volume_leases=False, refuses=True)
    guards = await protection(a=FakeDomain(local)).take("machine", [VolumeAddress("a", "i", "v")])
    assert guards.held == ()


@pytest_twisted.ensureDeferred
async def test_a_volume_without_a_place_for_a_lease_cannot_be_protected() -> None:
    with pytest.raises(LeaseNotAcquired, match="no place"):
        await protection(a=FakeDomain(Lease(), Images(None))).take("machine", [VolumeAddress("a", "i", "v")])


@pytest_twisted.ensureDeferred
async def test_if_one_is_refused_the_others_are_given_back() -> None:
    first, second = Lease(), Lease(refuses=True)
    volumes = [VolumeAddress("a", "i", "v1"), VolumeAddress("b", "i", "v2")]
    with pytest.raises(VirgateError, match="host id 7 holds v"):
        await protection(a=FakeDomain(first), b=FakeDomain(second)).take("machine", volumes)
    assert first.said == ["end"]
