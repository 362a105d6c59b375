"""The daemon is killed in the middle of a save and of a wake-up: the machine ends where the table of recovery says."""

import os
import signal
import time

import pytest
from real.whole.house import SHELL
from real.whole.sleeper import Sleeper

pytestmark = pytest.mark.usefixtures("guest")


@pytest.fixture
def sleeper(own, tmp_path):
    own.start()
    own.make_pool()
    return Sleeper(own, tmp_path / "console")


def again(house):
    house.kill()
    house.start()
    house.rejoin()


def test_a_save_that_libvirt_ends_without_the_daemon_is_a_save(own, sleeper):
    handle = sleeper.bed()
    pid = own.qemu(sleeper.vm)
    own.script("before_vm_hibernate", f"{SHELL}kill -STOP {pid}\n")
    own.ask("hibernate", sleeper.vm, handle)
    own.until(lambda: sleeper.file(handle, 1).read_bytes()[:1] == b"\x80", "the parameters are written")
    time.sleep(0.5)  # libvirt tells nobody that it has begun
    again(own)
    assert own.stats(sleeper.vm)["status"] == "Paused"
    os.kill(pid, signal.SIGCONT)
    stats = own.failed(sleeper.vm)
    assert (stats["exitCode"], stats["exitReason"]) == (0, 5)
    own.ask("destroy", sleeper.vm)
    own.no_scripts()
    sleeper.wake(handle)
    own.until_status(sleeper.vm, "Up")
    sleeper.goes_on()


def test_one_that_was_about_to_be_saved_is_paused_and_can_go_on(own, sleeper, tmp_path):
    handle = sleeper.bed()
    own.script("before_vm_hibernate", f"{SHELL}touch {tmp_path}/there; exec sleep 600\n")
    own.ask("hibernate", sleeper.vm, handle)
    own.until(lambda: (tmp_path / "there").exists(), "the hook runs")
    again(own)
    own.until_status(sleeper.vm, "Paused")
    own.ask("cont", sleeper.vm)
    sleeper.goes_on()


def test_a_wake_up_that_libvirt_ends_without_the_daemon_is_paused_and_goes_on(own, sleeper):
    handle = sleeper.bed()
    sleeper.sleep(handle)
    own.script("before_vm_cont", f"{SHELL}exec sleep 600\n")
    sleeper.wake(handle)
    own.until(lambda: sleeper.vm in own.defined() and own.state(sleeper.vm) == "paused", "libvirt has restored it", 60)
    again(own)
    own.no_scripts()
    own.until_status(sleeper.vm, "Paused")
    own.ask("cont", sleeper.vm)
    sleeper.goes_on()


def test_one_whose_memory_was_not_touched_is_not_there_and_wakes_up_later(own, sleeper, tmp_path):
    handle = sleeper.bed()
    sleeper.sleep(handle)
    own.script("before_vm_dehibernate", f"{SHELL}touch {tmp_path}/there; exec sleep 600\n")
    sleeper.wake(handle)
    own.until(lambda: (tmp_path / "there").exists(), "the hook runs")
    again(own)
    own.no_scripts()
    assert own.ask("list")["vmList"] == []
    sleeper.wake(handle)
    own.until_status(sleeper.vm, "Up")
    sleeper.goes_on()
