"""What a pool lives through beside its own verbs: other hosts, leases that go, masters that cannot be reached."""

import pytest
from contract.storage.light import begun, now
from contract.storage.room import BLANK, POOL, uuid
from twisted.internet.defer import Deferred

from virgate.node.storage.errors import LeaseNotReleased

MASTER, SECOND = uuid(2), uuid(2, 2)


def domain(light, id=MASTER):
    return now(light.room.storage.domains.find(id))


def role(light):
    return light.ask("getSpmStatus", POOL)["spm_st"]["spmStatus"]


@pytest.fixture
def roles(light):
    told = []
    light.room.events.listen("storage.spm", lambda pool, role, reason: told.append(role))
    return told


# the role


def test_each_change_of_the_role_is_told(light, roles):
    light.pool()
    light.ask("spmStop", POOL)
    assert roles == ["Contend", "SPM", "Free"]


class Service:
    def __init__(self, said, name, broken=False):
        self.said, self.name, self.broken = said, name, broken

    async def start(self, pool, master):
        self.said.append(f"{self.name} starts on {master.id[-1]}")
        if self.broken:
            raise OSError(5, "broken")

    async def stop(self):
        self.said.append(f"{self.name} stops")
        if self.broken:
            raise OSError(5, "broken")


def test_services_run_as_long_as_the_role(light, roles):
    light.room.storage.pools.services[:] = [Service(roles, "a"), Service(roles, "b")]
    light.pool()
    light.ask("spmStop", POOL)
    assert roles == ["Contend", "a starts on 1", "b starts on 1", "SPM", "Free", "b stops", "a stops"]


def test_a_service_that_does_not_start_ends_the_start_and_everything_is_given_back(light, roles):
    light.room.storage.pools.services[:] = [Service(roles, "a"), Service(roles, "b", broken=True)]
    with pytest.raises(AssertionError):
        light.pool()
    assert roles == ["Contend", "a starts on 1", "b starts on 1", "Free", "b stops", "a stops"]
    assert (domain(light).lease.held, light.metadata()["POOL_SPM_ID"]) == (False, "-1")


START = ("spmStart", POOL, -1, "-1", 0, "false")


@pytest.mark.parametrize("wanted, code", [(0, 1000), (2001, 1000), (-1, 1000), ("many", 1000), (1, 0), ("2000", 0)])
def test_the_number_of_mailboxes_is_one_that_a_pool_can_have(light, wanted, code):
    light.pool()
    light.ask("spmStop", POOL)
    assert light.code(*START, wanted) == code
    assert role(light) == ("Free" if code else "SPM")
    if not code:
        assert light.room.storage.pools.find(POOL).spm.hosts == int(wanted)


@pytest.mark.parametrize("alignment, most", [(1, 250), (2, 500), (4, 1000), (8, 2000)])
def test_leases_of_the_master_have_room_for_as_many_hosts(light, alignment, most):
    """Spec storage-format 3.5."""
    light.pool()
    now(domain(light).change({"BLOCK_SIZE": 4096, "ALIGNMENT": alignment << 20}))
    light.ask("spmStop", POOL)
    if most < 2000:
        status = now(light.room.call(*START, most + 1))["status"]
        assert (status["code"], "have room for" in status["message"]) == (1000, True)
        assert (role(light), domain(light).lease.held) == ("Free", False)
    now(light.room.done(*START, most))
    assert light.room.storage.pools.find(POOL).spm.hosts == most


def test_whoever_says_no_number_of_mailboxes_gets_that_of_the_settings(light):
    light.pool()
    assert light.room.storage.pools.find(POOL).spm.hosts == 250
    light.ask("spmStop", POOL)
    now(light.room.done(*START))
    assert light.room.storage.pools.find(POOL).spm.hosts is None


def test_tasks_that_nobody_cleared_are_there_again_after_the_next_start(light):
    light.pool()
    task = light.ask("createVolume", MASTER, POOL, uuid(3), "4096", 5, 2, 2, uuid(4), "", BLANK, BLANK)["uuid"]
    light.ask("spmStop", POOL)
    assert light.code("getTaskStatus", task) == 401
    light.start_spm()
    assert light.ask("getAllTasksStatuses")["allTasksStatus"][task]["taskResult"] == "success"
    light.ask("clearTask", task)


