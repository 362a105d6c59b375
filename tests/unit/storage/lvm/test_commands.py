"""Command lines, as vector C-15 of spec storage-format shows them."""

import pytest

from virgate.node.storage.lvm import commands
from virgate.node.storage.lvm.commands import Method

SD = "3e7a1c52-9d40-4b7e-8f21-6a5b0c1d2e3f"
A, B = "/dev/mapper/36001405aa", "/dev/mapper/36001405bb"
CONFIG = (
    'devices { preferred_names=["^/dev/mapper/"] ignore_suspended_devices=1 write_cache_state=0'
    ' disable_after_error_count=3 hints="none" obtain_device_list_from_udev=0 }'
    " global { prioritise_write_locks=1 wait_for_locks=1 use_lvmpolld=1 }"
    " backup { retain_min=50 retain_days=0 }"
)


@pytest.mark.parametrize(
    ("command", "devices", "line"),
    [
        (
            commands.create_physical([A, B]),
            [B, A],
            f"lvm pvcreate --devices {A},{B} --config C --metadatasize 128m --metadatacopies 2 --metadataignore y"
            f" {A} {B}",
        ),
        (commands.carry_metadata(A), [A, B], f"lvm pvchange --devices {A},{B} --config C --metadataignore n {A}"),
        (
            commands.create_group(SD, [A, B]),
            [A, B],
            f"lvm vgcreate --devices {A},{B} --config C --setautoactivation n --physicalextentsize 128m"
            f" --addtag RHAT_storage_domain_UNREADY {SD} {A} {B}",
        ),
        (
            commands.create_volume(SD, "metadata", 128, device=A),
            [A],
            f"lvm lvcreate --devices {A} --config C --autobackup n --contiguous n --size 128m --wipesignatures n"
            f" --name metadata {SD} {A}",
        ),
        (
            commands.extend_volume(SD, "vol", 5120, refresh=False),
            [A],
            f"lvm lvextend --devices {A} --config C --autobackup n --driverloaded n --size 5120m {SD}/vol",
        ),
        (
            commands.tag_volumes(SD, ["vol"], ["OVIRT_VOL_INITIALIZING"], ["MD_4", "PU_x"]),
            [A],
            f"lvm lvchange --devices {A} --config C --autobackup n --deltag OVIRT_VOL_INITIALIZING"
            f" --addtag MD_4 --addtag PU_x {SD}/vol",
        ),
        (
            commands.activate_volumes(SD, ["a", "b"], active=False),
            [A],
            f"lvm lvchange --devices {A} --config C --autobackup n --available n {SD}/a {SD}/b",
        ),
        (
            commands.create_physical([A], metadata_mib=512, force=True),
            [A],
            f"lvm pvcreate --devices {A} --config C -y -ff --metadatasize 512m --metadatacopies 2 --metadataignore y"
            f" {A}",
        ),
        (
            commands.reduce_volume(SD, "vol", 128, knows_file_systems=True),
            [A],
            f"lvm lvreduce --devices {A} --config C --autobackup n --force --fs ignore --size 128m {SD}/vol",
        ),
    ],
)
def test_a_command_is_written_as_other_hosts_write_it(command, devices, line):
    argv = command.argv(devices)
    position = argv.index("--config") + 1
    assert argv[position] == CONFIG
    assert " ".join([*argv[:position], "C", *argv[position + 1 :]]) == line


def test_a_filter_names_whole_devices_and_refuses_all_others():
    argv = commands.check_group(SD).argv([B, A], Method.FILTER)
    assert "--devices" not in argv
    assert f'filter=["a|^{A}$|^{B}$|", "r|.*|"] hints="none"' in argv[argv.index("--config") + 1]


@pytest.mark.parametrize("method", Method)
def test_without_devices_lvm_looks_at_none(method):
    argv = commands.physical_report().argv([], method)
    assert "--devices" not in argv
    assert 'filter=["r|.*|"]' in argv[argv.index("--config") + 1]


def test_odd_characters_of_a_name_survive_a_filter_and_are_left_alone_elsewhere():
    r"""`lvm --devices` takes a name as it is: one with `\\x` is not found."""
    odd = r"/dev/mapper/a\x20b"
    assert r"^/dev/mapper/a\\x20b$" in commands.check_group(SD).argv([odd], Method.FILTER)[3]
    assert commands.check_group(SD).argv([odd])[3] == odd


def test_a_device_is_emptied_by_the_command_itself():
    argv = commands.move_physical(A, [B]).argv([A, B])
    assert "use_lvmpolld=0" in argv[argv.index("--config") + 1]
    assert argv[-2:] == [A, B]
