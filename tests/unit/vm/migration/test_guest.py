"""What a guest is told of its journey, and what of it travels (spec migration 5, step 2; 8.2)."""

from typing import Any

import pytest_twisted
from doubles.guests import Talk
from doubles.machines import Host
from twisted.internet.defer import Deferred

from virgate.domxml import metadata, tree
from virgate.node.vm.machine import Machine
from virgate.node.vm.migration import guest

EVENT = {"__name__": "lifecycle-event", "type": "after_migration"}


def written(host: Host, machine: Machine) -> dict[str, Any]:
    return metadata.read(tree.parse(host.domains.domains[machine.id].xml)).values


@pytest_twisted.ensureDeferred
async def test_a_guest_that_arrived_is_told_once_when_it_can_hear(host: Host, params: dict[str, Any]) -> None:
    machine, talk = await host.running(params), Talk()
    telling = Deferred.fromCoroutine(guest.welcome(machine))
    host.clock.advance(guest.PAUSE)
    machine.agent = talk.agent
    deliver, talk.agent.deliver = talk.agent.deliver, None
    talk.agent.version = 3
    host.clock.advance(guest.PAUSE)
    assert not telling.called and talk.sent == []
    talk.agent.deliver = deliver
    host.clock.pump([guest.PAUSE] * guest.ATTEMPTS)
    assert telling.called and talk.sent == [EVENT]


@pytest_twisted.ensureDeferred
async def test_a_guest_that_never_says_a_word_is_given_up(host: Host, params: dict[str, Any]) -> None:
    machine = await host.running(params)
    telling = Deferred.fromCoroutine(guest.welcome(machine))
    host.clock.pump([guest.PAUSE] * guest.ATTEMPTS)
    assert telling.called


@pytest_twisted.ensureDeferred
async def test_the_version_of_the_agent_is_written_into_the_domain(host: Host, params: dict[str, Any]) -> None:
    machine = await host.running(params)
    before = written(host, machine)
    await guest.note_version(machine)
    assert written(host, machine) == before, "there is no agent"
    talk = Talk()
    machine.agent, talk.agent.version = talk.agent, 3
    await guest.note_version(machine)
    await guest.note_version(machine)
    assert written(host, machine) == before | {guest.VERSION: 3}
    assert (await machine.document()).text.count(guest.VERSION) == 2
