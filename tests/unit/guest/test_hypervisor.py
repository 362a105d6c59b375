"""What is asked of a QEMU agent leaves libvirt as it was found."""

from typing import Any

import libvirt
import pytest
import pytest_twisted
from doubles.machines import ID, RecordingDomains

from virgate.events import EventBus
from virgate.libvirt import agent


class Domain:
    """Notes calls; `fail` is raised by every question."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.fail: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> dict[str, Any]:
            self.calls.append((name, *arguments))
            if self.fail is not None and not name.startswith("agentSet"):
                raise self.fail
            return {"asked": name}

        return call


@pytest.fixture
def domain() -> Domain:
    return Domain()


@pytest.fixture
def domains(domain: Domain) -> Any:
    made = RecordingDomains(EventBus())
    made.handles[ID] = domain
    return made


BLOCK = libvirt.VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK


@pytest_twisted.ensureDeferred
async def test_every_question_has_its_time_and_gives_it_back(domains: Any, domain: Domain) -> None:
    await agent.information(domains, ID, 5, 2)
    await agent.addresses(domains, ID, 2)
    await agent.processors(domains, ID, 2)
    times = ("agentSetResponseTimeout", 2, 0), ("agentSetResponseTimeout", BLOCK, 0)
    questions = [("guestInfo", 5, 0), ("interfaceAddresses", 1, 0), ("guestVcpus", 0)]
    assert domain.calls == [call for question in questions for call in (times[0], question, times[1])]


@pytest_twisted.ensureDeferred
async def test_a_question_that_fails_gives_its_time_back_too(domains: Any, domain: Domain) -> None:
    domain.fail = RuntimeError("no answer")
    with pytest.raises(RuntimeError):
        await agent.information(domains, ID, 1, 2)
    assert domain.calls[-1] == ("agentSetResponseTimeout", BLOCK, 0)


@pytest_twisted.ensureDeferred
async def test_a_question_for_nothing_which_would_be_for_everything_is_a_mistake(domains: Any) -> None:
    with pytest.raises(ValueError, match="nothing"):
        await agent.information(domains, ID, 0, 2)


@pytest_twisted.ensureDeferred
async def test_the_ways_down_go_through_the_agent(domains: Any, domain: Domain) -> None:
    await agent.shut_down(domains, ID)
    await agent.restart(domains, ID)
    assert domain.calls == [
        ("shutdownFlags", libvirt.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT),
        ("reboot", libvirt.VIR_DOMAIN_REBOOT_GUEST_AGENT),
    ]
