"""Vector V26 of spec guest-agent: the steps of a way down, in their time, with both agents."""

from typing import Any

import pytest
import pytest_twisted
from doubles.guests import line
from doubles.machines import Host, host, params

from virgate.libvirt import agent as hypervisor
from virgate.libvirt.errors import AgentUnresponsive
from virgate.node.guest.agent import GuestAgent
from virgate.node.guest.qemu.state import Link
from virgate.node.vm.machine import Machine
from virgate.node.vm.powerdown import power_down

__all__ = ["host", "params"]


class Steps:
    """What was done to a machine, and when, from the moment it was asked to go down."""

    def __init__(self, host: Host, machine: Machine) -> None:
        self.host, self.machine = host, machine
        self.done: list[tuple[str, float]] = []
        self.begun = 0.0
        self.refuse = False
        means = machine.means
        self.agent = machine.agent = GuestAgent(
            machine.id, reactor=host.clock, monotonic=means.monotonic, wall=means.wall
        )
        self.agent.deliver = self.deliver
        self.agent.qemu.present = True
        self.agent.qemu.link = Link.CONNECTED

    def note(self, step: str) -> None:
        self.done.append((step, self.host.clock.seconds() - self.begun))

    def deliver(self, data: bytes) -> bool:
        self.note("agent")
        self.sent = data
        return True

    async def restart(self, domains: Any, uuid: str) -> None:
        self.note("qemu reboot")

    async def shut_down(self, domains: Any, uuid: str) -> None:
        self.note("qemu")
        if self.refuse:
            raise AgentUnresponsive(86, "no answer")

    def begin(self, **how: Any) -> None:
        self.begun = self.host.clock.seconds()
        power_down(self.machine, **{"reboot": False, "delay": 2, "timeout": 1, "message": "bye", **how})

    def all(self) -> list[tuple[str, float]]:
        """Lets ten seconds pass in tenths."""
        seen = 0
        for _ in range(100):
            self.host.clock.advance(0.1)
            for call in self.host.domains.calls[seen:]:
                if call[0] in ("shutdown", "destroy", "reboot", "reset"):
                    self.note(call[0])
            seen = len(self.host.domains.calls)
        return [(step, round(at)) for step, at in self.done]


@pytest_twisted.async_fixture
async def steps(host: Host, params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Steps:
    machine = await host.running(params)
    made = Steps(host, machine)
    monkeypatch.setattr(hypervisor, "shut_down", made.shut_down)
    monkeypatch.setattr(hypervisor, "restart", made.restart)
    return made


def test_v26_the_whole_chain(steps: Steps) -> None:
    steps.agent.receive(line("heartbeat", **{"free-ram": "1"}))
    steps.begin(force=True)
    assert steps.all() == [("qemu", 0), ("agent", 1), ("shutdown", 4), ("destroy", 5)]
    assert b'"reboot": "False"' in steps.sent


def test_v26_what_fails_or_is_not_there_costs_no_time(steps: Steps) -> None:
    steps.refuse = True
    steps.begin(force=False)
    assert steps.all() == [("qemu", 0), ("shutdown", 0)]
    assert steps.machine.powerdown is None


def test_v26_a_guest_that_obeys_ends_the_chain(steps: Steps) -> None:
    steps.agent.receive(line("heartbeat", **{"free-ram": "1"}))
    steps.begin(force=True)
    steps.host.clock.advance(0.5)
    assert steps.machine.powerdown is not None
    steps.machine.powerdown.over()
    assert steps.all() == [("qemu", 0)]


def test_an_agent_that_is_known_to_be_away_is_not_asked(steps: Steps) -> None:
    steps.agent.qemu.link = Link.DISCONNECTED
    steps.begin(force=False)
    assert steps.all() == [("shutdown", 0)]


def test_a_reboot_takes_the_same_way_and_ends_when_the_guest_has_rebooted(steps: Steps) -> None:
    steps.agent.receive(line("heartbeat", **{"free-ram": "1"}))
    steps.begin(reboot=True, force=True)
    assert steps.all() == [("qemu reboot", 0), ("agent", 1), ("reboot", 4), ("reset", 5)]
    assert b'"reboot": "True"' in steps.sent
    steps.done.clear()
    steps.host.domains.calls.clear()
    steps.begin(reboot=True, force=True)
    steps.host.events.tell("libvirt.reboot", uuid=steps.machine.id)
    assert steps.all() == [("qemu reboot", 0)]


def test_what_the_client_leaves_out_is_the_settings(steps: Steps) -> None:
    steps.agent.receive(line("heartbeat", **{"free-ram": "1"}))
    steps.agent.qemu.link = Link.DISCONNECTED
    steps.begin(force=False, delay="", timeout=None, message="")
    assert b'"timeout": 30, "message": "System going down"' in steps.sent
