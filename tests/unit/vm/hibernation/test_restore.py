"""Waking up: the order of things, what wins, and that a failure leaves the memory where it was and nothing else."""

from typing import Any

import pytest
import pytest_twisted
from doubles.machines import ID, launched
from lxml import etree
from twisted.internet.defer import Deferred

from virgate.errors import VirgateError
from virgate.hookspecs.errors import HookError
from virgate.libvirt.errors import HypervisorFailed
from virgate.node.vm.hibernation import conf_file
from virgate.node.vm.hibernation.errors import BadHandle
from virgate.node.vm.hibernation.handle import Handle
from virgate.node.vm.hibernation.save import hibernate
from virgate.node.vm.life import Status

HANDLE = "d,p,i1,v1,i2,v2"


@pytest.fixture
def asleep(dormitory: Any, machine: Any) -> Any:
    """The host after its machine was saved and taken from the list."""
    hibernate(machine, Handle.parse(HANDLE))

    async def gone() -> Any:
        await dormitory.asleep(machine)
        await dormitory.host.machines.destroy(ID)
        for notes in (dormitory.host.trace.points, dormitory.host.domains.calls, dormitory.host.disks.calls):
            notes.clear()
        dormitory.host.told.clear()
        return dormitory

    return gone


@pytest_twisted.ensureDeferred
async def test_it_is_restored_paused_continued_and_up(asleep: Any, params: Any) -> None:
    host = (await asleep()).host
    machine = await host.machines.create({**params, "hiberVolHandle": HANDLE})
    await launched(machine)
    assert machine.vitals.status is Status.UP
    assert host.statuses == ["Restoring state", "Up"]
    assert host.domains.names == [
        "ask",
        "define",
        "ask",
        "xml",
        "resume",
        "xml",
        "on",
    ]  # one of a hook
    assert host.disks.calls == [("prepare", "vda"), ("prepare", ""), ("teardown", "")]
    assert host.guards.calls[-2:] == ["take", "started"]


@pytest_twisted.ensureDeferred
async def test_hooks_fire_in_the_order_of_the_contract(asleep: Any, params: Any) -> None:
    dormitory = await asleep()
    params["devices"][0]["custom"] = {"pinned": "yes"}
    kept = dormitory.kept
    kept["devices"][0]["custom"] = {"pinned": "yes"}
    dormitory.confs.volumes[Handle.parse(HANDLE).conf] = conf_file.write(kept)
    await dormitory.woken(params)
    points = dormitory.host.trace.points
    assert points[:5] == [
        "after_disk_prepare",
        "before_device_create",
        "before_vm_start",
        "before_vm_dehibernate",
        "before_vm_cont",
    ]
    assert sorted(points[5:]) == ["after_vm_cont", "after_vm_dehibernate"]  # one by an event, one at the end
    assert dormitory.host.trace.given["before_vm_dehibernate"]["from_snapshot"] is False
    assert list(dormitory.host.run_dir.iterdir()) == []


@pytest_twisted.ensureDeferred
async def test_what_scripts_make_of_the_documents_is_dropped(asleep: Any, params: Any) -> None:
    async def change(domain: Any, **_: Any) -> None:
        domain.text = domain.text.replace("<name>one</name>", "<name>two</name>")

    dormitory = await asleep()
    for point in ("before_vm_start", "before_vm_dehibernate"):
        dormitory.host.trace.act[point] = change
    await dormitory.woken(params)
    assert "<name>one</name>" in dormitory.host.domains.domains[ID].xml


@pytest_twisted.ensureDeferred
async def test_the_parameters_of_then_win_over_those_of_the_request(asleep: Any, params: Any) -> None:
    dormitory = await asleep()
    dormitory.confs.volumes[Handle.parse(HANDLE).conf] = conf_file.write(
        {**dormitory.kept, "vmId": "another", "smp": "2", "custom": {"a": "b"}, "elapsedTimeOffset": 77.5}
    )
    machine = await dormitory.woken({**params, "smp": "1", "pauseCode": "EIO"})
    assert machine.id == ID
    assert (machine.record.conf["smp"], machine.record.custom) == ("2", {"a": "b"})
    assert machine.record.started == machine.means.wall() - 77.5
    assert not {"hiberVolHandle", "elapsedTimeOffset"} & machine.record.conf.keys()


@pytest.mark.parametrize("content", [b"", b"\x80\x02cos\nabort\n)R.", conf_file.write({"elapsedTimeOffset": "never"})])
@pytest_twisted.ensureDeferred
async def test_without_readable_parameters_those_of_the_request_have_to_do(
    asleep: Any, params: Any, content: bytes
) -> None:
    dormitory = await asleep()
    dormitory.confs.volumes[Handle.parse(HANDLE).conf] = content
    machine = await dormitory.woken(params)
    assert machine.vitals.status is Status.UP
    assert machine.record.started == machine.means.wall()


@pytest_twisted.ensureDeferred
async def test_storage_that_does_not_give_the_parameters_does_not_keep_a_machine_asleep(
    asleep: Any, params: Any
) -> None:
    dormitory = await asleep()
    dormitory.confs.fail = VirgateError()
    assert (await dormitory.woken(params)).vitals.status is Status.UP


