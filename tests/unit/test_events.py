"""The event bus: who hears, and who does not any more."""

from virgate.events import EventBus


def test_an_end_ends_its_own_listening_once():
    bus, heard = EventBus(), []
    first = bus.listen("topic", lambda: heard.append("a"))
    listener = lambda: heard.append("b")  # noqa: E731
    one, _ = bus.listen("topic", listener), bus.listen("topic", listener)
    first()
    first()
    one()
    one()
    bus.tell("topic")
    assert heard == ["b"]


def test_a_listener_that_fails_keeps_nobody_from_hearing():
    bus, heard = EventBus(), []
    bus.listen("topic", lambda value: 1 / value)
    bus.listen("topic", lambda value: heard.append(value))
    bus.tell("topic", value=0)
    assert heard == [0]


def test_a_listening_to_many_topics_ends_as_one():
    bus, heard = EventBus(), []
    end = bus.listen_all({"first": lambda: heard.append("first"), "second": lambda: heard.append("second")})
    bus.tell("second")
    end()
    end()
    bus.tell("first")
    assert heard == ["second"]
