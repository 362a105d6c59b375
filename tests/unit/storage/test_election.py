"""Hosts without an SPM elect one through the lease; only time, chance and the lease are made up."""

import fcntl
from random import Random

import pytest
from attrs import define, field
from contract.storage.light import begun
from contract.storage.room import POOL, uuid
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock, deferLater

from virgate.node.storage.errors import LeaseNotAcquired
from virgate.node.storage.pools.election import Election, Patience
from virgate.node.storage.pools.settings import SpmSettings

MASTER = uuid(2)


def test_a_host_contends_when_it_saw_no_spm_for_the_whole_time():
    patience = Patience(60, 10, 5, chance=lambda: 0.5)
    assert [patience.seen(True, now) for now in (0, 30, 62.9, 63, 64)] == [False, False, False, True, False]


def test_seeing_an_spm_once_starts_the_waiting_anew():
    patience = Patience(60, 0)
    sights = ((True, 0), (False, 59), (True, 61), (True, 120), (True, 121))
    assert [patience.seen(free, now) for free, now in sights] == [False, False, False, False, True]


def test_a_host_of_higher_priority_waits_less():
    def waits(priority):
        patience = Patience(0, 10, priority, chance=lambda: 1.0)
        return next(now for now in range(20) if patience.seen(True, now))

    assert waits(10) < waits(5) < waits(1)


# many hosts, one lease


@define
class Lease:
    holder: object = None
    terms: list[object] = field(factory=list)


@define(eq=False)
class Host:
    """Holds what it acquired until it dies; then the lease is free after a while, as by any lease manager."""

    lease: Lease
    clock: Clock
    takes: float
    alive: bool = True

    async def free(self):
        return self.alive and self.lease.holder is None

    async def contend(self):
        await deferLater(self.clock, self.takes)
        if self.lease.holder is not None:
            raise LeaseNotAcquired(MASTER, "another host was faster")
        self.lease.holder = self
        self.lease.terms.append(self)

    def die(self, election):
        self.alive = False
        election.stop()
        if self.lease.holder is self:
            self.clock.callLater(80, setattr, self.lease, "holder", None)


@given(
    st.lists(st.tuples(st.integers(1, 10), st.floats(0.1, 30)), min_size=1, max_size=8),
    st.integers(),
    st.lists(st.integers(0, 7), max_size=6),
)
def test_any_number_of_hosts_has_always_one_spm_in_the_end(hosts, seed, deaths):
    clock, lease, chance = Clock(), Lease(), Random(seed).random
    made = []
    for priority, takes in hosts:
        host = Host(lease, clock, takes)
        settings = SpmSettings(election_after=20.0, election_spread=5.0, priority=priority)
        made.append((host, Election(host, settings, clock, 10.0, chance)))
        made[-1][1].start()
    for death in [None, *deaths]:
        if death is not None and death < len(made) and sum(host.alive for host, _ in made) > 1:
            made[death][0].die(made[death][1])
        before = len(lease.terms)
        clock.pump([1.0] * 200)
        assert lease.holder is not None and lease.holder.alive
        assert len(lease.terms) <= before + 1
    for _, election in made:
        election.stop()


@pytest.mark.parametrize("settings", [SpmSettings(election_after=0.0), SpmSettings(priority=0)])
def test_a_host_that_is_not_to_contend_does_not_look(settings):
    clock = Clock()
    Election(Host(Lease(), clock, 1), settings, clock).start()
    assert clock.getDelayedCalls() == []


# a host in its pool


def role(light):
    return light.ask("getSpmStatus", POOL)["spm_st"]["spmStatus"]


def connected(light, **options):
    light.domain(1)
    light.ask("createStoragePool", 0, POOL, "dc1", MASTER, [MASTER], 1)
    begun(light.room.connect(**options))
    return light


def wait(light, seconds):
    light.clock.pump([1.0] * seconds)


@pytest.mark.parametrize("memory", [False, True], ids=["disk", "memory"])
def test_a_connected_host_becomes_spm_by_itself_after_a_minute(light, memory):
    connected(light, memory=memory)
    wait(light, 55)
    assert role(light) == "Free"
    wait(light, 30)
    assert role(light) == "SPM"
    light.volume(1)
    assert light.metadata()["POOL_SPM_ID"] == ("-1" if memory else "1")


def test_an_elected_host_undoes_what_the_last_spm_left(light):
    light.pool()
    light.steps.left, light.steps.hangs = 5, True
    begun(light.room.call("createVolume", MASTER, POOL, uuid(3), "4096", 5, 2, 2, uuid(4), ""))
    light.reopen()
    light.ask("connectStorageServer", 4, uuid(0), [{"id": "c", "connection": str(light.base / "dom1")}])
    begun(light.room.connect())
    wait(light, 90)
    assert role(light) == "SPM"
    assert [status["taskResult"] for status in light.room.tasks.statuses().values()] in (["cleanSuccess"], [])
    light.volume(1)


@pytest.mark.parametrize("verb", [("spmStop", POOL), ("fenceSpmStorage", POOL)])
def test_a_host_that_was_told_to_stop_is_no_candidate_until_it_is_told_to_start(light, verb):
    light.pool()
    light.ask(*verb)
    wait(light, 200)
    assert role(light) == "Free"
    light.start_spm()
    light.ask("spmStop", POOL)
    light.ask("disconnectStoragePool", POOL, 1, POOL)
    wait(light, 200)
    begun(light.room.connect())
    wait(light, 90)
    assert role(light) == "SPM"


def test_a_host_that_does_not_see_the_master_does_not_contend(light):
    connected(light)
    hidden = light.base / "hidden"
    light.folder(1).rename(hidden)
    wait(light, 200)
    hidden.rename(light.folder(1))
    wait(light, 12)
    assert role(light) == "Free"
    wait(light, 90)
    assert role(light) == "SPM"


def test_a_host_does_not_contend_while_another_has_the_lease(light):
    connected(light)
    with (light.folder(1) / "dom_md/ids").open() as ids:
        fcntl.flock(ids, fcntl.LOCK_EX)
        wait(light, 200)
        assert role(light) == "Free"
    wait(light, 90)
    assert role(light) == "SPM"
