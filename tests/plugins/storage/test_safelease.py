"""The lock of old shared domains, with real workers on a file and seconds that are short."""

import os
from pathlib import Path

import pytest
import pytest_twisted
from contract.storage.leases import LeaseManagerContract
from twisted.internet.defer import Deferred

from virgate.errors import VirgateError
from virgate.hookspecs.leases import LeaseParameters, LeaseSpace
from virgate.node.storage.formats.safelease import FREE, Tag
from virgate_plugins.leases import safelease
from virgate_plugins.leases.safelease_lock import SafeLease


class Quick(SafeLease):
    second = 0.1


@pytest.fixture
def space(tmp_path: Path) -> LeaseSpace:
    for name in ("ids", "leases"):
        (tmp_path / name).write_bytes(b"")
    parameters = LeaseParameters(lease=4, io_timeout=1)
    return LeaseSpace(
        "5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e2001", tmp_path / "ids", tmp_path / "leases", parameters=parameters
    )


@pytest_twisted.async_yield_fixture
async def made():
    """Managers that are given back when the test ends."""
    found: list[SafeLease] = []
    yield found
    for lease in found:
        lease._held = False
        await lease._changing.acquire()  # a renewal under way
        lease._changing.release()
        await lease._rest()


@pytest.fixture
def type(made):
    class Kept(Quick):
        def __init__(self, space):
            super().__init__(space)
            made.append(self)

    return Kept


class TestSafeLease(LeaseManagerContract):
    pass


def put(space: LeaseSpace, tag: bytes) -> None:
    file = os.open(space.leases, os.O_WRONLY)
    os.pwrite(file, tag, 0)
    os.close(file)


def tag(space: LeaseSpace) -> Tag:
    return Tag.decode(space.leases.read_bytes()[:512])


@pytest_twisted.ensureDeferred
async def test_a_tag_that_nobody_renews_is_taken_after_a_while(type, space) -> None:
    lease = type(space)
    await lease.initialize()
    put(space, Tag("7", 1).encode())
    assert (await lease.inquire()).host == 7
    await lease.join(1)
    await lease.acquire()
    assert (lease.held, tag(space).owner) == (True, "1")
    await lease.release()
    assert space.leases.read_bytes()[:32] == FREE


@pytest_twisted.ensureDeferred
async def test_it_is_renewed_while_it_is_held(type, space) -> None:
    lease = type(space)
    await lease.initialize()
    await lease.join(1)
    await lease.acquire()
    stamp = tag(space).stamp
    for _ in range(100):
        await lease._pause(1)
        if tag(space).stamp > stamp:
            break
    assert tag(space).stamp > stamp
    await lease.release()


@pytest_twisted.ensureDeferred
async def test_one_that_another_host_took_is_lost_and_not_written_over(type, space) -> None:
    lease, told = type(space), Deferred()
    await lease.initialize()
    lease.when_lost(told.callback)
    await lease.join(1)
    await lease.acquire()
    put(space, Tag("7", 1).encode())
    assert await told == "host id 7 took it"
    await lease.release()
    assert (lease.held, tag(space).owner) == (False, "7")


@pytest_twisted.ensureDeferred
async def test_one_that_cannot_be_renewed_for_the_lease_time_is_lost(type, space) -> None:
    lease, told = type(space), Deferred()
    await lease.initialize()
    lease.when_lost(told.callback)
    await lease.join(1)
    await lease.acquire()
    space.leases.rename(f"{space.leases}.away")
    assert (await told).startswith("not renewed for 4 seconds")
    assert not lease.held


@pytest_twisted.ensureDeferred
async def test_what_is_no_lock_record_is_refused(type, space) -> None:
    lease = type(space)
    put(space, b"\xff" * 512)
    await lease.join(1)
    with pytest.raises(VirgateError) as caught:
        await lease.acquire()
    assert caught.value.code == 651


def test_the_plugin_answers_for_its_name_only() -> None:
    assert safelease.lease_manager("safelease") is SafeLease
    assert safelease.lease_manager("sanlock") is None
