"""Vectors A to K of spec migration; the names give their letters."""

from typing import Any

import pytest
import pytest_twisted
from attrs import evolve

from virgate.node.vm.exits import found_off
from virgate.node.vm.life import Status
from virgate.node.vm.migration import addresses, downtime, finding, limits, options, progress, timing
from virgate.node.vm.migration.addresses import Destination
from virgate.node.vm.migration.convergence import Action, Convergence, Schedule
from virgate.node.vm.migration.order import Order


def order(**params: Any) -> Order:
    return Order.read({"dst": "hostb", **params})


@pytest.mark.parametrize(
    ("most", "number", "values"),
    [
        (500, 5, [101, 104, 120, 189, 500]),
        (500, 10, [51, 51, 53, 57, 65, 79, 108, 165, 278, 499]),
        (300, 5, [61, 63, 75, 120, 300]),
        (10000, 5, [2001, 2009, 2089, 2845, 10000]),
        (1000, 8, [126, 127, 131, 143, 172, 251, 457, 999]),
        (500, 3, [167, 184, 500]),
        (250, 2, [126, 250]),
        (100, 1, [100]),
    ],
)
def test_a_downtime_steps(most: int, number: int, values: list[int]) -> None:
    found = downtime.steps(most, number)
    assert len(found) == len(values)
    assert all(abs(one - other) <= 1 for one, other in zip(found, values, strict=True))


def test_b_the_legacy_schedule() -> None:
    def set_to(value: int) -> dict[str, Any]:
        return {"params": [str(value)], "name": "setDowntime"}

    steps = [(1, 104), (2, 120), (3, 189), (4, 500), (42, 500)]
    assert downtime.schedule(500, 5) == {
        "init": [set_to(101)],
        "stalling": [
            *({"limit": limit, "action": set_to(value)} for limit, value in steps),
            {"limit": -1, "action": {"params": [], "name": "abort"}},
        ],
    }
    longer = downtime.schedule(1000, 5)
    assert longer["init"] == [set_to(201)]
    shown = [(entry["limit"], *entry["action"]["params"]) for entry in longer["stalling"]]
    wanted = [(1, 205), (2, 228), (3, 350), (4, 999), (42, 999)]
    assert [one[0] for one in shown] == [1, 2, 3, 4, 42, -1]
    assert all(abs(int(one[1]) - value) <= 1 for one, (_, value) in zip(shown, wanted, strict=False))


SCHEDULE = {
    "init": [{"name": "setDowntime", "params": ["100"]}],
    "stalling": [
        {"limit": 1, "action": {"name": "setDowntime", "params": ["150"]}},
        {"limit": 2, "action": {"name": "setDowntime", "params": ["200"]}},
        {"limit": -1, "action": {"name": "abort", "params": []}},
    ],
}


def run(schedule: dict[str, Any], iterations: list[int], *, switches: bool = False) -> dict[int, Action]:
    """What is done at which iteration."""
    convergence = Convergence(Schedule.read(schedule))
    done: dict[int, Action] = {}
    for iteration in iterations:
        if (action := convergence.sample(iteration)) is not None:
            done[iteration] = action
            convergence.ended = action.name == "postcopy" and switches
    return done


def test_c_a_schedule_is_done_step_by_step() -> None:
    assert Schedule.read(SCHEDULE).init == (Action("setDowntime", 100),)
    assert run(SCHEDULE, [5, 5, 6, 7, 8, 9]) == {
        7: Action("setDowntime", 150),
        8: Action("setDowntime", 200),
        9: Action("abort"),
    }


def test_c_one_action_in_one_sample() -> None:
    assert run(SCHEDULE, [1, 4]) == {4: Action("setDowntime", 150)}


def test_c_post_copy_ends_the_schedule_when_it_works() -> None:
    schedule = {
        "stalling": [
            {"limit": 1, "action": {"name": "postcopy", "params": []}},
            {"limit": -1, "action": {"name": "abort", "params": []}},
        ]
    }
    assert run(schedule, [1, 2, 3, 4], switches=True) == {3: Action("postcopy")}
    assert run(schedule, [1, 2, 3, 4]) == {3: Action("postcopy"), 4: Action("abort")}


def test_c_an_exhausted_schedule_is_no_failure() -> None:
    schedule = {"stalling": [{"limit": 0, "action": {"name": "setDowntime", "params": ["200"]}}]}
    assert run(schedule, [1, 2, 3]) == {2: Action("setDowntime", 200)}


