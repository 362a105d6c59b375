"""What happens on a node, as clients are notified of it."""

from types import SimpleNamespace

import pytest
from twisted.internet.task import Clock

from virgate.api import notices
from virgate.api.notices import MOMENT, Notices
from virgate.events import EventBus


@pytest.fixture
def node():
    return SimpleNamespace(events=EventBus(), ready=True, machines={})


class Heard(list):
    def __init__(self, node):
        self.clock = Clock()
        self.notices = Notices(node, lambda *event: self.append(event), self.clock)


@pytest.fixture
def heard(node):
    return Heard(node)


def test_a_status_is_told_with_its_details_and_the_time_it_has(node, heard):
    node.events.tell("vm.status", vm="v1", details={"status": "Paused"}, notify_time=17)
    assert heard == [("|virt|VM_status|v1", {"v1": {"status": "Paused"}, "notify_time": 17})]


def test_a_status_that_was_told_is_not_told_again(node, heard):
    seen = [{"status": "Up"}, {"status": "Up"}, {"status": "Paused", "pauseCode": "EIO"}, {"status": "Paused"}]
    seen += [{"status": "Up"}, {"status": "Down", "exitCode": 0}, {"status": "WaitForLaunch"}]
    for time, details in enumerate(seen):
        node.events.tell("vm.status", vm="v1", details=details, notify_time=time)
    assert [event["v1"] for _, event in heard] == [seen[0], *seen[2:]]
    node.events.tell("vm.status", vm="v2", details={"status": "WaitForLaunch"}, notify_time=9)
    assert len(heard) == 7


def test_what_was_kept_back_before_the_node_was_ready_is_told_when_it_comes_again(node, heard):
    node.ready = False
    node.events.tell("vm.status", vm="v1", details={"status": "Up"}, notify_time=1)
    node.ready = True
    node.events.tell("vm.status", vm="v1", details={"status": "Up"}, notify_time=2)
    assert len(heard) == 1


def test_a_migration_is_told_with_downtime_only_where_it_is_known(node, heard):
    node.events.tell("vm.migration", vm="v1", progress=5, postcopy=False)
    node.events.tell("vm.migration", vm="v1", progress=99, downtime=50, postcopy=True)
    (first, one), (_, two) = heard
    assert first == "|virt|VM_migration_status|v1"
    assert one["v1"] == {"progress": 5, "postcopy": False}
    assert two["v1"] == {"progress": 99, "postcopy": True, "downtime": 50}
    assert isinstance(one["notify_time"], int)
    assert one["notify_time"] <= two["notify_time"]


def test_jobs_and_networks_are_told(node, heard):
    node.events.tell("job.status", id="j1", info={"id": "j1", "status": "running", "job_type": "storage"})
    node.events.tell("job.status", id="j2", status="done")
    node.events.tell("host.network")
    (job, said), (_, other), (net, params) = heard
    assert (job, said["status"], said["job_type"]) == ("|jobs|status|j1", "running", "storage")
    assert (other["id"], other["status"]) == ("j2", "done")
    assert net == "|net|host_conn|no_id"
    assert list(params) == ["notify_time"]


def test_nothing_is_told_before_the_node_is_ready(node, heard):
    node.ready = False
    node.events.tell("vm.status", vm="v1", details={}, notify_time=1)
    node.events.tell("host.network")
    assert heard == []


@pytest.fixture
def machine(node, monkeypatch):
    found = {"status": "Up", "hash": "7", "guestIPs": "192.0.2.1", "balloonInfo": {}, "cpuUser": "1.00"}
    monkeypatch.setattr(notices, "statistics", lambda machine: found)
    node.machines["v1"] = SimpleNamespace(vitals=SimpleNamespace(alive=True, now=99))
    return node.machines["v1"]


def test_a_swarm_of_changes_is_one_event_of_what_changed(node, heard, machine):
    for _ in range(50):
        node.events.tell("guest.info", vm="v1")
    node.events.tell("vm.devices", vm="v1")
    assert heard == []
    heard.clock.advance(MOMENT)
    details = {"status": "Up", "guestIPs": "192.0.2.1", "hash": "7"}
    assert heard == [("|virt|VM_status|v1", {"v1": details, "notify_time": 99})]
    node.events.tell("vm.balloon", vm="v1")
    heard.clock.advance(MOMENT)
    assert heard[-1][1]["v1"] == {"status": "Up", "balloonInfo": {}}


def test_of_a_machine_that_ended_meanwhile_nothing_more_is_told(node, heard, machine):
    node.events.tell("guest.info", vm="v1")
    node.events.tell("guest.info", vm="unknown")
    machine.vitals.alive = False
    heard.clock.advance(MOMENT)
    assert heard == []


def test_who_has_closed_hears_nothing_and_leaves_nothing(node, heard, machine):
    node.events.tell("guest.info", vm="v1")
    heard.notices.close()
    node.events.tell("vm.status", vm="v1", details={}, notify_time=1)
    assert heard == []
    assert not heard.clock.getDelayedCalls()
