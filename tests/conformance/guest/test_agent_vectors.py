"""Vectors of spec guest-agent as our agent in the guest meets them."""

import json
import os

import pytest
from doubles.guest_agent import FIXED, Scene, Told

from virgate_guest import orders, port, wire
from virgate_guest.sources import system

START = ["session-startup", "host-name", "os-version", "network-interfaces", "active-user", "applications", "fqdn"]
BASE = ["session-startup", "active-user", "applications"]
REST = ["host-name", "os-version", "network-interfaces", "disks-usage", "fqdn"]
EVERYTHING = [*BASE, "containers", *REST, "timezone", "os-info"]


@pytest.fixture
def scene():
    return Scene()


def test_v1_the_start_at_version_0(scene):
    scene.host.connected()
    said = scene.host.said()
    assert [one["__name__"] for one in said] == START
    for message in said[1:]:
        assert message == {**FIXED[message["__name__"]], "__name__": message["__name__"]}


def test_v2_heartbeats_after_4_and_9_seconds(scene):
    scene.host.connected()
    scene.host.said()
    scene.loop.pass_by(3.9)
    assert scene.host.said() == []
    scene.loop.pass_by(0.2)
    (first,) = scene.host.said()
    assert (first["__name__"], first["apiVersion"], first["free-ram"]) == ("heartbeat", 0, "1464")
    scene.loop.pass_by(5)
    assert [one["apiVersion"] for one in scene.host.said()] == [3]


def test_v3_negotiation(scene):
    scene.host.connected()
    scene.host.said()
    scene.host.says("refresh", apiVersion=3)
    assert scene.host.names() == BASE + REST
    scene.loop.pass_by(9.5)
    scene.host.said()
    scene.host.says("api-version", apiVersion=3)
    assert scene.host.names() == EVERYTHING


def test_v4_messages_of_version_3(scene):
    scene.at_version(3)
    scene.host.says("refresh", apiVersion=3)
    said = {one.pop("__name__"): one for one in scene.host.said()}
    for name in ("disks-usage", "containers", "timezone", "os-info"):
        assert said[name] == FIXED[name]
    scene.loop.pass_by(60)
    assert {"__name__": "number-of-cpus", "count": 2} in scene.host.said()


def test_v5_edges_of_api_version(scene):
    scene.at_version(3)
    for value in (3, 9, "abc"):
        scene.host.says("api-version", apiVersion=value)
        assert scene.host.said() == []
    scene.host.says("refresh", apiVersion=3)
    assert scene.host.names() == EVERYTHING
    scene.host.says("refresh")
    assert scene.host.names() == BASE + REST
    scene.host.says("set-number-of-cpus", count=2)
    assert scene.host.said() == []


def test_v7_echo_and_filter(scene):
    scene.host.line(b'{"__name__": "echo", "x": 1, "s": "h\\u00e9\\u0001llo"}')
    (line,) = scene.host.lines
    assert b'"s": "h\\u00e9\\ufffdllo"' in line
    assert json.loads(line) == {"__name__": "echo", "s": "hé\ufffdllo", "x": 1}


def test_v8_split_and_joined_lines(scene):
    lines = wire.Lines()
    for piece in (b'{"__name__":"echo",', b'"k":"split"}\n{"__name__":"echo","k":2}\n', b'not json\n{"a":1}\n'):
        for line in lines.feed(piece):
            scene.host.line(line)
    assert [one["k"] for one in scene.host.said()] == ["split", 2]


def test_v9_commands_reach_who_obeys_them(scene):
    scene.at_version(3)
    scene.host.line(b'{"__name__": "lock-screen"}')
    scene.host.line(b'{"username": "al@corp", "password": "pw", "__name__": "login"}')
    scene.host.line(b'{"__name__": "log-off"}')
    down = {"timeout": 30, "message": "bye", "reboot": "False"}
    scene.host.says("shutdown", **down)
    login = ("log_in", {"username": "al@corp", "password": "pw"})
    assert scene.obeying.did == ["lock", login, "log_off", ("shutdown", down)]
    scene.host.says("set-number-of-cpus", count=2)
    assert scene.host.said() == [{"__name__": "number-of-cpus", "count": 2}]


