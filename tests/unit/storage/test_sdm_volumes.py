"""A job's volume: its lease is held from before the first write until after the last one."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from attrs import evolve
from contract.storage.light import now

from virgate.hookspecs.storage import Kind
from virgate.node.storage.errors import LeaseNotAcquired
from virgate.node.storage.errors.jobs import WrongGeneration
from virgate.node.storage.formats.volume_metadata import Allocation, Legality, VolumeFormat, VolumeMetadata
from virgate.node.storage.images.chain import Image, Volume
from virgate.node.storage.sdm.volumes import Target, leased, operation
from virgate.node.storage.values import VolumeAddress
from virgate.run.fence import admitted
from virgate.units import Size

ADDRESS = VolumeAddress("sd", "img", "vol")


class Played:
    """A domain and its lease manager, which write down what is asked of them."""

    kind, path, id, volume_leases = Kind.FILE, Path("/domain"), "sd", True

    def __init__(self, generation=999):
        self.did = []
        self.taken = False
        self.metadata = VolumeMetadata(
            domain="sd",
            image="img",
            capacity=Size(4096),
            format=VolumeFormat.RAW,
            allocation=Allocation.SPARSE,
            generation=generation,
        )
        self.lease = self.images = self

    async def survey(self, image):
        return Image("sd", image, {"vol": Volume("vol", self.metadata, 4096, 0)})

    async def write(self, image, volume, metadata):
        self.did.append((metadata.legality, metadata.generation))
        self.metadata = metadata

    async def lease_of(self, image, volume):
        return Path("/domain/lease"), 4096

    async def acquire_other(self, lease):
        if self.taken:
            raise LeaseNotAcquired("sd", "host 2 has it")
        self.did.append(f"take {lease.path} {lease.offset}")

    def when_others_lost(self, tell):
        self.lose = tell
        return lambda: setattr(self, "lose", None)

    async def release_other(self, lease):
        self.did.append(f"give {lease.name}")


async def work(domain, generation=None, problem=None):
    async with leased(domain, ADDRESS), operation(domain, Target(ADDRESS, generation)):
        domain.did.append("work")
        if problem:
            raise problem


def test_the_volume_is_illegal_during_the_work_and_of_the_next_generation_after_it():
    domain = Played()
    now(work(domain, 999))
    assert domain.did == [
        "take /domain/lease 4096",
        (Legality.ILLEGAL, 999),
        "work",
        (Legality.LEGAL, 0),  # behind the last one comes the first, in one write with the legality
        "give vol",
    ]


def test_work_that_fails_leaves_it_illegal_and_gives_the_lease_back():
    domain = Played()
    with pytest.raises(OSError, match="broken"):
        now(work(domain, problem=OSError("broken")))
    assert domain.did[-2:] == ["work", "give vol"]
    assert (domain.metadata.legality, domain.metadata.generation) == (Legality.ILLEGAL, 999)


def test_nothing_is_begun_any_more_once_the_lease_is_lost():
    domain = Played()

    async def lost():
        async with leased(domain, ADDRESS):
            admitted()
            await domain.lose("no storage")
            admitted()

    with pytest.raises(LeaseNotAcquired, match="it was lost: no storage"):
        now(lost())
    assert (domain.did[-1], domain.lose, admitted()) == ("give vol", None, None)


def test_another_host_s_volume_is_not_touched():
    domain = Played()
    domain.taken = True
    with pytest.raises(LeaseNotAcquired):
        now(work(domain))
    assert domain.did == []


def test_a_volume_that_was_changed_meanwhile_is_not_touched():
    domain = Played(generation=4)
    with pytest.raises(WrongGeneration, match="generation 4, not 3"):
        now(work(domain, 3))
    assert [one for one in domain.did if isinstance(one, tuple)] == []


def test_what_changed_during_the_work_is_kept():
    domain = Played(generation=1)

    async def changed():
        async with operation(domain, Target(ADDRESS)):
            domain.metadata = evolve(domain.metadata, description="grown")

    now(changed())
    assert (domain.metadata.description, domain.metadata.generation) == ("grown", 2)


def test_a_domain_of_one_host_needs_no_lease():
    domain = Played()
    domain.lease = SimpleNamespace(volume_leases=False)
    now(work(domain))
    assert domain.did[1] == "work"
