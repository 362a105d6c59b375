"""Work that nobody waits for ends in the log when it breaks."""

from twisted.internet.defer import Deferred
from twisted.logger import Logger, globalLogPublisher

from virgate.run.background import background


def test_what_breaks_is_told_with_what_it_was_about() -> None:
    async def broken() -> None:
        await waiting
        raise ValueError("odd")

    told: list[dict[str, object]] = []
    waiting: Deferred[None] = Deferred()
    globalLogPublisher.addObserver(told.append)
    try:
        background(broken(), Logger(), "{vm} was not released", vm="v1")
        assert told == []
        waiting.callback(None)
    finally:
        globalLogPublisher.removeObserver(told.append)
    (event,) = told
    assert (event["vm"], event["log_format"]) == ("v1", "{vm} was not released")
    assert str(event["log_failure"].value) == "odd"  # type: ignore[attr-defined]


def test_it_begins_at_once() -> None:
    begun = []

    async def work() -> None:
        begun.append(True)

    background(work(), Logger(), "never")
    assert begun == [True]
