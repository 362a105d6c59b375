"""Real guests whose agents talk over real virtio ports, and a whole daemon that listens."""

import pytest
from real.whole.house import BOOTS, House
from real.whole.talking_guest import agent_initrd, qemu_agent_initrd

SETTINGS = ("--set=guests.poll_period=1", "--set=guests.command_timeout=4", "--set=guests.users_period=1")


class Listening(House):
    """Asks QEMU's agents often; software emulation makes them slow."""

    def argv(self, *more):
        return super().argv(*SETTINGS, *more)

    def boot(self, initrd):
        return self.create(**BOOTS | {"initrd": str(initrd), "kernelArgs": "console=ttyS0 rdinit=/talk"})

    def hears(self, vm, **members):
        """Waits until the statistics have these members."""
        self.until(lambda: members.items() <= self.stats(vm).items(), f"the guest says {members}", 60)


@pytest.fixture(scope="module")
def house(libvirtd, guest, tmp_path_factory):
    home = tmp_path_factory.mktemp("listening")
    for name in ("plugins.d", "hooks.d"):
        (home / name).mkdir()
    house = Listening(home, libvirtd)
    try:
        yield house.start()
    finally:
        house.close()


@pytest.fixture(scope="module")
def talking(house, guest, tmp_path_factory):
    """A machine whose guest has an oVirt agent."""
    vm = house.boot(agent_initrd(tmp_path_factory.mktemp("talking"), guest / "initrd.img"))
    house.hears(vm, guestFQDN="talking.example.test")
    return vm


@pytest.fixture(scope="module")
def asked(house, guest, tmp_path_factory):
    """A machine whose guest has QEMU's agent, as Debian ships it."""
    vm = house.boot(qemu_agent_initrd(tmp_path_factory.mktemp("asked"), guest / "initrd.img"))
    house.hears(vm, guestFQDN="asked.example.test")
    return vm


def test_clients_see_what_the_guest_says(house, talking):
    house.hears(talking, status="Up", memUsage="50", guestTimezone={"zone": "Europe/Paris", "offset": 60})
    stats = house.stats(talking)
    assert stats["username"] == "alice"
    assert stats["appsList"] == ["kernel-6.1", "ovirt-guest-agent-common-1.0.16"]
    assert stats["guestIPs"] == "192.0.2.7"
    assert stats["netIfaces"] == [
        {"name": "eth0", "hw": "52:54:00:00:00:01", "inet": ["192.0.2.7"], "inet6": ["fe80::1"]}
    ]
    assert stats["disksUsage"] == [{"path": "/", "fs": "rootfs", "total": "10737418240", "used": "3221225472"}]
    assert stats["memoryStats"]["mem_total"]


def test_the_guest_does_what_its_desktop_is_asked(house, talking):
    house.ask("desktopLogin", talking, "corp", "zoe", "a secret")
    house.hears(talking, username="zoe@corp")
    house.ask("desktopLock", talking)
    house.hears(talking, session="Locked")
    house.ask("desktopLogoff", talking, "false")
    house.hears(talking, session="LoggedOff")
    assert "a secret" not in house.log.read_text()


def test_a_line_that_is_no_message_is_dropped_alone(house, talking):
    house.ask("sendHcCmdToDesktop", talking, "mumble")
    house.hears(talking, appsList=[])
    assert house.told(talking, "cannot be understood")


def test_a_machine_without_agent_answers_19_and_one_that_is_not_there_1(house):
    vm = house.up()
    assert house.code("desktopLock", vm) == 19
    assert house.code("desktopLock", "nobody") == 1
    house.ask("destroy", vm)


def test_a_daemon_that_starts_again_hears_the_guest_again(house, talking):
    house.kill()
    house.start()
    house.hears(talking, status="Up", guestFQDN="talking.example.test", session="Unknown")


def test_qemus_agent_tells_what_it_knows(house, asked):
    house.hears(asked, status="Up", username="")
    house.until(lambda: "guestOsInfo" in house.stats(asked), "it told of its system", 30)
    stats = house.stats(asked)
    assert stats["guestOsInfo"]["distribution"] == "Example Linux"
    assert stats["guestOsInfo"]["version"] == "9.1"
    assert stats["guestName"] == "asked.example.test"
    assert stats["guestOs"].startswith("6.")
    kernel, agent = stats["appsList"]
    assert kernel == f"kernel-{stats['guestOs']}"
    assert agent.startswith("qemu-guest-agent-")
    assert stats["guestCPUCount"] == 1
    assert {"name": "lo", "hw": "00:00:00:00:00:00", "inet": ["127.0.0.1"], "inet6": ["::1"]} in stats["netIfaces"]


def test_a_way_down_goes_through_the_ovirt_agent(house, talking):
    house.ask("shutdown", talking, "1", "bye", "false", "60", "false")
    stats = house.failed(talking)
    assert (stats["exitCode"], stats["exitReason"]) == (0, 7), "not the power button, which would be the admin's wish"


def test_the_first_way_down_goes_through_qemus_agent_and_leaves_no_socket(house, asked):
    house.ask("shutdown", asked, "1", "bye", "false", "60", "false")
    stats = house.failed(asked)
    assert (stats["exitCode"], stats["exitReason"]) == (0, 7)
    left = [path.name for path in (house.libvirtd.root / "channels").iterdir() if asked in path.name]
    assert left == []
