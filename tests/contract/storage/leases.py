"""What every lease manager must do. Subclass in a test module of yours and give the two fixtures:

    class TestLocal(LeaseManagerContract):
        @pytest.fixture
        def type(self): return LocalLease
        @pytest.fixture
        def space(self, tmp_path): ...a LeaseSpace whose files exist...

`type(space)` is made several times for the same space: each object stands for another host. The fixture `place`, a
place for one more lease in which nothing is written, is for managers with `volume_leases` only.
"""

from pathlib import Path

import pytest
import pytest_twisted

from virgate.errors import VirgateError
from virgate.hookspecs.leases import LeasePlace, LeaseSpace


class LeaseManagerContract:
    @pytest_twisted.ensureDeferred
    async def test_nothing_is_held_at_first(self, type, space):
        lease = type(space)
        await lease.initialize()
        assert (lease.joined, lease.held, await lease.inquire()) == (None, False, None)

    @pytest_twisted.ensureDeferred
    async def test_a_host_that_never_joined_does_not_live(self, type, space):
        lease = type(space)
        await lease.initialize()
        await lease.join(1)
        assert await lease.lives(2) is False
        await lease.leave()

    @pytest_twisted.ensureDeferred
    async def test_joining_again_with_the_same_id_is_fine_with_another_661(self, type, space):
        lease = type(space)
        await lease.initialize()
        await lease.join(1)
        await lease.join(1)
        assert lease.joined == 1
        with pytest.raises(VirgateError) as caught:
            await lease.join(2)
        assert (caught.value.code, lease.joined) == (661, 1)

    @pytest_twisted.ensureDeferred
    async def test_the_lease_is_taken_with_a_host_id_only(self, type, space):
        lease = type(space)
        await lease.initialize()
        with pytest.raises(VirgateError) as caught:
            await lease.acquire()
        assert caught.value.code == 651

    @pytest_twisted.ensureDeferred
    async def test_one_host_holds_it_and_the_next_gets_it_after_its_release(self, type, space):
        first, second = type(space), type(space)
        await first.initialize()
        await first.join(1)
        await second.join(2)
        await first.acquire()
        await first.acquire()
        assert first.held and (await first.inquire()).host == 1
        with pytest.raises(VirgateError) as caught:
            await second.acquire()
        assert (caught.value.code, second.held) == (651, False)
        await first.release()
        await second.acquire()
        assert (first.held, second.held) == (False, True)
        await second.release()

    @pytest_twisted.ensureDeferred
    async def test_giving_back_what_is_not_held_does_nothing(self, type, space):
        lease = type(space)
        await lease.initialize()
        await lease.release()
        await lease.leave()
        assert (lease.joined, lease.held) == (None, False)

    @pytest_twisted.ensureDeferred
    async def test_a_host_that_left_may_join_with_another_id(self, type, space):
        lease = type(space)
        await lease.initialize()
        await lease.join(1)
        await lease.leave()
        assert lease.joined is None
        await lease.join(2)
        assert lease.joined == 2

    @pytest_twisted.ensureDeferred
    async def test_what_is_told_of_losses_is_not_called_for_a_release(self, type, space):
        lease, told = type(space), []
        await lease.initialize()
        lease.when_lost(told.append)
        await lease.join(1)
        await lease.acquire()
        await lease.release()
        await lease.leave()
        assert told == []

    def test_a_fresh_lease_is_no_more_than_its_place_and_only_there_if_volumes_have_leases(self, type, space):
        fresh = type(space).fresh("a-volume")
        assert (fresh != b"") == type.volume_leases
        assert len(fresh) <= space.alignment


class VolumeLeaseContract:
    """What a lease manager with `volume_leases` must do besides."""

    @pytest.fixture
    def place(self, space: LeaseSpace) -> LeasePlace:
        return LeasePlace("a-volume", Path(f"{space.leases}.lease"))

    @pytest_twisted.ensureDeferred
    async def test_one_more_lease_is_one_host_s_and_independent_of_the_spm_s(self, type, space, place):
        first, second = type(space), type(space)
        told = []
        forget = first.when_others_lost(told.append)
        await first.initialize()
        await first.join(1)
        await second.join(2)
        await first.write_other(place, place.name)
        assert await second.inquire_other(place) is None
        await first.acquire_other(place)
        await first.acquire_other(place)
        assert (await second.inquire_other(place)).host == 1
        with pytest.raises(VirgateError) as caught:
            await second.acquire_other(place)
        assert (caught.value.code, first.held) == (651, False)
        await second.acquire()
        await first.release_other(place)
        await first.release_other(place)
        await second.acquire_other(place)
        forget()
        assert told == []
        assert (second.held, (await first.inquire_other(place)).host) == (True, 2)
        await second.release_other(place)
        assert second.held
        await second.release()

    @pytest_twisted.ensureDeferred
    async def test_a_lease_that_is_not_there_cannot_be_taken_and_nobody_has_it(self, type, space, place):
        lease = type(space)
        await lease.initialize()
        await lease.join(1)
        await lease.write_other(place, "")
        with pytest.raises(VirgateError) as caught:
            await lease.acquire_other(place)
        assert caught.value.code == 651
        assert await lease.inquire_other(place) is None

    @pytest_twisted.ensureDeferred
    async def test_the_value_of_a_lease_is_changed_by_who_can_have_it(self, type, space, place):
        first, second = type(space), type(space)
        await first.initialize()
        await first.join(1)
        await second.join(2)
        await first.write_other(place, place.name)
        seen = []

        def change(data):
            seen.append(data.rstrip(b"\0"))
            return b"told".ljust(512, b"\0")

        await first.change_value(place, change)
        await second.change_value(place, change)
        assert seen == [b"", b"told"]
        await first.acquire_other(place)
        with pytest.raises(VirgateError) as caught:
            await second.change_value(place, change)
        assert (caught.value.code, len(seen)) == (651, 2)
        await first.release_other(place)
