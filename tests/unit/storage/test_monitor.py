"""The watch over a domain; only time and the domain are made up."""

from types import SimpleNamespace

import pytest
import pytest_twisted
from twisted.internet.task import Clock

from virgate.events import EventBus
from virgate.node.storage.domains.domain import Health
from virgate.node.storage.domains.monitor import Monitors
from virgate.node.storage.errors import HostIdNotAcquired, NoSuchDomain
from virgate.node.storage.values import Class
from virgate.run.errors import HelperLost

SD = "5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e2001"


class Lease:
    """A lease manager whose host id can be refused."""

    held = False

    def __init__(self):
        self.joined = None
        self.refuses = False

    async def join(self, host):
        if self.refuses:
            raise HostIdNotAcquired(SD, host, "taken")
        self.joined = host

    async def leave(self):
        self.joined = None


class Watched:
    """A domain that is as healthy as `problem` says; it stands for the finder of domains, too."""

    def __init__(self, domain_class=Class.Data):
        self.lease = Lease()
        self.problem = None
        self.looks = 0
        self.version = 5
        self.record = SimpleNamespace(domain_class=domain_class)

    async def find(self, domain):
        return self

    def known(self):
        return {SD: self}

    async def close_groups(self):
        """There are no disks here."""

    async def look(self):
        self.looks += 1
        if self.problem:
            raise self.problem
        return Health(0.25, 100, 40)


@pytest.fixture
def told():
    return []


@pytest.fixture
def bus(told):
    made = EventBus()
    made.listen("storage.domain", lambda **fields: told.append((fields["valid"], fields["code"])))
    return made


def watching(domain, bus):
    clock = Clock()
    return Monitors(domain, bus, clock, 10.0), clock


@pytest_twisted.ensureDeferred
async def test_a_domain_is_looked_at_once_per_interval(bus):
    domain = Watched()
    monitors, clock = watching(domain, bus)
    await monitors.watch([SD], 1)
    assert domain.looks == 1
    clock.advance(9.9)
    assert domain.looks == 1
    clock.advance(0.1)
    assert domain.looks == 2
    await monitors.watch([SD], 1)
    assert domain.looks == 2
    await monitors.watch([], 1)
    clock.advance(100)
    assert domain.looks == 2


@pytest_twisted.ensureDeferred
async def test_only_a_change_between_valid_and_invalid_is_told(bus, told):
    domain = Watched()
    monitors, clock = watching(domain, bus)
    await monitors.watch([SD], 1)
    clock.advance(10)
    domain.problem = NoSuchDomain(SD)
    clock.advance(10)
    clock.advance(10)
    domain.problem = None
    clock.advance(10)
    assert told == [(True, 0), (False, 358), (True, 0)]


@pytest.mark.parametrize(
    "problem, code", [(NoSuchDomain(SD), 358), (OSError(5, "I/O error"), 200), (HelperLost("m", "look"), 200)]
)
@pytest_twisted.ensureDeferred
async def test_errors_of_storage_keep_their_code_all_else_is_200(bus, problem, code):
    domain = Watched()
    domain.problem = problem
    monitors, _ = watching(domain, bus)
    await monitors.watch([SD], 1)
    entry = monitors.entries()[SD]
    assert (entry["code"], entry["valid"], entry["actual"], entry["version"]) == (code, False, True, -1)


@pytest_twisted.ensureDeferred
async def test_the_report_ages_between_checks(bus):
    monitors, clock = watching(Watched(), bus)
    await monitors.watch([SD], 1)
    clock.advance(1.55)
    assert monitors.entries()[SD] == {
        "code": 0,
        "lastCheck": "1.6",
        "delay": "0.25",
        "valid": True,
        "version": 5,
        "acquired": True,
        "actual": True,
    }


@pytest_twisted.ensureDeferred
async def test_the_host_id_is_tried_again_until_it_is_had_and_given_back_at_the_end(bus):
    domain = Watched()
    domain.lease.refuses = True
    monitors, clock = watching(domain, bus)
    await monitors.watch([SD], 7)
    assert monitors.entries()[SD]["acquired"] is False and monitors.entries()[SD]["valid"] is True
    domain.lease.refuses = False
    clock.advance(10)
    assert domain.lease.joined == 7 and monitors.entries()[SD]["acquired"] is True
    await monitors.watch([], 7)
    assert domain.lease.joined is None


@pytest_twisted.ensureDeferred
async def test_an_iso_domain_needs_no_host_id(bus):
    domain = Watched(Class.Iso)
    monitors, _ = watching(domain, bus)
    await monitors.watch([SD], 7)
    assert domain.lease.joined is None


@pytest_twisted.ensureDeferred
async def test_the_end_of_the_daemon_keeps_host_ids(bus):
    domain = Watched()
    monitors, _ = watching(domain, bus)
    await monitors.watch([SD], 7)
    await monitors.close(leave=False)
    assert domain.lease.joined == 7 and monitors.entries() == {}


@pytest_twisted.ensureDeferred
async def test_a_domain_watched_alone_is_left_to_who_asked(bus):
    monitors, _ = watching(Watched(), bus)
    monitors.watch_alone(SD, 7)
    await monitors.watch([], 1)
    assert list(monitors.entries()) == [SD]
    assert await monitors.unwatch_alone(SD) is True
    assert await monitors.unwatch_alone(SD) is True
    await monitors.watch([SD], 1)
    assert await monitors.unwatch_alone(SD) is False
    await monitors.close(leave=True)


@pytest_twisted.ensureDeferred
async def test_a_domain_watched_alone_that_a_pool_takes_up_is_watched_on_for_the_pool(bus):
    monitors, _ = watching(Watched(), bus)
    monitors.watch_alone(SD, 1)
    await monitors.watch([SD], 1)
    assert await monitors.unwatch_alone(SD) is False
    assert list(monitors.entries()) == [SD]
    await monitors.watch([], 1)
    assert not monitors.entries()