@pytest_twisted.ensureDeferred
async def test_a_bad_handle_is_refused_before_anything_is_listed(dormitory: Any, params: Any) -> None:
    with pytest.raises(BadHandle):
        await dormitory.host.machines.create({**params, "hiberVolHandle": "x"})
    assert len(dormitory.host.machines) == 0


@pytest_twisted.ensureDeferred
async def test_one_that_is_asked_for_paused_stays_paused(asleep: Any, params: Any) -> None:
    dormitory = await asleep()
    machine = await dormitory.woken({**params, "launchPaused": "true"})
    assert (machine.vitals.status, machine.vitals.pause_code) == (Status.PAUSED, "NOERR")
    await machine.cont()
    assert machine.vitals.status is Status.UP


def hook(point: str) -> Any:
    async def raises(**_: Any) -> None:
        raise HookError("boom")

    return lambda dormitory: dormitory.host.trace.act.update({point: raises})


def call(method: str, after: int = 0) -> Any:
    def arrange(dormitory: Any) -> None:
        dormitory.host.domains.fail[method] = [HypervisorFailed(1, "boom")]

    return arrange


def prepare(target: str) -> Any:
    class Boom(VirgateError):
        text = "boom"

    return lambda dormitory: dormitory.host.disks.fail.update({f"prepare {target}": Boom()})


FAILURES = {
    "disk": prepare("vda"),
    "device hook": hook("after_disk_prepare"),
    "hook of starts": hook("before_vm_start"),
    "memory": prepare(""),
    "saved document": call("ask"),
    "hook": hook("before_vm_dehibernate"),
    "define": call("define"),
    "document": call("xml"),
    "hook of cont": hook("before_vm_cont"),
    "resume": call("resume"),
}


@pytest.mark.parametrize("arrange", FAILURES.values(), ids=FAILURES)
@pytest_twisted.ensureDeferred
async def test_whatever_fails_it_is_down_with_the_prefix_nothing_is_left_and_it_can_be_woken_up_again(
    asleep: Any, params: Any, arrange: Any
) -> None:
    dormitory = await asleep()
    host = dormitory.host
    arrange(dormitory)
    machine = await dormitory.woken(params)
    assert machine.vitals.exit.code == 1
    assert machine.vitals.exit.message.startswith("Wake up from hibernation failed:")
    assert "boom" in machine.vitals.exit.message
    assert all(domain.state == "shutoff" for domain in host.domains.domains.values())
    for target in ("vda", ""):
        tried = 1 if f"prepare {target}" in host.disks.fail else 0
        assert host.disks.calls.count(("prepare", target)) - tried == host.disks.calls.count(("teardown", target))
    host.disks.fail.clear()
    host.trace.act.clear()
    if host.domains.domains:
        await host.machines.destroy(ID)
    else:
        host.machines.drop_dead(ID)
    assert (await dormitory.woken(params)).vitals.status is Status.UP


@pytest_twisted.ensureDeferred
async def test_after_it_went_on_nothing_makes_it_go_down(asleep: Any, params: Any) -> None:
    dormitory = await asleep()
    hook("after_vm_dehibernate")(dormitory)
    dormitory.host.domains.fail["on"] = [HypervisorFailed(86, "no agent")]
    assert (await dormitory.woken(params)).vitals.status is Status.UP


@pytest_twisted.ensureDeferred
async def test_destroy_in_the_middle_ends_it_before_it_goes_on(asleep: Any, params: Any) -> None:
    dormitory = await asleep()
    host = dormitory.host
    held = host.domains.hold["xml"] = Deferred()
    await host.machines.create({**params, "hiberVolHandle": HANDLE})
    destroyed = Deferred.fromCoroutine(host.machines.destroy(ID))
    del host.domains.hold["xml"]
    held.callback(None)
    await destroyed
    assert "resume" not in host.domains.names
    assert (len(host.machines), host.domains.domains) == (0, {})


@pytest_twisted.ensureDeferred
async def test_the_guest_is_told_the_time(asleep: Any, params: Any) -> None:
    dormitory = await asleep()
    dormitory.host.clock.advance(5.5)
    await dormitory.woken(params)
    assert dormitory.libvirt.told == [{"seconds": 1005, "nseconds": 500000000}]


@pytest_twisted.ensureDeferred
async def test_a_snapshot_s_memory_is_used_with_the_volumes_that_are_on_top_now(asleep: Any, params: Any) -> None:
    dormitory = await asleep()
    saved = dormitory.libvirt.files["/rhev/"].replace("/rhev/vda", "/rhev/old").replace("type='raw'", "type='qcow2'")
    dormitory.confs.volumes[Handle.parse(HANDLE).conf] = conf_file.write(
        {"restoreFromSnapshot": True, "_srcDomXML": saved, "elapsedTimeOffset": 3.0}
    )
    dormitory.libvirt.files.clear()
    machine = await dormitory.woken(params)
    assert machine.vitals.status is Status.UP
    root = etree.fromstring(dormitory.host.domains.domains[ID].xml.encode())
    assert root.find("devices/disk/source").get("file") == "/rhev/vda"
    assert root.find("devices/disk/driver").get("type") == "raw"
    for point in ("before_vm_dehibernate", "after_vm_dehibernate"):
        assert dormitory.host.trace.given[point]["from_snapshot"] is True
    assert not {"restoreFromSnapshot", "_srcDomXML"} & machine.record.conf.keys()
