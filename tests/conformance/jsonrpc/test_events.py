"""Events of spec xmlrpc-host-vm 1.8 reach those who subscribed, and cost nothing when nobody does."""

import json

import pytest_twisted

EVENTS = "jms.queue.events"


def pause(talk):
    talk.node.events.tell("vm.status", vm="v1", details={"status": "Paused"}, notify_time=17)


@pytest_twisted.ensureDeferred
async def test_31_a_pause_is_an_event_for_every_subscriber(talk):
    clients = [talk.client, await talk.join()]
    for client in clients:
        client.say("SUBSCRIBE", destination=EVENTS, id="e", receipt="1")
        assert (await client.frame()).command == "RECEIPT"
    pause(talk)
    for client in clients:
        frame = await client.frame()
        assert (frame.command, frame.headers["destination"]) == ("MESSAGE", EVENTS)
        assert (frame.headers["subscription"], frame.headers["content-type"]) == ("e", "application/json")
        assert json.loads(frame.body) == {
            "jsonrpc": "2.0",
            "method": "|virt|VM_status|v1",
            "params": {"v1": {"status": "Paused"}, "notify_time": 17},
        }
    clients[1].transport.abortConnection()


@pytest_twisted.ensureDeferred
async def test_without_subscribers_nobody_listens_to_the_bus(talk):
    def listeners():
        return sum(map(len, talk.node.events._listeners.values()))

    assert listeners() == 0
    talk.client.say("SUBSCRIBE", destination=EVENTS, id="e", receipt="1")
    await talk.client.frame()
    assert listeners() > 0
    talk.client.say("UNSUBSCRIBE", id="e", receipt="2")
    await talk.client.frame()
    assert listeners() == 0
    pause(talk)
    assert await talk.client.result("Host.ping") is True  # and not the event


@pytest_twisted.ensureDeferred
async def test_an_event_that_json_has_no_form_of_is_left_out_and_later_ones_are_told(talk):
    talk.client.say("SUBSCRIBE", destination=EVENTS, id="e", receipt="1")
    await talk.client.frame()
    talk.node.events.tell("vm.status", vm="v1", details={"odd": object()}, notify_time=1)
    pause(talk)
    assert json.loads((await talk.client.frame()).body)["params"]["notify_time"] == 17