@pytest.mark.parametrize(
    ("given", "argv"),
    [
        ({"timeout": 30, "message": "bye now", "reboot": "False"}, ["-h", "+1", '"bye now"']),
        ({"timeout": 61, "message": "bye now", "reboot": "True"}, ["-r", "+2", '"bye now"']),
        ({}, ["-h", "+0", '"System is going down"']),
        ({"timeout": "x", "reboot": True}, ["-h", "+0", '"System is going down"']),
    ],
)
def test_v10_what_shutdown_is_asked(given, argv):
    assert orders.shutdown(given) == argv


def test_v10_states_of_sleep():
    assert [orders.sleep_state(given) for given in ({}, {"state": "mem"})] == ["disk", "mem"]


def test_v11_the_block_of_a_login():
    block = orders.credentials({"username": "alïce@corp", "password": "s3crét"})
    assert block == bytes.fromhex("0000000B 616CC3AF636540636F7270 73336372C3A974 00".replace(" ", ""))
    assert orders.credentials({"username": "al@corp", "password": "pw"}) == b"\0\0\0\x07al@corppw\0"


def test_v12_an_event_is_answered_when_its_hooks_have_run(tmp_path):
    hook = tmp_path / "before_migration/10_sleep"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)
    scene = Scene(str(tmp_path)).at_version(3)
    scene.host.says("lifecycle-event", type="before_migration", reply_id="1111")
    assert scene.children.argvs == [[str(hook)]]
    assert scene.host.said() == [{"__name__": "completion", "reply_id": "1111", "done": True}]
    scene.host.says("lifecycle-event", type="before_suspend", reply_id="r2")
    assert scene.host.said() == [{"__name__": "completion", "reply_id": "r2", "done": True}]
    scene.host.says("lifecycle-event", type="after_migration", failure=True)
    assert scene.host.said() == []


def test_v20_the_old_port_counts_where_both_are(tmp_path):
    prefix = f"{tmp_path}/"
    (tmp_path / "ovirt-guest-agent.0").touch()
    assert port.choose(prefix) == prefix + "ovirt-guest-agent.0"
    (tmp_path / "com.redhat.rhevm.vdsm").touch()
    assert port.choose(prefix) == prefix + "com.redhat.rhevm.vdsm"


def test_v21_the_notice_of_removal():
    assert wire.encode("uninstalled", {}) + b"\n" == b'{"__name__": "uninstalled"}\n\n'


def test_v22_hooks_run_in_order_and_failures_stop_nothing(tmp_path, capfd):
    folder = tmp_path / "before_hibernation"
    folder.mkdir()
    for name, mode in (("20_c", 0o755), ("05_a", 0o755), ("99_noexec", 0o644), ("10_b", 0o755)):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(mode)
    scene = Scene(str(tmp_path), children=Told(0, 3, 0)).at_version(3)
    scene.host.says("lifecycle-event", type="before_hibernation", reply_id="r")
    assert [os.path.basename(argv[0]) for argv in scene.children.argvs] == ["05_a", "10_b", "20_c"]
    assert scene.host.names() == ["completion"]
    assert len([line for line in capfd.readouterr().err.splitlines() if line.startswith("<4>")]) == 2


@pytest.mark.parametrize(
    ("link", "zone"),
    [
        ("/usr/share/zoneinfo/Europe/Paris", "Europe/Paris"),
        ("../usr/share/zoneinfo/America/Argentina/Buenos_Aires", "Argentina/Buenos_Aires"),
        ("/usr/share/zoneinfo/UTC", "zoneinfo/UTC"),
    ],
)
def test_v23_the_name_of_a_time_zone(link, zone):
    assert system.zone_name(link, b"", b"") == zone


@pytest.mark.parametrize(("zone", "minutes"), [("Asia/Kolkata", 330), ("America/New_York", -300), ("Europe/Paris", 60)])
def test_v23_minutes_east_of_the_standard_time(monkeypatch, zone, minutes):
    rules = {"Asia/Kolkata": "IST-5:30", "America/New_York": "EST5EDT", "Europe/Paris": "CET-1CEST"}
    monkeypatch.setenv("TZ", rules[zone])
    try:
        assert system.read_timezone()["offset"] == minutes
    finally:
        monkeypatch.undo()
        system.read_timezone()
