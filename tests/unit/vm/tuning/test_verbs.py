"""What the verbs about limits do to a machine, and what its statistics tell of it."""

from typing import Any

import pytest
import pytest_twisted
from doubles.machines import ID
from unit.vm.plugging.conftest import VOLUME

from virgate.domxml import metadata
from virgate.domxml.errors import MissingParameter
from virgate.libvirt.errors import HypervisorFailed
from virgate.node.vm.errors import Moving
from virgate.node.vm.figures import statistics
from virgate.node.vm.plugging import disk
from virgate.node.vm.tuning import balloon, disks, overview, policy, processors
from virgate.node.vm.tuning.errors import (
    BalloonUnavailable,
    CpuTuneUnavailable,
    IoTuneNotUpdated,
    PolicyNotUpdated,
)

REFUSED = HypervisorFailed(1, "no")


@pytest_twisted.async_yield_fixture
async def image(machine: Any, domain: Any) -> Any:
    await disk.plug(machine, {"drive": {"type": "disk", "device": "disk", "iface": "virtio", **VOLUME}})
    domain.calls.clear()
    yield machine


@pytest_twisted.ensureDeferred
async def test_limits_are_merged_set_and_told(image: Any, domain: Any) -> None:
    await disks.set_limits(image, [{"name": "vdb", "ioTune": {"total_bytes_sec": "5", "read_iops_sec": 0}}])
    assert domain.limits["vdb"]["total_bytes_sec"] == 5 and len(domain.limits["vdb"]) == 6
    await disks.set_limits(image, [{"path": "/rhev/vdb", "ioTune": {"read_iops_sec": 7}}])
    (told,) = await disks.limits(image)
    assert (told["name"], told["path"]) == ("vdb", "/rhev/vdb")
    assert told["ioTune"] == domain.limits["vdb"] and "group_name" not in told["ioTune"]
    (shown,) = statistics(image)["ioTune"]
    assert shown == {"name": "vdb", "path": "/rhev/vdb", "ioTune": {"total_bytes_sec": "5", "read_iops_sec": "7"}}


@pytest.mark.parametrize(
    "wanted",
    [
        [{"name": "vdq", "ioTune": {}}],
        [{"ioTune": {"total_bytes_sec": 1}}],
        ["vdb"],
        [{"name": "vdb", "ioTune": {"total_bytes_sec": 1}}, {"name": "vdb", "ioTune": {"total_bytes_sec": -1}}],
    ],
)
@pytest_twisted.ensureDeferred
async def test_one_wrong_limit_and_no_disk_is_changed(image: Any, domain: Any, wanted: list[Any]) -> None:
    with pytest.raises(IoTuneNotUpdated) as problem:
        await disks.set_limits(image, wanted)
    assert problem.value.code == 64 and "set limits" not in domain.names


@pytest_twisted.ensureDeferred
async def test_refused_limits_are_not_told(image: Any, domain: Any) -> None:
    domain.fail["set limits"] = REFUSED
    with pytest.raises(IoTuneNotUpdated):
        await disks.set_limits(image, [{"name": "vdb", "ioTune": {"total_bytes_sec": 1}}])
    assert "ioTune" not in statistics(image)


@pytest_twisted.ensureDeferred
async def test_a_policy_is_kept_shown_and_merged(host: Any, image: Any, domain: Any) -> None:
    await policy.update(image, {"vmId": ID, "vcpuLimit": 50, "ioTune": [{**VOLUME, "maximum": {"read_iops_sec": 1}}]})
    assert statistics(image)["vcpuUserLimit"] == 50
    await policy.update(image, {"ioTune": [{"name": "vdb", "maximum": {"read_iops_sec": -1}}]})
    told = await policy.io_policy(image)
    assert told == [{"name": "vdb", "path": "/rhev/vdb", "maximum": {}, "guaranteed": {}}]
    assert statistics(image)["vcpuUserLimit"] == 50
    await policy.update(image, {"vcpuLimit": ""})
    assert "vcpuUserLimit" not in statistics(image)
    assert set(domain.names) == {"metadata"}, "nothing is limited by a policy alone"


