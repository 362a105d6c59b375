"""Order without blocking: one coroutine after the other for one machine, and work that is done once for many askers."""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

Job = Callable[[], Awaitable[Any]]


class Lane:
    """Runs the jobs put into it one at a time, in order. A job that fails is logged and the next one runs."""

    log = Logger()

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._running = False
        self._waiting: list[Deferred[None]] = []

    def put(self, job: Job) -> None:
        self._jobs.append(job)
        if not self._running:
            self._running = True
            Deferred.fromCoroutine(self._run())

    async def empty(self) -> None:
        """Comes back when every job put so far has ended."""
        if self._running:
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting

    async def _run(self) -> None:
        while self._jobs:
            job = self._jobs.popleft()
            try:
                await job()
            except Exception:
                self.log.failure("a queued job failed")
        self._running = False
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)


class Once:
    """Work that happens at most once: the first asker starts it, the others wait for its end."""

    def __init__(self) -> None:
        self._started = False
        self._ended = False
        self._waiting: list[Deferred[None]] = []

    @property
    def started(self) -> bool:
        return self._started

    async def run(self, job: Job) -> None:
        """Runs `job` or waits for whoever runs it. Only the one who ran it sees its exception."""
        if self._started:
            if not self._ended:
                waiting: Deferred[None] = Deferred()
                self._waiting.append(waiting)
                await waiting
            return
        self._started = True
        try:
            await job()
        finally:
            self._ended = True
            waiting_ones, self._waiting = self._waiting, []
            for one in waiting_ones:
                one.callback(None)
