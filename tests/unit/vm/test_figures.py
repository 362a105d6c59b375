"""What clients poll: the struct of one machine, of all machines, and the hook points around them."""

from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from virgate.hookspecs.errors import HookError
from virgate.libvirt.errors import HypervisorAway
from virgate.node.vm.errors import NoSuchMachine, StatsHookFailed
from virgate.node.vm.exits import Exit, Reason
from virgate.node.vm.figures import statistics
from virgate.node.vm.polling import all_statistics, one_statistics

ID = "11111111-1111-4111-8111-111111111111"
ALWAYS = {
    "vmId", "vmName", "vmType", "kvmEnable", "acpiEnable", "pid", "status", "statusTime", "elapsedTime",
    "monitorResponse", "timeOffset", "clientIp", "cpuUser", "cpuSys", "displayInfo", "hash", "memUsage", "username",
    "session", "guestIPs", "guestFQDN", "appsList", "guestCPUCount",
}  # fmt: skip


def strings_only_where_the_contract_says(members: dict[str, Any]) -> None:
    integers = {name for name, value in members.items() if isinstance(value, int)}
    assert integers <= {"guestCPUCount", "vcpuPeriod", "exitCode", "exitReason"}
    assert None not in members.values()


@pytest_twisted.ensureDeferred
async def test_a_machine_without_samples_has_every_mandatory_member(machine: Any) -> None:
    members = statistics(machine)
    assert members.keys() >= ALWAYS
    strings_only_where_the_contract_says(members)
    assert (members["cpuUser"], members["memUsage"], members["guestCPUCount"]) == ("0.00", "0", -1)


@pytest_twisted.ensureDeferred
async def test_a_machine_that_waits_for_its_launch_is_polled_too(host: Any, params: dict[str, Any]) -> None:
    gate = host.domains.hold["define"] = Deferred()
    waiting = await host.machines.create(params)
    members = statistics(waiting)
    assert (members["status"], members["pid"]) == ("WaitForLaunch", "0")
    host.domains.hold.clear()
    gate.callback(None)
    assert waiting.launch is None


@pytest_twisted.ensureDeferred
async def test_time_goes_on_between_samples(host: Any, machine: Any) -> None:
    before = statistics(machine)
    host.clock.advance(3)
    after = statistics(machine)
    assert int(after["statusTime"]) - int(before["statusTime"]) == 3000
    assert int(after["elapsedTime"]) - int(before["elapsedTime"]) == 3


@pytest_twisted.ensureDeferred
async def test_one_answer_can_be_changed_without_changing_the_next(machine: Any) -> None:
    statistics(machine)["hash"] = "spoiled"
    assert statistics(machine)["hash"] != "spoiled"


@pytest_twisted.ensureDeferred
async def test_samples_come_every_period_and_reach_the_struct(host: Any, machine: Any) -> None:
    host.domains.samples = {ID: {"cpu.time": 0, "cpu.user": 0, "cpu.system": 0}}
    host.clock.advance(15)
    host.domains.samples = {ID: {"cpu.time": 15_000_000_000, "cpu.user": 0, "cpu.system": 0}}
    host.clock.advance(15)
    assert statistics(machine)["cpuUser"] == "100.00"
    assert host.domains.names.count("statistics") == 2


@pytest_twisted.ensureDeferred
async def test_an_old_sample_means_the_monitor_does_not_answer(host: Any, machine: Any) -> None:
    host.domains.samples = {ID: {}}
    host.clock.advance(15)
    assert statistics(machine)["monitorResponse"] == "0"
    host.domains.fail["statistics"] = [HypervisorAway("u", "away")] * 9
    for _ in range(4):
        host.clock.advance(15)
    assert statistics(machine)["monitorResponse"] == "-1"
    machine.life.leave()
    assert statistics(machine)["monitorResponse"] == "0"


@pytest_twisted.ensureDeferred
async def test_a_machine_the_bulk_call_left_out_grows_stale_alone(host: Any, machine: Any) -> None:
    host.domains.samples = {ID: {}}
    host.clock.advance(15)
    host.domains.samples = {"another": {}}
    for _ in range(4):
        host.clock.advance(15)
    assert statistics(machine)["monitorResponse"] == "-1"


@pytest_twisted.ensureDeferred
async def test_down_has_the_exit_and_nothing_of_a_running_guest(machine: Any) -> None:
    machine.record.time_offset = -3600
    machine.record.clock_drift = 100
    machine.life.down(Exit.of(Reason.MIGRATED))
    members = statistics(machine)
    assert members.pop("statusTime").isdigit()
    assert members == {
        "vmId": ID,
        "status": "Down",
        "exitCode": 0,
        "exitReason": 4,
        "exitMessage": "Migration succeeded",
        "timeOffset": "-3500",
    }


@pytest_twisted.ensureDeferred
async def test_hooks_around_one_machines_statistics(host: Any, machine: Any) -> None:
    async def change(data: Any, **_: Any) -> None:
        data.value[0]["memUsage"] = "42"

    host.trace.act["after_get_vm_stats"] = change
    found = await one_statistics(host.machines, ID)
    assert found["memUsage"] == "42"
    assert host.trace.points == ["before_get_vm_stats", "after_get_vm_stats"]
    with pytest.raises(NoSuchMachine):
        await one_statistics(host.machines, "v1")
    assert len(host.trace.points) == 2


@pytest_twisted.ensureDeferred
async def test_a_hook_may_forbid_statistics_with_code_78_for_one_and_1500_for_all(host: Any, machine: Any) -> None:
    async def refuse(**_: Any) -> None:
        raise HookError("busy")

    host.trace.act["before_get_vm_stats"] = host.trace.act["before_get_all_vm_stats"] = refuse
    with pytest.raises(StatsHookFailed) as one:
        await one_statistics(host.machines, ID)
    assert (one.value.code, str(one.value)) == (78, "Hook error: Hook Error: busy")
    with pytest.raises(HookError) as every:
        await all_statistics(host.machines)
    assert every.value.code == 1500


@pytest_twisted.ensureDeferred
async def test_all_statistics_have_every_machine_and_fire_only_their_own_pair(
    host: Any, machine: Any, params: dict[str, Any]
) -> None:
    await host.run({**params, "vmId": "2" + ID[1:]})
    machine.life.down(Exit.of(Reason.USER))
    host.trace.points.clear()
    found = await all_statistics(host.machines)
    assert [one["status"] for one in found] == ["Down", "Powering up"]
    assert host.trace.points == ["before_get_all_vm_stats", "after_get_all_vm_stats"]


@pytest_twisted.ensureDeferred
async def test_a_guest_whose_qemu_does_not_answer_keeps_its_figures_and_grows_stale(host: Any, machine: Any) -> None:
    counted = {"block.count": 1, "block.0.name": "vda", "block.0.rd.reqs": 7}
    host.domains.samples = {ID: counted}
    host.clock.advance(15)
    host.clock.advance(15)
    host.domains.samples = {ID: {"block.count": 1, "block.0.name": "vda"}}
    for _ in range(4):
        host.clock.advance(15)
    members = statistics(machine)
    assert (members["disks"]["vda"]["readOps"], members["monitorResponse"]) == ("7", "-1")


@pytest_twisted.ensureDeferred
async def test_a_hypervisor_that_counts_no_processors_is_helped_out(host: Any, machine: Any) -> None:
    host.domains.samples = {ID: {"state.state": 1}}
    host.clock.advance(15)
    assert statistics(machine)["vcpuCount"] == "1"