def test_the_journal_follows_a_master_that_moves(light):
    light.pool(domains=2)
    task = light.ask("createVolume", SECOND, POOL, uuid(3), "4096", 5, 2, 2, uuid(4), "", BLANK, BLANK)["uuid"]
    light.ask("deactivateStorageDomain", MASTER, POOL, SECOND, 2)
    assert (light.folder(2) / "master/tasks" / task).is_dir()
    light.ask("clearTask", task)
    assert not (light.folder(2) / "master/tasks" / task).exists()
    other = light.ask("createVolume", SECOND, POOL, uuid(3, 2), "4096", 5, 2, 2, uuid(4, 2), "", BLANK, BLANK)["uuid"]
    assert (light.folder(2) / "master/tasks" / other).is_dir()
    assert list((light.folder(1) / "master/tasks").iterdir()) == []


# what cannot be given back


def test_a_master_that_cannot_be_unmounted_keeps_its_lease_until_it_can_and_the_host_from_starting(light, monkeypatch):
    light.pool()
    master = domain(light)

    async def busy():
        raise OSError(16, "target is busy")

    monkeypatch.setattr(master, "unmount_master", busy)
    assert light.code("spmStop", POOL) != 0
    assert (role(light), master.lease.held) == ("Free", True)
    assert light.task("spmStart", POOL, -1, "-1", 0, "false", 250)["taskResult"] == "cleanSuccess"
    assert role(light) == "Free"
    light.clock.advance(10)
    assert master.lease.held
    monkeypatch.undo()
    light.clock.advance(10)
    assert (master.lease.held, light.metadata()["POOL_SPM_ID"]) == (False, "-1")
    light.start_spm()


def test_a_lease_that_cannot_be_released_is_released_later(light, monkeypatch):
    light.pool()
    lease = domain(light).lease

    async def refuses():
        raise LeaseNotReleased(MASTER, "storage does not answer")

    monkeypatch.setattr(lease, "release", refuses)
    assert light.code("spmStop", POOL) == 660
    monkeypatch.undo()
    light.clock.advance(10)
    assert not lease.held
    light.start_spm()


# other hosts, and storage that is away


@pytest.mark.parametrize("looked", [True, False], ids=["seen by the monitor", "seen when it is read"])
def test_a_domain_that_another_host_brought_to_a_newer_version_is_written_so(light, looked):
    light.pool(version="4")
    found = domain(light)
    path = light.folder(1) / "dom_md" / "metadata"
    record = found.record.changed({"VERSION": 5, "BLOCK_SIZE": 512, "ALIGNMENT": 1 << 20})
    path.write_bytes(record.encoded())
    if looked:
        light.clock.advance(10)
    else:
        now(found.refresh())
    assert found.images.version == 5


def test_the_status_of_a_pool_whose_master_cannot_be_read_is_355(light):
    light.pool()
    (light.folder(1) / "dom_md" / "metadata").unlink()
    assert light.code("getSpmStatus", POOL) == 355


def test_a_fence_takes_the_role_from_this_host_though_it_cannot_be_written(light):
    light.pool()
    (light.folder(1) / "dom_md" / "metadata").unlink()
    assert light.code("fenceSpmStorage", POOL) != 0
    assert light.code("setStoragePoolDescription", POOL, "x") == 654
    assert not light.room.storage.domains.known()[MASTER].lease.held


def test_a_host_leaves_a_pool_though_a_domain_keeps_its_host_id(light, monkeypatch):
    light.pool(domains=2)
    light.ask("spmStop", POOL)

    async def never():
        await Deferred()

    monkeypatch.setattr(domain(light, SECOND).lease, "leave", never)
    came = begun(light.room.call("disconnectStoragePool", POOL, 1, POOL))
    assert came == []
    light.clock.advance(20)
    assert came[0]["status"]["code"] == 0
    assert light.ask("getConnectedStoragePoolsList")["poollist"] == []
