"""Reports of the machine the tests run on, and news of changes."""

import os
import select

import pytest
from doubles.guest_agent import Told
from guest.test_loop import loop  # noqa: F401 (a fixture)

from virgate_guest.reports import Reports
from virgate_guest.settings import Settings
from virgate_guest.watches import Watches

MEMBERS = {
    "host-name": {"name"},
    "fqdn": {"fqdn"},
    "os-version": {"version"},
    "network-interfaces": {"interfaces"},
    "active-user": {"name"},
    "applications": {"applications"},
    "containers": {"list"},
    "disks-usage": {"disks", "mapping"},
    "number-of-cpus": {"count"},
    "timezone": {"zone", "offset"},
    "os-info": {"type", "arch", "kernel", "distribution", "version", "codename"},
    "session-startup": set(),
}


@pytest.fixture
def reports():
    settings = Settings()
    settings.containers = False
    return Reports(Told(), settings)


@pytest.mark.parametrize("message", MEMBERS)
def test_a_report_has_the_members_that_hosts_know(reports, message):
    assert set(reports.of(message)) == MEMBERS[message]


def test_this_machine_has_processors_memory_and_this_agent(reports):
    assert reports.of("number-of-cpus")["count"] >= 1
    assert any(one.startswith("virgate-guest-") for one in reports.of("applications")["applications"])
    beat = reports.heartbeat(1.0)
    assert 0 < int(beat["free-ram"]) * 1024 < beat["memory-stat"]["mem_total"]


def test_what_is_read_twice_is_the_same_in_between(reports):
    for message in ("os-info", "timezone", "fqdn", "applications"):
        assert reports.of(message) == reports.of(message)


def test_a_storm_of_changes_is_one_wake_up_and_one_news(loop):  # noqa: F811
    told = []
    watches = Watches(loop, told.append)
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    watches._watch(ours, select.POLLIN, 0.05, lambda: os.read(ours, 65536), "network-interfaces")
    turns = 0
    while not told:
        os.write(theirs, b"change")
        loop.turn()
        turns += 1
    assert told == ["network-interfaces"]
    assert turns <= 2
    os.write(theirs, b"another")
    while len(told) < 2:
        loop.turn()
    loop.unwatch(ours)
    os.close(ours)
    os.close(theirs)


def test_the_kernels_news_can_be_watched(loop):  # noqa: F811
    watches = Watches(loop, lambda message: None)
    watches.start()
    rung = []
    loop.after(0.1, lambda: rung.append(True))
    turns = 0
    while not rung:
        loop.turn()
        turns += 1
    assert turns < 20, "no descriptor of the kernel is always ready"
