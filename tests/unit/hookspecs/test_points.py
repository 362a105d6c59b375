"""The hook points are all there, each with a contract that can be read and the arguments it speaks of."""

import inspect

import pytest

from virgate import hookspecs
from virgate.hookspecs.errors import HookError
from virgate.hookspecs.point import Answers, Failure
from virgate.plugins import Hooks

DECLARED = {
    name: (point, getattr(module, name))
    for module in hookspecs.modules()
    for name, point in hookspecs.points(module).items()
}
SCRIPTED = {name: found for name, found in DECLARED.items() if found[0].scripts}


def words(text):
    return text.split()


DOMAIN_POINTS = [
    *words("before_vm_start after_vm_start before_vm_cont after_vm_cont before_vm_pause after_vm_pause"),
    *words("before_vm_hibernate after_vm_hibernate after_vm_destroy"),
    *words("before_vm_migrate_source after_vm_migrate_source"),
    *words("before_vm_migrate_destination after_vm_migrate_destination"),
]
DEVICE_POINTS = [
    *words("before_device_create after_device_create before_device_destroy after_device_destroy"),
    *words("before_device_migrate_source after_device_migrate_source"),
    *words("before_device_migrate_destination after_device_migrate_destination"),
    *words("before_nic_hotplug after_nic_hotplug after_nic_hotplug_fail"),
    *words("before_nic_hotunplug after_nic_hotunplug after_nic_hotunplug_fail"),
    *words("before_update_device after_update_device after_update_device_fail"),
    *words("before_disk_hotplug after_disk_hotplug before_disk_hotunplug after_disk_hotunplug"),
    *words("before_memory_hotplug after_memory_hotplug"),
]
VALUE_POINTS = [
    *words("before_network_setup after_network_setup after_network_setup_fail"),
    *words("before_ifcfg_write after_ifcfg_write before_get_vm_stats after_get_vm_stats"),
    *words("before_get_all_vm_stats after_get_all_vm_stats before_get_caps after_get_caps"),
    *words("before_get_stats after_get_stats after_hostdev_list_by_caps"),
]
ARGUMENTS = {
    **dict.fromkeys(DOMAIN_POINTS, ("vm", "domain")),
    **dict.fromkeys(DEVICE_POINTS, ("vm", "device")),
    **dict.fromkeys(VALUE_POINTS, ("data",)),
    "after_disk_prepare": ["vm", "data"],
    "before_vm_destroy": ["vm"],
    "before_vm_dehibernate": ["vm", "domain", "from_snapshot"],
    "after_vm_dehibernate": ["vm", "domain", "from_snapshot"],
    "before_vm_set_ticket": ["vm", "domain", "params"],
    "after_vm_set_ticket": ["vm", "domain", "params"],
    "before_set_num_of_cpus": [],
    "after_set_num_of_cpus": [],
    "before_vdsm_start": [],
    "after_vdsm_stop": [],
}
LOGGED_BEFORE = {"before_vm_destroy", "before_vm_set_ticket", "before_vdsm_start"}
CHANGED = {
    *words("before_vm_start before_device_create before_nic_hotplug before_update_device before_disk_hotplug"),
    *words("before_memory_hotplug after_disk_prepare before_network_setup before_ifcfg_write after_get_vm_stats"),
    *words("after_get_all_vm_stats after_get_caps after_get_stats after_hostdev_list_by_caps"),
}
EVENTS = {
    *words("after_vm_cont after_vm_pause after_vm_hibernate after_vm_migrate_source after_device_migrate_source"),
}


def test_the_union_of_both_versions_points_is_served_by_scripts():
    assert set(SCRIPTED) == set(ARGUMENTS)
    assert len(SCRIPTED) == 60


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_point_carries_the_arguments_of_its_kind(name):
    assert list(inspect.signature(SCRIPTED[name][1]).parameters) == list(ARGUMENTS[name])


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_failure_aborts_before_and_is_logged_after_but_for_the_known_exceptions(name):
    aborts = (name.startswith("before_") and name not in LOGGED_BEFORE) or name == "after_disk_prepare"
    assert SCRIPTED[name][0].failure is (Failure.ABORT if aborts else Failure.LOG)


def test_changes_are_used_where_the_contract_says_so():
    assert {name for name, (point, _) in SCRIPTED.items() if point.changes} == CHANGED


def test_points_of_the_hypervisors_events_are_marked():
    assert {name for name, (point, _) in SCRIPTED.items() if point.event} == EVENTS


@pytest.mark.parametrize("name", DECLARED)
def test_every_point_says_when_it_fires_and_what_failing_does(name):
    point, specification = DECLARED[name]
    text = " ".join(inspect.getdoc(specification).split())
    assert len(text) > 60
    if point.scripts:
        assert "Raising is logged" in text or "Raising aborts" in text
        assert ("Raising aborts" in text) == (point.failure is Failure.ABORT)
    if point.answers is Answers.NONE and point.scripts:
        assert inspect.signature(specification).return_annotation is None


def test_one_table_is_made_of_all_modules():
    hooks = Hooks(*hookspecs.modules())
    assert set(hooks.points) == set(DECLARED)


def test_a_hook_error_has_the_old_code_and_prefix():
    error = HookError("no", "before_vm_start", "/hooks/before_vm_start/1")
    assert (error.code, str(error)) == (1500, "Hook Error: no")
