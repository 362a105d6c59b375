"""Exit information against the table of spec xmlrpc-host-vm 4.2."""

import pytest

from virgate.node.vm.exits import Exit, Reason, after_stop, found_off

TABLE = {
    0: (0, "VM terminated succesfully"),
    1: (1, "VM terminated with error"),
    2: (1, "Lost connection with qemu process"),
    3: (1, "failed to start libvirt vm"),
    4: (0, "Migration succeeded"),
    5: (0, "SaveState succeeded"),
    6: (0, "Admin shut down from the engine"),
    7: (0, "User shut down from within the guest"),
    8: (1, "VM failed to migrate"),
    9: (1, "Failed to find the libvirt domain"),
    10: (0, "VM destroyed during the startup"),
    11: (1, "VM has been terminated on the host"),
    12: (1, "Migration failed in post-copy"),
    13: (0, "Down as a part of the reboot process"),
    14: (1, "Down because paused for too long"),
}


@pytest.mark.parametrize("reason", TABLE)
def test_each_reason_has_its_code_and_literal_text(reason: int) -> None:
    exit = Exit.of(Reason(reason))
    assert (exit.code, exit.reason, exit.message) == (TABLE[reason][0], reason, TABLE[reason][1])


def test_every_reason_is_in_the_table() -> None:
    assert {int(reason) for reason in Reason} == set(TABLE)


def test_an_exception_text_takes_the_place_of_the_tables() -> None:
    assert Exit.of(Reason.GENERIC_ERROR, "no such disk").message == "no such disk"


def test_a_failed_restore_says_so_in_front() -> None:
    exit = Exit.of(Reason.GENERIC_ERROR, "boom", restoring=True)
    assert exit.message == "Wake up from hibernation failed:boom"


@pytest.mark.parametrize(
    ("detail", "asked", "reason"),
    [
        ("shutdown", False, Reason.USER),
        ("shutdown", True, Reason.ADMIN),
        ("destroyed", False, Reason.ADMIN),
        ("destroyed", True, Reason.ADMIN),
        ("crashed", False, Reason.LOST_QEMU),
        ("failed", False, Reason.LOST_QEMU),
        ("failed", True, Reason.ADMIN),
        ("migrated", False, Reason.MIGRATED),
        ("saved", False, Reason.SAVED),
        ("a word of next year", False, Reason.LOST_QEMU),
    ],
)
def test_how_the_guest_stopped_gives_the_reason(detail: str, asked: bool, reason: Reason) -> None:
    assert after_stop(detail, asked=asked) == Exit.of(reason)


@pytest.mark.parametrize(
    ("reason", "code_and_reason"),
    [
        ("shutdown", (0, 7)),
        ("destroyed", (0, 6)),
        ("migrated", (0, 4)),
        ("saved", (0, 5)),
        ("failed", (1, 3)),
        ("unknown", (1, 1)),
        ("crashed", (1, 1)),
    ],
)
def test_a_domain_found_off_is_down_by_the_recovery_table(reason: str, code_and_reason: tuple[int, int]) -> None:
    exit = found_off(reason)
    assert (exit.code, exit.reason) == code_and_reason