@pytest.mark.parametrize(
    ("memory", "steps", "by_iterations", "by_time", "most"),
    [
        (512, 5, 10, 200, 32),
        (1024, 5, 20, 200, 64),
        (2048, 5, 40, 200, 128),
        (4096, 5, 60, 400, 256),
        (16384, 5, 60, 1600, 1024),
        (1024, 10, 10, 200, 64),
    ],
)
def test_d_waits_of_old_hosts(memory: int, steps: int, by_iterations: int, by_time: int, most: int) -> None:
    assert timing.step_wait(memory, steps) == by_iterations
    assert timing.step_wait(memory, steps, by_iterations=False) == by_time
    assert timing.most_time(memory) == most


def test_d_the_longest_time_of_an_odd_memory() -> None:
    assert timing.most_time(1000) == 63


def test_d_old_hosts_step_when_more_is_left_than_before() -> None:
    patience = timing.Patience(16384)
    assert [patience.sample(at, left) for at, left in ((10, 1000), (20, 700), (30, 400))] == [None] * 3
    assert not patience.stepping
    assert patience.sample(40, 600) is None and patience.stepping


def test_d_old_hosts_give_up_without_progress() -> None:
    patience = timing.Patience(16384)
    samples = [(10, 1000)] + [(at, 500) for at in range(20, 300, 10)]
    assert next(at for at, left in samples if patience.sample(at, left)) == 270


def test_d_old_hosts_give_up_what_takes_too_long() -> None:
    patience, seen = timing.Patience(1024), progress.Progress()
    for at in range(10, 80, 10):
        left = 1000 - at // 10 * 8 if at != 60 else 950
        ended = patience.sample(at, left)
        if at == 60:
            seen.take({"data_remaining": 950, "data_total": 1000})
        if ended:
            break
    assert (at, seen.percent) == (70, 5)


@pytest.mark.parametrize(
    ("params", "cluster", "value"),
    [
        ({}, "", 3),
        ({}, "4.2", 11),
        ({"tunneled": "true"}, "", 7),
        ({"abortOnError": "true"}, "", 4099),
        ({"compressed": "false"}, "", 3),
        ({"autoConverge": "true"}, "", 8195),
        ({"encrypted": True, "parallel": 4}, "4.5", 196619),
        ({"parallel": 0}, "4.5", 11),
        ({"abortOnError": True, "autoConverge": True, "postcopy": True}, "4.5", 45067),
        ({"parallel": 2, "zerocopy": True}, "4.7", 1179659),
    ],
)
def test_e_flags(params: dict[str, Any], cluster: str, value: int) -> None:
    postcopy = bool(params.pop("postcopy", False))
    assert options.flags(order(**params), options.version(cluster), postcopy=postcopy) == value


def test_f_parameters() -> None:
    plain = options.parameters(order(dstqemu="10.0.0.2"), 52, "<domain/>")
    assert plain == {"bandwidth": 52, "migrate_uri": "tcp://10.0.0.2", "destination_xml": "<domain/>"}
    tunneled = options.parameters(order(tunneled=True, maxBandwidth=100), 52, "")
    assert tunneled["bandwidth"] == 100 and "migrate_uri" not in tunneled
    assert options.parameters(order(maxBandwidth=0), 52, "")["bandwidth"] == 52
    asked = order(consoleAddress="con.example", encrypted=True, parallel=4)
    asked = evolve(asked, destination=Destination("hostb.example"))
    more = options.parameters(asked, 52, "", frozenset({"spice", "vnc"}))
    assert more["graphics_uri"] == "spice://con.example"
    assert (more["tls.destination"], more["parallel.connections"]) == ("hostb.example", 4)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("hostb", "hostb:54321"),
        ("hostb:54322", "hostb:54322"),
        ("[fd00::1]", "[fd00::1]:54321"),
        ("[fd00::1]:54322", "[fd00::1]:54322"),
    ],
)
def test_f_destinations(given: str, told: str) -> None:
    assert str(Destination.read(given)) == told


@pytest.mark.parametrize(("given", "shown"), [("fd00::1", "[fd00::1]"), ("[fd00::1]",) * 2, ("10.1.1.1",) * 2])
def test_f_literals(given: str, shown: str) -> None:
    assert addresses.literal(given) == shown


@pytest.mark.parametrize(
    ("remaining", "total", "percent"),
    [
        (1000, 1000, 0),
        (999, 1000, 1),
        (995, 1000, 1),
        (500, 1000, 50),
        (333, 1000, 67),
        (5, 1000, 99),
        (1, 1000, 99),
        (0, 1000, 100),
        (0, 0, 0),
    ],
)
def test_g_progress(remaining: int, total: int, percent: int) -> None:
    assert progress.percent(remaining, total) == percent


