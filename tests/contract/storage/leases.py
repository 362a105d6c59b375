"""What every lease manager must do. Subclass in a test module of yours and give the two fixtures:

    class TestLocal(LeaseManagerContract):
        @pytest.fixture
        def type(self): return LocalLease
        @pytest.fixture
        def space(self, tmp_path): ...a LeaseSpace whose files exist...

`type(space)` is made several times for the same space: each object stands for another host.
"""

import pytest
import pytest_twisted

from virgate.errors import VirgateError


class LeaseManagerContract:
    @pytest_twisted.ensureDeferred
    async def test_nothing_is_held_at_first(self, type, space):
        lease = type(space)
        await lease.initialize()
        assert (lease.joined, lease.held, await lease.inquire()) == (None, False, None)

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
