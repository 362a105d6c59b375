"""One machine's events keep their order; nothing that a script may wait for ever queues."""

import os

import pytest_twisted
from twisted.internet.defer import Deferred

from virgate import hookspecs
from virgate.hookscripts.serving import Service
from virgate.hookscripts.turns import Turns
from virgate.hookspecs.documents import Subject, XmlDocument


def start(turns, machine, name, log, *, waits):
    """Begins a turn; the answer ends it. Kept by the caller: a turn that nobody can end ends when garbage is swept."""
    gate = Deferred()

    async def work():
        async with turns.turn(machine, waits=waits):
            log.append(name)
            await gate

    done = Deferred.fromCoroutine(work())
    gate.done = done
    return gate


def test_an_events_point_waits_for_every_earlier_point_of_its_machine():
    turns, log = Turns(), []
    first = start(turns, "V", "verb", log, waits=False)
    second = start(turns, "V", "event", log, waits=True)
    third = start(turns, "V", "event 2", log, waits=True)
    assert log == ["verb"]
    first.callback(None)
    assert log == ["verb", "event"]
    second.callback(None)
    third.callback(None)
    assert log == ["verb", "event", "event 2"]


def test_a_point_that_a_flow_waits_for_starts_at_once():
    turns, log = Turns(), []
    gates = [
        start(turns, "V", "verb", log, waits=False),
        start(turns, "V", "event", log, waits=True),
        start(turns, "V", "verb of a script", log, waits=False),
    ]
    assert log == ["verb", "verb of a script"]
    for gate in gates:
        gate.callback(None)
    assert log == ["verb", "verb of a script", "event"]


def test_machines_do_not_wait_for_each_other():
    turns, log = Turns(), []
    gates = [start(turns, "V", "one", log, waits=True), start(turns, "W", "other", log, waits=True)]
    assert log == ["one", "other"]
    for gate in gates:
        gate.callback(None)


def test_a_cancelled_turn_lets_the_next_one_through():
    turns, log = Turns(), []
    first = start(turns, "V", "first", log, waits=True)
    second = start(turns, "V", "second", log, waits=True)
    third = start(turns, "V", "third", log, waits=True)
    for gate in (second, first):
        gate.done.addErrback(lambda _: None)
        gate.done.cancel()
    assert log == ["first", "third"]
    third.callback(None)
    assert turns._under_way == {}


@pytest_twisted.ensureDeferred
async def test_a_script_may_ask_for_a_verb_that_has_scripts_of_its_own(tree, runner):
    """after_vm_start waits for before_vm_cont of the same machine, as a script that resumes it would."""
    service = Service(runner)
    points = dict(service.implementations(hookspecs.modules()))
    pipe = tree.root.parent / "resumed"
    os.mkfifo(pipe)
    tree.write("after_vm_start/1", f"cat {pipe} >> {tree.root}/log; echo started >> {tree.root}/log")
    tree.write("before_vm_cont/1", f"echo resumed > {pipe}")
    tree.write("after_vm_cont/1", f"echo event >> {tree.root}/log")
    given = Subject("V"), XmlDocument("<a/>")
    going = [
        Deferred.fromCoroutine(points[name](*given)) for name in ("after_vm_start", "after_vm_cont", "before_vm_cont")
    ]
    for one in going:
        await one
    assert (tree.root / "log").read_text().split() == ["resumed", "started", "event"]


@pytest_twisted.ensureDeferred
async def test_scripts_of_different_machines_run_at_the_same_time(tree, runner):
    points = dict(Service(runner).implementations(hookspecs.modules()))
    pipe = tree.root.parent / "pipe"
    os.mkfifo(pipe)
    tree.write("after_vm_pause/1", f"[ $vmId = V ] && cat {pipe} > {tree.root}/seen || echo met > {pipe}")
    going = [
        Deferred.fromCoroutine(points["after_vm_pause"](Subject(name), XmlDocument("<a/>"))) for name in ("V", "W")
    ]
    for one in going:
        await one
    assert (tree.root / "seen").read_text() == "met\n"
