"""The desktop verbs: always sent, done if the agent was heard lately."""

import inspect
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_twisted
from doubles.guests import Talk

from virgate.api.verb import verbs
from virgate.api.verbs import desktop
from virgate.node.guest.errors import NotResponsive
from virgate.node.vm.errors import NoSuchMachine


class Machines:
    def find(self, vm: str) -> Any:
        if vm == "nobody":
            raise NoSuchMachine(vm)
        return SimpleNamespace(vitals=SimpleNamespace(alive=vm != "down"))


@pytest.fixture
def talk() -> Talk:
    made = Talk()
    made.beat()
    return made


@pytest.fixture
def node(talk: Talk) -> Any:
    return SimpleNamespace(machines=Machines(), agents={"vm": talk.agent})


@pytest_twisted.ensureDeferred
async def test_each_verb_becomes_its_message(node: Any, talk: Talk) -> None:
    await desktop.desktop_login(node, "vm", "corp", "al", "pw")
    await desktop.desktop_login(node, "vm", "", "al", "pw")
    await desktop.desktop_logoff(node, "vm", "true")
    await desktop.desktop_lock(node, "vm")
    await desktop.send_command(node, "vm", "anything")
    assert talk.sent == [
        {"__name__": "login", "username": "al@corp", "password": "pw"},
        {"__name__": "login", "username": "al", "password": "pw"},
        {"__name__": "log-off"},
        {"__name__": "lock-screen"},
        {"__name__": "anything"},
    ]


@pytest_twisted.ensureDeferred
async def test_a_silent_agent_is_told_and_answers_19(node: Any, talk: Talk) -> None:
    talk.clock.advance(121)
    with pytest.raises(NotResponsive) as refused:
        await desktop.desktop_lock(node, "vm")
    assert refused.value.code == 19
    assert talk.sent == [{"__name__": "lock-screen"}]


@pytest.mark.parametrize("vm", ["nobody", "down"])
@pytest_twisted.ensureDeferred
async def test_a_machine_that_does_not_run_answers_1(node: Any, vm: str) -> None:
    with pytest.raises(NoSuchMachine):
        await desktop.desktop_lock(node, vm)


@pytest_twisted.ensureDeferred
async def test_a_machine_without_agent_answers_19(node: Any) -> None:
    with pytest.raises(NotResponsive):
        await desktop.desktop_lock(node, "another")


def test_the_password_is_kept_out_of_logs() -> None:
    assert verbs()["desktopLogin"].secret == {"password"}
    assert "password" in inspect.signature(desktop.desktop_login).parameters
