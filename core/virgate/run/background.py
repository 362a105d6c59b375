"""Work that nobody waits for."""

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger


def background(work: Coroutine[Any, Any, Any], log: Logger, trouble: str, **about: Any) -> None:
    """Begins at once. What breaks is in the log as `trouble`, a format over `about`, with its traceback."""
    Deferred.fromCoroutine(work).addErrback(lambda failure: log.failure(trouble, failure, **about))
