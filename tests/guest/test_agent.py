"""What is said without being asked, and how bad commands end."""

import pytest
from doubles.guest_agent import Scene


@pytest.fixture
def scene():
    return Scene().at_version(3)


def test_a_minute_of_quiet_costs_one_wake_up_in_five_seconds(scene):
    assert scene.loop.pass_by(60) <= 13


def test_nothing_happens_while_the_host_is_away(scene):
    scene.host.lost()
    assert scene.loop.pass_by(1000) == 0
    assert scene.host.said() == []


def test_a_host_that_comes_back_hears_heartbeats_but_no_second_start(scene):
    scene.host.lost()
    scene.host.connected()
    assert scene.host.said() == []
    scene.loop.pass_by(4.1)
    assert scene.host.names() == ["heartbeat"]


def test_a_user_is_told_when_it_is_another(scene):
    scene.loop.pass_by(30)
    assert "active-user" not in scene.host.names()
    scene.known.known["active-user"] = {"name": "zoë"}
    scene.loop.pass_by(10)
    assert {"__name__": "active-user", "name": "zoë"} in scene.host.said()


def test_every_two_minutes_the_slow_things_are_asked_and_told(scene):
    scene.loop.pass_by(118)
    scene.host.said()
    scene.loop.pass_by(2)
    assert scene.known.asked == 1
    assert [name for name in scene.host.names() if name not in ("heartbeat", "number-of-cpus")] == [
        "applications",
        "containers",
        "host-name",
        "os-version",
        "network-interfaces",
        "fqdn",
    ]


def test_a_changed_system_is_told_with_them(scene):
    scene.known.known["os-info"]["version"] = "9.2"
    scene.loop.pass_by(120)
    assert "os-info" in scene.host.names()


def test_a_changed_address_is_told_at_once_and_only_once(scene):
    scene.known.known["network-interfaces"] = {"interfaces": []}
    scene.agent.changed("network-interfaces")
    assert scene.host.names() == ["network-interfaces"]
    scene.agent.changed("network-interfaces")
    assert scene.host.names() == []


def test_a_report_that_fails_takes_no_other_with_it(scene, capfd):
    scene.known.heartbeat = lambda now: 1 / 0
    scene.known.known["active-user"] = {"name": "zoë"}
    scene.loop.pass_by(10)
    assert scene.host.names() == ["active-user"]
    assert "heartbeat" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("mumble", {}),
        ("set-number-of-cpus", {"count": 0}),
        ("set-number-of-cpus", {"count": "many"}),
        ("set-number-of-cpus", {"count": 10**9}),
        ("lifecycle-event", {"type": "../../etc"}),
        ("lifecycle-event", {}),
        ("api-version", {}),
    ],
)
def test_a_command_without_sense_is_answered_by_nothing(scene, name, arguments):
    scene.host.says(name, **arguments)
    assert scene.host.said() == []
    assert scene.children.argvs == []


def test_a_password_is_never_in_the_log(scene, capfd):
    scene.obeying.log_in = lambda arguments: {}[arguments["password"]]
    scene.agent._commands["login"] = lambda arguments: (_ for _ in ()).throw(OSError("no"))
    scene.host.says("login", username="al", password="hunter2")
    scene.host.line(b'{"__name__": "login", "password": "hunter2"')
    assert "hunter2" not in capfd.readouterr().err


def test_the_last_words(scene):
    scene.agent.farewell()
    assert scene.host.names() == ["session-shutdown"]
