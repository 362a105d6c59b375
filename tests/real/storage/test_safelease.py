"""The lock of old shared domains, on a real file with real workers; its times are short."""

import time
from contextlib import suppress

import pytest
import pytest_twisted
from contract.storage.leases import LeaseManagerContract

from virgate.errors import VirgateError
from virgate.hookspecs.leases import LeaseParameters, LeaseSpace
from virgate.node.storage.formats.safelease import FREE, Tag
from virgate_plugins.leases import safelease
from virgate_plugins.leases.safelease.lease import SafeLease

made: list[SafeLease] = []


@pytest.fixture
def space(tmp_path):
    for name in ("ids", "leases"):
        (tmp_path / name).write_bytes(b"")
    parameters = LeaseParameters(lease=1, io_timeout=0)
    return LeaseSpace("domain", tmp_path / "ids", tmp_path / "leases", parameters=parameters)


@pytest_twisted.async_yield_fixture
async def type(space):
    """Whatever a test leaves is given back after it."""

    def make(space):
        made.append(SafeLease(space))
        return made[-1]

    make.volume_leases = SafeLease.volume_leases
    yield make
    while made:
        with suppress(VirgateError):
            await made.pop().release()


class TestSafeLease(LeaseManagerContract):
    pass


def record(space):
    return space.leases.read_bytes()[:32]


def test_it_answers_to_its_own_name_only():
    assert safelease.lease_manager("safelease") is SafeLease and safelease.lease_manager("sanlock") is None


@pytest_twisted.ensureDeferred
async def test_a_new_domain_has_a_free_record(type, space):
    await type(space).initialize()
    assert space.leases.read_bytes() == FREE.ljust(512, b"\0")


@pytest_twisted.ensureDeferred
async def test_the_owner_stands_in_the_record_and_renews_it_and_the_rest_stays(type, space):
    space.leases.write_bytes(FREE + b"rest".ljust(480, b"."))
    lease = type(space)
    await lease.join(17)
    await lease.acquire()
    first = Tag.decode(record(space))
    assert first.owner == "17" and abs(first.stamp / 1e6 - time.time()) < 30
    while Tag.decode(record(space)) == first:
        await lease.inquire()
    await lease.release()
    assert record(space) == FREE and space.leases.read_bytes()[32:36] == b"rest"


@pytest_twisted.ensureDeferred
async def test_a_dead_owner_is_followed_after_his_time(type, space):
    space.leases.write_bytes(Tag("9", 1_700_000_000_000_000).encode().ljust(512, b"\0"))
    lease = type(space)
    await lease.join(1)
    began = time.monotonic()
    await lease.acquire()
    assert lease.held and time.monotonic() - began >= 1


@pytest_twisted.ensureDeferred
async def test_a_lease_that_another_took_is_lost_and_not_taken_from_him(type, space):
    lease, told = type(space), []
    await lease.initialize()
    lease.when_lost(told.append)
    await lease.join(1)
    await lease.acquire()
    other = Tag("2", 5).encode().ljust(512, b"\0")
    while not told:
        space.leases.write_bytes(other)
        await lease.inquire()
    assert told == ["another host's name is on it"] and not lease.held
    await lease.release()
    assert record(space) == other[:32]


@pytest_twisted.ensureDeferred
async def test_a_lease_that_cannot_be_renewed_is_lost_in_its_time(type, space):
    lease, told = type(space), []
    await lease.initialize()
    lease.when_lost(told.append)
    await lease.join(1)
    await lease.acquire()
    began = time.monotonic()
    space.leases.rename(space.leases.with_name("gone"))
    while not told:
        with suppress(VirgateError):
            await lease.inquire()
    assert "could not be renewed for 1 seconds" in told[0] and time.monotonic() - began < 5
