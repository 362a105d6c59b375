"""The lease manager on its own: what its workers and its holder answer is given, what it asks of them is seen."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, fail, succeed

from virgate.errors import VirgateError
from virgate.hookspecs.leases import LeaseOwner, LeasePlace, LeaseSpace
from virgate.node.storage.formats.sanlock import Leader
from virgate_plugins.leases import sanlock
from virgate_plugins.leases.sanlock import holdings
from virgate_plugins.leases.sanlock import lease as lease_module
from virgate_plugins.leases.sanlock.calls import NOT_INSTALLED
from virgate_plugins.leases.sanlock.lease import SanlockLease

DOMAIN = "5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e2001"
SPACE = LeaseSpace(DOMAIN, Path("/mnt/ids"), Path("/mnt/leases"))
OTHER = LeasePlace("a-volume", Path("/mnt/a-volume.lease"))


class Service:
    """Stands for both workers: sanlock as one host knows it, in memory."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.host: int | None = None
        self.held: list[list[Any]] = []
        self.failing: dict[str, OSError] = {}

    def call(self, operation: str, *arguments: Any) -> Deferred[Any]:
        self.asked.append((operation, *arguments))
        if operation in self.failing:
            return fail(self.failing[operation])
        answer: Callable[..., Any] = getattr(self, operation, lambda *_: None)
        return succeed(answer(*arguments))

    def joined(self, space: str, host: int, ids: str) -> bool:
        return self.host == host

    def begin_join(self, space: str, host: int, ids: str, io_timeout: int) -> None:
        self.host = host

    def begin_leave(self, space: str, host: int, ids: str) -> None:
        self.host = None

    def acquire(self, space: str, name: str, path: str, offset: int, holder: int, value: bool) -> None:
        self.held.append([space, name, 1, [[path, offset]]])

    def release(self, space: str, name: str, path: str, offset: int, holder: int) -> None:
        self.held.remove([space, name, 1, [[path, offset]]])

    def held_by(self, holder: int) -> list[list[Any]]:
        return self.held

    def owner(self, space: str, name: str, *_: Any) -> list[int] | None:
        return [7, 3] if "acquire" in self.failing else None


class Process:
    """Stands for a holder."""

    made: "list[Process]"
    pid = 4711

    def __init__(self, name: str, lost: Callable[[str], None]) -> None:
        self.lost, self.over, self.ended = lost, False, False
        self.made.append(self)

    def ready(self) -> Deferred[None]:
        return succeed(None)

    def end(self) -> None:
        self.over = self.ended = True

    def lose(self) -> None:
        self.over = True
        self.lost("sanlock said so")


class Watch:
    """A look is taken by the test."""

    def __init__(self, look: Callable[[], object]) -> None:
        self.running = False

    def start(self, interval: float, now: bool) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    made = Service()
    monkeypatch.setattr(lease_module, "service", lambda: made)
    monkeypatch.setattr(lease_module, "pause", lambda seconds: succeed(None))
    monkeypatch.setattr(lease_module, "Worker", lambda name, fenced=False: made)
    monkeypatch.setattr(holdings, "Holder", Process)
    monkeypatch.setattr(Process, "made", [], raising=False)
    monkeypatch.setattr(lease_module, "LoopingCall", Watch)
    return made


@pytest_twisted.ensureDeferred
async def test_the_daemon_hears_of_a_loss_once_and_the_holder_stays_until_release(service: Service) -> None:
    lease, told = SanlockLease(SPACE), list[str]()
    lease.when_lost(told.append)
    await lease.join(1)
    await lease.acquire()
    (holder,) = Process.made
    holder.lose()
    assert (told, lease.held, lease.joined, holder.ended) == (["sanlock said so"], False, None, False)
    await lease.release()
    assert holder.ended
    assert ("release", DOMAIN, "SDM", "/mnt/leases", 1 << 20, 4711) not in service.asked


@pytest_twisted.ensureDeferred
async def test_a_lease_that_sanlock_does_not_list_is_lost(service: Service) -> None:
    lease, told = SanlockLease(SPACE), list[str]()
    lease.when_lost(told.append)
    await lease.join(1)
    await lease.acquire()
    await lease._look()
    assert (told, lease.held) == ([], True)
    service.failing["held_by"] = OSError(errno.ECONNREFUSED, "no answer says nothing")
    await lease._look()
    assert (told, lease.held) == ([], True)
    service.failing.clear()
    service.held[0][3] = [["/mnt/leases", 0]]
    await lease._look()
    assert (told, lease.held) == (["sanlock does not list SDM any more"], False)
    await lease.release()


@pytest_twisted.ensureDeferred
async def test_a_host_id_that_sanlock_gave_up_is_not_told_as_joined(service: Service) -> None:
    lease, told = SanlockLease(SPACE), list[str]()
    lease.when_lost(told.append)
    await lease.join(1)
    await lease._look()
    assert lease.joined == 1
    service.host = None
    await lease._look()
    assert (lease.joined, told) == (None, [])
    await lease.join(1)
    await lease.acquire()
    service.host = None
    await lease._look()
    assert (lease.joined, lease.held, len(told)) == (None, False, 1)
    await lease.release()


