"""The judge of leases, without any storage."""

from dataclasses import dataclass

import pytest
from attrs import evolve

from lab.watcher import History, dead_after, free_after
from virgate.node.storage.formats.sanlock import LOCKSPACE_MAGIC, LOCKSPACE_VERSION, Leader, fresh_leader

IO_TIMEOUT = 2


def host(number: int, generation: int, timestamp: int) -> Leader:
    return Leader(
        magic=LOCKSPACE_MAGIC,
        version=LOCKSPACE_VERSION,
        flags=0,
        sector_size=512,
        num_hosts=0,
        max_hosts=1,
        owner_id=number,
        owner_generation=generation,
        timestamp=timestamp,
        io_timeout=IO_TIMEOUT,
    )


def lease(owner: int, generation: int, timestamp: int) -> Leader:
    free = fresh_leader("space", "SDM", 512, 1 << 20)
    return evolve(free, owner_id=owner, owner_generation=generation, timestamp=timestamp)


@dataclass
class Story:
    history: History

    def held_by_one(self) -> "Story":
        self.history.host(1, host(1, 1, 10), 0.0)
        self.history.host(2, host(2, 1, 10), 0.0)
        self.history.lease("SDM", lease(1, 1, 10), 0.0)
        return self


@pytest.fixture
def story() -> Story:
    return Story(History()).held_by_one()


def test_a_lease_that_was_given_back_may_be_taken(story: Story) -> None:
    story.history.lease("SDM", lease(1, 1, 0), 1.0)
    story.history.lease("SDM", lease(2, 1, 11), 1.1)
    assert not story.history.wrong


def test_a_lease_of_a_host_that_lives_may_not_be_taken(story: Story) -> None:
    story.history.host(1, host(1, 1, 14), 4.0)
    story.history.lease("SDM", lease(2, 1, 11), 4.0 + dead_after(IO_TIMEOUT) - 2)
    assert "host 1 was silent for 74.0 s only" in story.history.wrong[0]


def test_a_lease_of_a_silent_host_may_be_taken_in_the_end(story: Story) -> None:
    story.history.lease("SDM", lease(2, 1, 90), dead_after(IO_TIMEOUT))
    assert not story.history.wrong


@pytest.mark.parametrize("now", [host(1, 1, 0), host(1, 2, 20)], ids=["left", "came again"])
def test_a_lease_of_a_host_that_left_may_be_taken(story: Story, now: Leader) -> None:
    story.history.host(1, now, 5.0)
    story.history.lease("SDM", lease(2, 1, 20), 5.1)
    assert not story.history.wrong


def test_the_same_host_may_not_take_its_lease_for_an_earlier_life(story: Story) -> None:
    story.history.lease("SDM", lease(1, 2, 20), 5.0)
    assert story.history.wrong


def test_who_held_what_is_told_once(story: Story) -> None:
    told: list[str] = []
    story = Story(History(told.append)).held_by_one()
    story.held_by_one()
    assert told == [
        "host 1 joined as , generation 1",
        "host 2 joined as , generation 1",
        "lease SDM: held by host 1, version 0",
    ]


def test_the_bounds_are_sanlock_s() -> None:
    assert (dead_after(10), dead_after(5), free_after(2)) == (140, 70, 90)
