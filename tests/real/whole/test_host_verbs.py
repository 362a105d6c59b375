"""Passwords of storage, keys, the monitor, fence agents and same pages, through a whole daemon on a real libvirt."""

import base64
import struct

import pytest
from real.whole.house import BLANK, House, new_id


def secret(**changes: str) -> dict[str, str]:
    given = {"uuid": new_id(), "usageType": "ceph", "usageID": f"ovirt/{new_id()}"}
    return given | {"password": base64.b64encode(b"hidden-word").decode()} | changes


def known(house: House) -> str:
    return house.libvirtd.virsh("secret-list")


def test_secrets_are_libvirt_s_until_they_are_forgotten_cleared_or_the_daemon_ends(own: House) -> None:
    own.start()
    first, second, third = secret(), secret(), secret()
    own.ask("registerSecrets", [first, second])
    assert first["uuid"] in known(own) and second["uuid"] in known(own)
    own.ask("registerSecrets", [third | {"usageID": first["usageID"]}])  # for the same use: it is replaced
    assert first["uuid"] not in known(own) and third["uuid"] in known(own)
    own.ask("unregisterSecrets", [third["uuid"], new_id()])
    assert third["uuid"] not in known(own)
    own.ask("registerSecrets", [first], True)
    assert first["uuid"] in known(own) and second["uuid"] not in known(own)
    own.kill()
    own.start()
    assert first["uuid"] not in known(own)
    own.ask("registerSecrets", [second])
    own.end()
    assert second["uuid"] not in known(own)
    assert "hidden-word" not in own.log.read_text() and second["password"] not in own.log.read_text()


def test_one_wrong_secret_registers_none(shared: House) -> None:
    good = secret()
    assert shared.code("registerSecrets", [good, secret(usageType="other")]) == 72
    assert good["uuid"] not in known(shared)


def reboots(house: House, vm: str) -> bool:
    """Presses the keys, and gives the guest a moment: firmware that is not there yet does not hear them."""
    house.ask("sendkeys", vm, "ctrl-alt-del")
    try:
        house.until(lambda: house.stats(vm)["status"] == "RebootInProgress", "it reboots", 4)
    except AssertionError:
        return False
    return True


def test_ctrl_alt_delete_reboots_a_machine(shared: House) -> None:
    vm = shared.up()  # firmware that finds no disk
    assert any(reboots(shared, vm) for _ in range(8))
    assert shared.code("sendkeys", vm, ["no-such-key"]) == 16
    assert shared.code("sendkeys", new_id(), ["a"]) == 1


def test_the_monitor_is_closed_unless_the_settings_open_it(own: House) -> None:
    own.start()
    vm = own.up()
    assert own.code("monitorCommand", vm, "info status") == 44
    own.kill()
    own.start("--set=machines.monitor_commands=true")
    assert own.ask("monitorCommand", vm, "info status")["output"] == ["VM status: running"]


@pytest.mark.parametrize(("action", "code"), [("reboot", 43), ("explode", 16)])
def test_a_host_without_the_agent_says_so_and_the_password_stays_out_of_the_log(
    shared: House, action: str, code: int
) -> None:
    answer = shared.call("fenceNode", "10.0.0.9", "", "nosuchagent", "root", "hidden-word", action, "true", "a=b")
    assert answer["status"]["code"] == code
    assert "hidden-word" not in str(answer) + shared.log.read_text()


@pytest.mark.parametrize(
    ("verb", "arguments", "code"),
    [
        ("setKsmTune", [{"run": 9}], 71),
        ("setKsmTune", [{"../../../etc/passwd": 1}], 71),
        ("setHaMaintenanceMode", ["global", True], 40),
        ("setHaMaintenanceMode", ["everywhere", True], 61),
        ("unregisterSecrets", [["../x"]], 72),
    ],
)
def test_what_cannot_be_done_is_told_by_its_code(shared: House, verb: str, arguments: list[object], code: int) -> None:
    assert shared.code(verb, *arguments) == code


def test_a_volume_s_partitions_are_aligned_or_not(shared: House) -> None:
    disk = shared.make_volume(size=16 << 20)
    path = shared.folder / shared.domain / "images" / disk["imageID"] / disk["volumeID"]
    sector = bytearray(512)
    for record, start in ((446, 2048), (462, 4159)):
        sector[record + 4], sector[record + 8 : record + 16] = 0x83, struct.pack("<II", start, 2048)
    sector[510:] = b"\x55\xaa"
    with path.open("r+b") as file:
        file.write(sector)
    found = shared.ask("getDiskAlignment", BLANK, {"device": "disk", **disk})["alignment"]
    assert found == {"/dev/sda1": True, "/dev/sda2": False}
    assert shared.prepared() == []
    assert shared.code("getDiskAlignment", new_id(), disk) == 44
