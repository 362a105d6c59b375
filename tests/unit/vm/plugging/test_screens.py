"""A client leaves the screen: what the guest is told, and when."""

from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from doubles.machines import ID

from virgate.node.vm.plugging import tickets


@define
class Agent:
    said: list[str] = field(factory=list)
    responsive: bool = False
    status: Any = None

    def send(self, name: str, /, **_: Any) -> bool:
        self.said.append(name)
        return True


@pytest.fixture
def agent(machine: Any) -> Agent:
    machine.agent = made = Agent()
    return made


def graphics(host: Any, phase: str, client: str = "10.0.0.1") -> None:
    host.events.tell("libvirt.graphics", uuid=ID, phase=phase, client=client, server="", scheme="vnc")


async def wish(machine: Any, **members: Any) -> None:
    await tickets.update_display(machine, {"graphicsType": "vnc", "password": "x", "ttl": 60, **members})


@pytest_twisted.ensureDeferred
async def test_a_screen_that_was_left_is_locked_after_a_moment(
    host: Any, machine: Any, domain: Any, agent: Agent
) -> None:
    graphics(host, "initialize")
    graphics(host, "disconnect")
    host.clock.advance(1.9)
    assert agent.said == []
    host.clock.advance(0.2)
    assert agent.said == ["lock-screen"]


@pytest_twisted.ensureDeferred
async def test_who_comes_back_was_never_away(host: Any, machine: Any, agent: Agent) -> None:
    graphics(host, "initialize")
    graphics(host, "disconnect")
    graphics(host, "initialize")
    host.clock.advance(10)
    assert agent.said == []


@pytest.mark.parametrize("events", [["connect", "disconnect"], ["disconnect"]])
@pytest_twisted.ensureDeferred
async def test_who_was_never_let_in_leaves_nothing(host: Any, machine: Any, agent: Agent, events: list[str]) -> None:
    for phase in events:
        graphics(host, phase)
    graphics(host, "initialize")
    graphics(host, "disconnect", client="10.0.0.2")
    host.clock.advance(10)
    assert agent.said == []


@pytest.mark.parametrize(("action", "said"), [("NONE", []), ("LOGOUT", ["log-off"]), ("LOCK_SCREEN", ["lock-screen"])])
@pytest_twisted.ensureDeferred
async def test_the_client_s_wish_is_done(
    host: Any, machine: Any, domain: Any, agent: Agent, action: str, said: list[str]
) -> None:
    await wish(machine, disconnectAction=action)
    graphics(host, "initialize")
    graphics(host, "disconnect")
    host.clock.advance(3)
    assert agent.said == said


@pytest.mark.parametrize(("action", "call"), [("SHUTDOWN", "shutdown"), ("REBOOT", "reboot")])
@pytest_twisted.ensureDeferred
async def test_a_machine_may_go_down_when_it_is_left(
    host: Any, machine: Any, domain: Any, action: str, call: str
) -> None:
    await wish(machine, disconnectAction=action)
    graphics(host, "initialize")
    graphics(host, "disconnect")
    host.clock.advance(3)
    assert call in host.domains.names


@pytest_twisted.ensureDeferred
async def test_a_shutdown_can_wait_for_minutes_and_be_called_off(host: Any, machine: Any, domain: Any) -> None:
    await wish(machine, disconnectAction="SHUTDOWN", consoleDisconnectActionDelay="5")
    for _ in range(2):
        graphics(host, "initialize")
        graphics(host, "disconnect")
        host.clock.advance(299)
    assert "shutdown" not in host.domains.names
    host.clock.advance(4)
    assert "shutdown" in host.domains.names


@pytest_twisted.ensureDeferred
async def test_a_new_ticket_goes_back_to_the_lock(host: Any, machine: Any, domain: Any, agent: Agent) -> None:
    await wish(machine, disconnectAction="NONE")
    assert "NONE" in host.domains.domains[ID].xml, "a daemon that starts later knows it"
    await tickets.set_ticket(machine, "x", 60)
    graphics(host, "initialize")
    graphics(host, "disconnect")
    host.clock.advance(3)
    assert agent.said == ["lock-screen"]


@pytest_twisted.ensureDeferred
async def test_a_machine_that_moves_is_left_alone(host: Any, machine: Any, agent: Agent) -> None:
    graphics(host, "initialize")
    machine.life.leave()
    graphics(host, "disconnect")
    host.clock.advance(3)
    assert agent.said == []
