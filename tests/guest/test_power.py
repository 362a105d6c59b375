"""Going down and to sleep, with programs of the system only."""

import pytest
from doubles.guest_agent import TimedLoop, Told

from virgate_guest import orders
from virgate_guest import power as module
from virgate_guest.power import Power


@pytest.fixture
def children():
    return Told()


@pytest.fixture
def loop():
    return TimedLoop()


@pytest.fixture
def power(loop, children):
    return Power(loop, children)


@pytest.fixture
def programs(monkeypatch):
    def have(*names):
        monkeypatch.setattr(module, "program", lambda name: f"/sbin/{name}" if name in names else None)

    return have


def test_shutdown_gets_the_delay_and_the_message(power, children, programs):
    programs("shutdown", "poweroff")
    power.shutdown({"timeout": 90, "message": "bye", "reboot": "True"})
    assert children.argvs == [["/sbin/shutdown", "-r", "+2", '"bye"']]


def test_a_system_without_shutdown_goes_down_after_the_delay(power, children, loop, programs):
    programs("poweroff", "reboot")
    power.shutdown({"timeout": 30})
    loop.pass_by(29)
    assert children.argvs == []
    power.shutdown({"timeout": 30, "reboot": "true"})
    loop.pass_by(29)
    assert children.argvs == [], "the later order counts"
    loop.pass_by(2)
    assert children.argvs == [["/sbin/reboot"]]


def test_a_system_with_nothing_to_go_down_by_says_so(power, loop, programs, capfd):
    programs()
    power.shutdown({})
    loop.pass_by(1)
    assert "neither" in capfd.readouterr().err


@pytest.mark.parametrize(("state", "word"), [("disk", "hibernate"), ("mem", "suspend")])
def test_systemd_puts_to_sleep_where_it_runs(power, children, programs, tmp_path, monkeypatch, state, word):
    programs("systemctl", "pm-hibernate", "pm-suspend")
    monkeypatch.setattr(module, "SYSTEMD", str(tmp_path))
    power.sleep({"state": state})
    monkeypatch.setattr(module, "SYSTEMD", str(tmp_path / "none"))
    power.sleep({"state": state})
    assert children.argvs == [["/sbin/systemctl", word], [f"/sbin/pm-{word}"]]


def test_else_the_kernel_is_told(power, programs, tmp_path, monkeypatch):
    programs()
    monkeypatch.setattr(module, "STATE", str(tmp_path / "state"))
    power.sleep({"state": "mem"})
    assert (tmp_path / "state").read_text() == "mem"
    with pytest.raises(orders.Refused):
        power.sleep({"state": "off"})