@pytest.mark.parametrize(
    ("job", "leaves"),
    [
        ({}, False),
        ({"type": 0, "operation": 5}, False),
        ({"type": 1, "operation": 5}, True),
        ({"type": 2, "operation": 5}, True),
        ({"type": 1, "operation": 2}, False),
    ],
)
def test_g_which_job_is_a_move(job: dict[str, int], leaves: bool) -> None:
    assert progress.is_outgoing(job) is leaves


def test_h_semaphore() -> None:
    slots = limits.Slots(2)
    assert [slots.try_take() for _ in range(3)] == [True, True, False]
    slots.resize(3)
    assert slots.try_take()
    slots.resize(1)
    slots.give_back()
    slots.give_back()
    assert not slots.try_take()
    slots.give_back()
    assert slots.try_take()
    slots.give_back()
    with pytest.raises(ValueError, match="more places"):
        slots.give_back()


@pytest.mark.parametrize(
    ("machines", "mapped", "seconds"),
    [(0, 0, 30), (1, 0, 36), (5, 0, 60), (5, 3, 66), (95, 0, 600), (200, 10, 600)],
)
def test_j_how_long_a_source_waits(machines: int, mapped: int, seconds: float) -> None:
    assert limits.preparation_time(machines, mapped, 30.0, 2.0, 600.0) == seconds


@pytest.mark.parametrize(("machines", "seconds"), [(0, 60), (1, 63), (10, 90), (20, 120)])
def test_j_how_long_a_change_may_take(machines: int, seconds: float) -> None:
    assert limits.lock_time(machines) == seconds


OUT = {"type": 2, "operation": 5}


@pytest.mark.parametrize(
    ("state", "reason", "job", "found"),
    [
        ("running", "booted", OUT, "LEAVING"),
        ("running", "postcopy", {}, "ARRIVING"),
        ("running", "booted", {}, "NOTHING"),
        ("paused", "postcopy", OUT, "LEFT_BEHIND"),
        ("paused", "migration", OUT, "LEAVING"),
        ("paused", "migration", {}, "ARRIVING"),
        ("paused", "postcopy_failed", {}, "TORN"),
        ("paused", "user", {}, "NOTHING"),
    ],
)
def test_k_what_recovery_makes_of_a_running_domain(state: str, reason: str, job: dict[str, int], found: str) -> None:
    assert finding.meaning(state, reason, job).name == found


@pytest.mark.parametrize(
    ("reason", "ended"),
    [
        ("shutdown", (0, 7)),
        ("destroyed", (0, 6)),
        ("migrated", (0, 4)),
        ("saved", (0, 5)),
        ("failed", (1, 3)),
        ("crashed", (1, 1)),
    ],
)
def test_k_what_recovery_makes_of_one_that_is_off(reason: str, ended: tuple[int, int]) -> None:
    exit = found_off(reason)
    assert (exit.code, exit.reason) == ended


class Under:
    """A move or a save, as far as the status is concerned."""

    def __init__(self, becomes: Status) -> None:
        self.becomes = becomes


@pytest_twisted.ensureDeferred
async def test_k_statuses(host: Any, params: dict[str, Any]) -> None:
    machine = await host.running(params)
    assert machine.status is Status.POWERING_UP
    host.clock.advance(61)
    assert machine.status is Status.UP
    for becomes in (Status.LEAVING, Status.SAVING):
        machine.departure = Under(becomes)
        assert machine.status is becomes
    machine.departure = None
    machine.guest_does(Status.POWERING_DOWN)
    host.clock.advance(200)
    assert machine.status is Status.POWERING_DOWN
    host.clock.advance(101)
    assert machine.status is Status.UP
    machine.life.leave()
    machine.life.halted("POSTCOPY")
    assert machine.status is Status.PAUSED


@pytest.mark.parametrize(("code", "allowed"), [("EIO", True), ("ENOSPC", True), ("", False), ("NOERR", False)], ids=str)
@pytest_twisted.ensureDeferred
async def test_k_who_may_go_on_while_leaving(host: Any, call: Any, params: Any, code: str, allowed: bool) -> None:
    machine = await host.running(params)
    machine.life.leave()
    if code:
        machine.life.halted(code)
    assert (await call("cont", machine.id))["status"]["code"] == (0 if allowed else 16)