@pytest_twisted.ensureDeferred
async def test_the_loss_of_another_lease_is_no_loss_of_the_spm_s(service: Service) -> None:
    lease, told = SanlockLease(SPACE), list[str]()
    lease.when_lost(told.append)
    await lease.join(1)
    await lease.acquire_other(OTHER)
    (holder,) = Process.made
    holder.lose()
    assert (told, holder.ended) == ([], True)


@pytest.mark.parametrize("spm", [False, True])
@pytest_twisted.ensureDeferred
async def test_the_holder_stays_until_nothing_writes_any_more_that_needed_its_leases(
    service: Service, spm: bool
) -> None:
    lease, said, ending = SanlockLease(SPACE), list[str](), Deferred[None]()

    async def tell(how: str) -> None:
        said.append(how)
        await ending

    async def breaks(how: str) -> None:
        raise ValueError(how)

    lease.when_others_lost(breaks)
    lease.when_others_lost(tell)
    forget = lease.when_others_lost(tell)
    forget()
    await lease.join(1)
    if spm:
        await lease.acquire()
    await lease.acquire_other(OTHER)
    (holder,) = Process.made
    holder.lose()
    await lease.release()
    assert (said, holder.ended) == (["sanlock said so"], False)
    await lease.join(1)
    await lease.acquire_other(OTHER)
    assert (len(Process.made), holder.ended) == (2, False)
    ending.callback(None)
    assert (holder.ended, Process.made[1].ended) == (True, False)
    await lease.release_other(OTHER)
    assert Process.made[1].ended


@pytest_twisted.ensureDeferred
async def test_one_holder_keeps_all_leases_and_ends_with_the_last(service: Service) -> None:
    lease = SanlockLease(SPACE)
    await lease.join(1)
    await lease.acquire()
    await lease.acquire_other(OTHER)
    (holder,) = Process.made
    await lease.release()
    assert not holder.ended
    await lease.release_other(OTHER)
    assert holder.ended
    await lease.acquire()
    assert len(Process.made) == 2
    await lease.release()


@pytest_twisted.ensureDeferred
async def test_after_a_loss_a_new_holder_begins_anew(service: Service) -> None:
    lease = SanlockLease(SPACE)
    await lease.join(1)
    await lease.acquire()
    Process.made[0].lose()
    service.held.clear()
    await lease.join(1)
    await lease.acquire()
    assert lease.held
    assert Process.made[0].ended
    await lease.release()


@pytest_twisted.ensureDeferred
async def test_a_refusal_names_the_host_that_holds_it_and_leaves_no_process(service: Service) -> None:
    lease = SanlockLease(SPACE)
    await lease.join(1)
    service.failing["acquire"] = OSError(-243, "Sanlock resource not acquired: Lease owned by other host")
    with pytest.raises(VirgateError, match="host id 7 holds SDM; another host holds it and lives") as caught:
        await lease.acquire()
    assert (caught.value.code, lease.held, Process.made[0].ended) == (651, False, True)
    assert await lease.inquire() == LeaseOwner(7, 3)


@pytest_twisted.ensureDeferred
async def test_sanlock_is_asked_whether_it_still_has_the_host_id(service: Service) -> None:
    lease = SanlockLease(SPACE)
    await lease.join(1)
    service.host = None  # its lockspace failed meanwhile
    await lease.join(1)
    assert [asked[0] for asked in service.asked].count("begin_join") == 2


@pytest_twisted.ensureDeferred
async def test_a_release_that_is_not_certain_is_told_and_the_lease_still_held(service: Service) -> None:
    lease = SanlockLease(SPACE)
    await lease.join(1)
    await lease.acquire()
    service.failing["release"] = OSError(-202, "Sanlock resource not released: IO timeout")
    with pytest.raises(VirgateError, match="storage did not answer") as caught:
        await lease.release()
    assert (caught.value.code, lease.held) == (660, True)
    with pytest.raises(VirgateError) as caught:
        await lease.leave()
    assert caught.value.code == 662
    service.failing.clear()
    await lease.release()
    await lease.leave()
    assert (lease.held, lease.joined, service.host) == (False, None, None)


@pytest_twisted.ensureDeferred
async def test_without_the_binding_the_error_names_the_packages(service: Service) -> None:
    service.failing["make"] = OSError(NOT_INSTALLED, "No module named 'sanlock'")
    with pytest.raises(VirgateError, match="install the packages python3-sanlock and sanlock") as caught:
        await SanlockLease(SPACE).initialize()
    assert caught.value.code == 703


@pytest_twisted.ensureDeferred
async def test_the_plugin_answers_for_its_name_with_the_settings_as_they_are(service: Service) -> None:
    assert sanlock.lease_manager("sanlock") is SanlockLease
    assert sanlock.lease_manager("local") is None
    await SanlockLease(SPACE).initialize()
    assert service.asked == [("make", DOMAIN, "/mnt/ids", "/mnt/leases", "SDM", 512, 1 << 20, 10)]


def test_a_fresh_lease_is_that_of_its_name_and_zeros_follow() -> None:
    fresh = SanlockLease(SPACE).fresh("a-volume")
    leader = Leader.decode(fresh)
    assert (leader.space, leader.resource, leader.owner_id, len(fresh)) == (DOMAIN, "a-volume", 0, 1024)
