"""What hangs or is away hurts only itself: a QEMU that is stopped, a libvirtd that is gone, a full run folder."""

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from real.whole.house import SHELL

DISK = {"type": "disk", "device": "disk", "iface": "virtio", "format": "raw"}

PAYLOAD = {"type": "disk", "device": "cdrom", "iface": "ide", "specParams": {"vmPayload": {"file": {"secret": "eA=="}}}}


@pytest.fixture
def frozen(own):
    """A house with two machines; the QEMU of the first does not move."""
    own.start("--set=machines.stale_after=1.5")
    hung, well = own.up(), own.up()
    own.until(lambda: "cpuUsage" in own.stats(hung) and "cpuUsage" in own.stats(well), "they were sampled")
    pid = own.qemu(hung)
    os.kill(pid, signal.SIGSTOP)
    yield own, hung, well
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        pass


def test_a_qemu_that_hangs_is_told_and_the_others_are_watched_on(frozen):
    house, hung, well = frozen
    house.until(lambda: house.stats(hung)["monitorResponse"] == "-1", "it does not answer")
    before = house.stats(well)
    assert before["monitorResponse"] == "0"
    house.until(lambda: int(house.stats(well)["cpuUsage"]) > int(before["cpuUsage"]), "the other one is sampled")
    house.goes_on()
    house.ask("pause", well)
    house.ask("cont", well)
    house.up()


def test_many_calls_about_a_qemu_that_hangs_hold_up_nobody_else(frozen):
    house, hung, well = frozen
    with ThreadPoolExecutor(12) as threads:
        asked = [threads.submit(house.beside().call, "pause", hung) for _ in range(12)]
        house.until(lambda: house.stats(hung)["monitorResponse"] == "-1", "it does not answer")
        started = time.monotonic()
        house.ask("pause", well)
        house.ask("cont", well)
        house.up()
        assert time.monotonic() - started < 10
        assert not any(one.done() for one in asked)
        os.kill(house.qemu(hung), signal.SIGCONT)
        assert {one.result()["status"]["code"] for one in asked} <= {0, 16}


def test_a_qemu_that_hangs_does_not_keep_a_daemon_from_starting(frozen):
    house, hung, well = frozen
    house.kill()
    started = time.monotonic()
    house.start("--set=machines.stale_after=1.5")
    assert time.monotonic() - started < 10
    assert house.full(hung)["status"] == "Up"
    house.until(lambda: "cpuUsage" in house.stats(well), "the other one is sampled")
    house.ask("pause", well)


def test_without_libvirtd_machines_cannot_start_or_end_and_can_again_afterwards(house):
    vm = house.up()
    house.libvirtd.stop_daemon()
    try:
        house.until(lambda: house.code("pause", vm) == 16, "it notices")
        stats = house.failed(refused := house.create(devices=[{**DISK, **house.make_volume()}]))
        assert "libvirt" in stats["exitMessage"]
        assert house.prepared() == []
        assert house.code("destroy", vm) in (16, 42)
        assert house.code("reset", vm) in (16, 90)
        assert house.stats(vm)["status"] == "Powering down"
    finally:
        house.libvirtd.start(keep_guests=True)
        house.until(lambda: house.code("destroy", refused) == 0, "it is connected again")
    house.ask("destroy", vm)
    assert not {vm, refused} & set(house.defined())


def test_a_script_that_leaves_something_running_holds_up_nobody(house):
    house.script("before_vm_start", f"{SHELL}sleep 600 &\nexit 0\n")
    started = time.monotonic()
    house.up()
    assert time.monotonic() - started < 10


def test_a_full_run_folder_is_the_exit_reason_and_nothing_is_left(own):
    run = own.home / "run"
    run.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", run], check=True)
    try:
        own.start()
        filler = run / "filler"
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError):
            while True:
                file.write(bytes(4096))
        vm = own.create()
        assert "No space left on device" in own.failed(vm)["exitMessage"]
        own.ask("destroy", vm)
        assert own.left_behind(vm) == []
        filler.unlink()
        own.up()
    finally:
        own.close()
        subprocess.run(["umount", "--lazy", run], check=True)


def test_kill_9_at_any_moment_of_a_start_leaves_a_machine_that_can_be_destroyed_or_none(own):
    own.start()
    own.make_pool()
    disk = own.make_volume()
    own.unplug(first := own.up())  # a fresh libvirtd takes a second for its first machine
    own.ask("destroy", first)
    for delay in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4):
        vm = own.create(devices=[{**DISK, **disk}, PAYLOAD], custom={"a": "b"}, launchPaused=True)
        time.sleep(delay)  # an arbitrary moment is what is tested
        own.kill()
        own.start()
        own.rejoin()
        found = [one["vmId"] for one in own.ask("list")["vmList"]]
        assert found in ([], [vm])
        assert found or own.left_behind(vm) == [], delay
        if found:
            assert own.full(vm)["custom"] == {"a": "b"}
            own.ask("destroy", vm)
        assert vm not in own.defined()
        assert own.left_behind(vm) == [], delay
    own.done("deleteImage", own.domain, own.pool, disk["imageID"])
