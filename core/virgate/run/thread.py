"""Bounded pools of threads for libraries that block.

One pool per thing that can hang (a hypervisor connection, say), so a stuck one starves nobody else. Threads are made
when they are needed and are daemons: a call that never returns does not keep the process alive.
"""

from _thread import start_new_thread
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from virgate.run.errors import PoolClosed
from virgate.run.loop import reactor

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Job = tuple[Deferred[Any], Callable[[], Any]]


class ThreadPool:
    """At most `size` threads, first come, first served. Everything but the called function is the reactor's."""

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads = 0
        self._unfinished: set[Deferred[Any]] = set()
        self._closed = False

    @property
    def running(self) -> int:
        """Calls that occupy a thread."""
        return min(len(self._unfinished), self._threads)

    @property
    def waiting(self) -> int:
        """Calls that wait for a free thread."""
        return len(self._unfinished) - self.running

    def call(
        self, function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Deferred[Result]:
        """Runs the function in a thread. Cancelling forgets the answer; a function already started goes on."""
        if self._closed:
            raise PoolClosed(self.name)
        answer: Deferred[Result] = Deferred()
        context = copy_context()
        self._unfinished.add(answer)
        self._jobs.put((answer, lambda: context.run(function, *args, **kwargs)))
        if len(self._unfinished) > self._threads < self.size:
            self._threads += 1
            start_new_thread(self._work, ())  # a `Thread` waits until it runs: on a busy host the reactor would, too
        return answer

    def close(self) -> None:
        """Takes no more calls and fails the unfinished ones; a function that runs ends by itself, unheard."""
        self._closed = True
        for answer in tuple(self._unfinished):
            answer.cancel()
        for _ in range(self._threads):
            self._jobs.put(None)

    def _work(self) -> None:
        while job := self._jobs.get():
            answer, function = job
            result: object = None
            if not answer.called:  # cancelled while it waited
                try:
                    result = function()
                except BaseException:
                    result = Failure()  # type: ignore[no-untyped-call]
            reactor.callFromThread(self._finish, answer, result)
            del job, answer, function, result  # else an idle thread keeps the last answer alive

    def _finish(self, answer: Deferred[Any], result: object) -> None:
        self._unfinished.discard(answer)
        if answer.called:
            return
        if isinstance(result, Failure):
            answer.errback(result)
        else:
            answer.callback(result)