@pytest.mark.parametrize("wanted", [{"vcpuLimit": "half"}, {"ioTune": "all"}, {"ioTune": [{"imageID": "other"}]}])
@pytest_twisted.ensureDeferred
async def test_a_wrong_policy_is_refused(image: Any, domain: Any, wanted: dict[str, Any]) -> None:
    with pytest.raises(PolicyNotUpdated) as problem:
        await policy.update(image, wanted)
    assert problem.value.code == 63 and domain.names == []


@pytest_twisted.ensureDeferred
async def test_a_policy_of_nothing_is_missing_and_unknown_members_are_passed_over(image: Any, domain: Any) -> None:
    with pytest.raises(MissingParameter):
        await policy.update(image, {"vmId": ID})
    await policy.update(image, {"vmId": ID, "colour": "red"})
    image.life.leave()
    with pytest.raises(Moving):
        await policy.update(image, {"vmId": ID, "vcpuLimit": "1"})


@pytest_twisted.ensureDeferred
async def test_quota_and_period_are_told(machine: Any, domain: Any) -> None:
    await processors.set_quota(machine, "20000")
    await processors.set_period(machine, 50000)
    shown = statistics(machine)
    assert (shown["vcpuQuota"], shown["vcpuPeriod"]) == ("20000", 50000)
    domain.fail["schedule"] = REFUSED
    for wanted in (1, "soon"):
        with pytest.raises(CpuTuneUnavailable) as problem:
            await processors.set_quota(machine, wanted)
        assert problem.value.code == 62


@pytest_twisted.ensureDeferred
async def test_the_target_of_a_balloon_is_set_kept_and_told(host: Any, machine: Any, domain: Any) -> None:
    await balloon.set_target(machine, "40000")
    assert domain.calls[0] == ("memory", 40000)
    vm = metadata.vm_element(domain.root)
    assert vm is not None and vm.findtext(f"{{{metadata.VM}}}balloonTarget") == "40000"
    host.domains.samples[ID] = {"balloon.current": 65536, "balloon.maximum": 65536}
    await host.machines.sampler.sample()
    assert statistics(machine)["balloonInfo"]["balloon_target"] == "40000"
    domain.calls.clear()
    await balloon.set_target(machine, 40000)
    assert domain.names == ["memory"], "what is kept is not written again"
    again = host.again()
    await again.start()
    found = again.find(ID)
    found.figures.take(machine.figures._now)
    assert statistics(found)["balloonInfo"]["balloon_target"] == "40000"
    await again.stop()


@pytest_twisted.ensureDeferred
async def test_a_machine_without_a_balloon_is_left_alone(machine: Any, domain: Any) -> None:
    found = next(one for one in machine.record.conf["devices"] if one["type"] == "balloon")
    found["specParams"] = {"model": "none"}
    await balloon.set_target(machine, 40000)
    assert domain.names == []


@pytest_twisted.ensureDeferred
async def test_a_refused_balloon_is_told(machine: Any, domain: Any) -> None:
    domain.fail["memory"] = REFUSED
    for wanted in (40000, "much"):
        with pytest.raises(BalloonUnavailable) as problem:
            await balloon.set_target(machine, wanted)
        assert problem.value.code == 53


@pytest_twisted.ensureDeferred
async def test_the_overview_tells_all_without_asking_the_hypervisor(host: Any, image: Any, domain: Any) -> None:
    await disks.set_limits(image, [{"name": "vdb", "ioTune": {"total_bytes_sec": 5}}])
    await policy.update(image, {"ioTune": [{"name": "vdb", "maximum": {"total_iops_sec": 9}}]})
    domain.calls.clear()
    host.domains.calls.clear()
    found = await overview.policies(host.machines)
    assert host.domains.calls == [] and domain.calls == []
    assert found[ID]["policy"] == await policy.io_policy(image)
    assert found[ID]["current_values"] == await disks.limits(image)
    assert (await overview.policies(host.machines))[ID] is found[ID]
