"""Passwords of displays: set, timed, refused, never shown."""

from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_twisted

from virgate.domxml import tree
from virgate.domxml.errors import MissingParameter
from virgate.libvirt.errors import HypervisorFailed, OperationTimedOut
from virgate.node.vm.plugging import tickets, update
from virgate.node.vm.plugging.errors import DeviceNotUpdated, TicketNotSet

SECRET = "s3cr3t<&>"


def asked(domain: Any) -> tree.Element:
    return tree.parse(next(call[1] for call in reversed(domain.calls) if call[0] == "update"))


@pytest_twisted.ensureDeferred
async def test_the_first_display_gets_the_password_for_its_time(host: Any, machine: Any, domain: Any) -> None:
    await tickets.set_ticket(machine, SECRET, "120", "keep", {"userName": "admin", "nothing": None, "number": 7})
    display = asked(domain)
    assert (display.get("type"), display.get("passwd"), display.get("connected")) == ("spice", SECRET, "keep")
    assert display.get("passwdValidTo") == "1970-01-01T00:18:40"  # the clock stands at 1000 s
    assert host.trace.points == ["before_vm_set_ticket", "after_vm_set_ticket"]
    for given in host.trace.given.values():
        if "params" in given:
            assert given["params"] == {"userName": "admin", "number": "7"}
            assert SECRET not in given["domain"].text and "s3cr3t" not in given["domain"].text
    assert "s3cr3t" not in machine.record.xml and "s3cr3t" not in str(machine.record.conf)


@pytest_twisted.ensureDeferred
async def test_without_a_time_the_old_one_stays(machine: Any, domain: Any) -> None:
    await tickets.set_ticket(machine, SECRET, 60)
    first = asked(domain).get("passwdValidTo")
    await tickets.set_ticket(machine, "other", 0)
    assert asked(domain).get("passwdValidTo") == first and asked(domain).get("connected") == "disconnect"


@pytest_twisted.ensureDeferred
async def test_a_display_of_a_kind_is_updated_and_vnc_is_told_nothing_of_clients(machine: Any, domain: Any) -> None:
    wanted = {"deviceType": "graphics", "graphicsType": "VNC", "password": SECRET, "ttl": "60"}
    await update.update(machine, {**wanted, "existingConnAction": "fail", "disconnectAction": "LOGOUT"})
    display = asked(domain)
    assert (display.get("type"), display.get("connected")) == ("vnc", None)
    screens = [one for one in machine.record.conf["devices"] if one["type"] == "graphics"]
    assert {one["disconnectAction"] for one in screens} == {"LOGOUT"}


@pytest.mark.parametrize("action", ["explode", "Disconnect", "keep "])
@pytest_twisted.ensureDeferred
async def test_an_unknown_action_is_refused_before_anything_happens(
    host: Any, machine: Any, domain: Any, action: str
) -> None:
    with pytest.raises(TicketNotSet, match="existingConnAction") as problem:
        await tickets.set_ticket(machine, SECRET, 60, action)
    assert problem.value.code == 18 and host.trace.points == [] and domain.names == []


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"graphicsType": "sdl"}, DeviceNotUpdated),
        ({"disconnectAction": "DANCE"}, DeviceNotUpdated),
        ({"ttl": "soon"}, DeviceNotUpdated),
        ({"existingConnAction": "explode"}, DeviceNotUpdated),
        ({"password": None}, MissingParameter),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_wrong_update_of_a_display_is_refused(
    machine: Any, domain: Any, change: Any, error: type[Exception]
) -> None:
    wanted = {"deviceType": "graphics", "graphicsType": "spice", "password": SECRET, "ttl": 60}
    with pytest.raises(error) as problem:
        await update.update(machine, {**wanted, **change})
    assert SECRET not in str(problem.value) and domain.names == []


@pytest.mark.parametrize("error", [OperationTimedOut(68, "busy"), HypervisorFailed(1, "no")])
@pytest_twisted.ensureDeferred
async def test_a_refused_ticket_fires_no_hook_of_success(
    host: Any, machine: Any, domain: Any, error: Exception
) -> None:
    domain.fail["update"] = error
    with pytest.raises(TicketNotSet) as problem:
        await tickets.set_ticket(machine, SECRET, 60)
    assert problem.value.code == 18 and "s3cr3t" not in str(problem.value)
    assert host.trace.points == ["before_vm_set_ticket"]


@pytest_twisted.ensureDeferred
async def test_a_machine_without_a_screen_has_no_ticket(host: Any, machine: Any, domain: Any) -> None:
    root = domain.root
    for screen in root.findall("devices/graphics"):
        root.find("devices").remove(screen)
    domain.root = root
    with pytest.raises(TicketNotSet, match="no graphics devices configured"):
        await tickets.set_ticket(machine, SECRET, 60)


def test_the_longest_time_is_still_a_date() -> None:
    display = tree.parse('<graphics type="vnc" port="5900"/>')
    fresh = tickets.ticketed(display, "x", 1 << 62, "keep", datetime(2026, 1, 1, tzinfo=UTC))
    assert fresh.get("passwdValidTo") == "2035-12-30T00:00:00" and fresh.get("port") == "5900"
