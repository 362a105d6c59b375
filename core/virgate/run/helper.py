"""Worker processes for file and device I/O that may hang.

A helper runs the plain blocking functions of one module (its `OPERATIONS`) in a process of its own, one after the
other, in the order they were asked for. Storage that hangs takes its own helper with it and nothing else: the worker
is killed and the next call gets a new one, even if the old one cannot die before the kernel lets it.

Nothing runs while nobody calls: signs of life are asked for only while an operation is under way.
"""

import errno
from collections import deque
from collections.abc import Iterator
from time import monotonic
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, TimeoutError, ensureDeferred
from twisted.logger import Logger

from virgate.run import frames
from virgate.run.errors import CannotStart, HelperFailed, HelperLost
from virgate.run.fence import Fence, admitted
from virgate.run.frames import Answer
from virgate.run.loop import reactor
from virgate.run.outcome import Outcome
from virgate.run.worker_handle import WorkerHandle

FAREWELL = 2.0
"""Seconds a worker has to end by itself when its helper is stopped, and again after it was killed."""

BEGINNING = 60.0
"""Seconds a new worker has to be ready. They are not the storage's: a busy host is slow to start programs, and workers
that are killed before they begin are all that a host would then be busy with."""

UNKILLABLE = 8
"""Killed workers that still hang in the kernel: with so many, calls fail at once instead of adding to them."""


@define(eq=False)
class _Call:
    number: int
    operation: str
    frame: bytes
    limit: float
    answer: Deferred[Any] = field(factory=Deferred)
    fence: Fence | None = None

    def fail(self, helper: str, detail: str) -> None:
        if not self.answer.called:
            self.answer.errback(HelperLost(helper, self.operation, detail))


class Helper:
    """The worker of one mount or device group; the process starts with the first call."""

    log = Logger()

    def __init__(
        self,
        name: str,
        operations: str,
        *,
        heartbeat: float = 5.0,
        patience: float = 30.0,
        fenced: bool = False,
        idle: float | None = None,
    ) -> None:
        """Asks for a sign of life every `heartbeat` seconds of an operation; gives up after `patience` of silence.

        A `fenced` one heeds the fence that its caller works behind (virgate.run.fence). After `idle` seconds without
        a call the worker ends: some 10 MiB less, and the next call pays for another start.
        """
        self.name = name
        self._fenced, self._idle = fenced, idle
        self._leisure: Any = None
        self._operations = operations
        self._heartbeat, self._patience = heartbeat, patience
        self._worker: WorkerHandle | None = None
        self._lost: set[WorkerHandle] = set()
        self._calls: deque[_Call] = deque()
        self._running: _Call | None = None
        self._number = 0
        self._ready = False
        self._heard_at = 0.0
        self._deadline = 0.0
        self._timer: Any = None
        self._stopped = False

    @property
    def pid(self) -> int | None:
        """The present worker's process, if there is one."""
        return self._worker.pid if self._worker else None

    @property
    def waiting(self) -> int:
        """Calls that have not been started."""
        return len(self._calls)

    @property
    def lost(self) -> int:
        """Workers that were killed and still hang in the kernel."""
        return len(self._lost)

    def call(self, operation: str, *args: Any, timeout: float | None = None) -> Deferred[Any]:
        """Runs an operation and answers with its result.

        Its time counts from when it begins, in a worker that is ready; None means the helper's patience, `math.inf` as
        long as it shows signs of life. OSError and VirgateError arrive as they were raised, anything else as
        HelperFailed. HelperLost fails this call and all that wait behind it. Cancelling forgets the answer; an
        operation that has begun goes on.
        """
        self._number += 1
        frame = frames.pack([self._number, operation, args])
        call = _Call(self._number, operation, frame, self._patience if timeout is None else timeout)
        if self._stopped:
            call.fail(self.name, "it was stopped")
        elif not self._fenced or self._may(call):
            self._calls.append(call)
            self._begin_next()
        return call.answer

    async def stop(self) -> None:
        """Ends the worker. Unfinished calls fail; later ones, too."""
        self._stopped = True
        worker = self._worker
        self._lose("it was stopped", kill=False)
        if worker:
            worker.dismiss()
            await self._farewell(worker)

    def fence_fell(self, fence: Fence) -> list[Outcome[None]]:
        """Kills the worker if it works on a call from behind the fence; such calls that wait fail, too."""
        for call in self._calls:
            if call.fence is fence:
                call.fail(self.name, "it may not go on")
        if self._running and self._running.fence is fence:
            self._lose("what it did may not go on")
        return [worker.gone for worker in self._lost]

    def _may(self, call: _Call) -> bool:
        try:
            call.fence = admitted()
        except Exception as problem:
            call.answer.errback(problem)
            return False
        if call.fence is not None:
            call.fence.add(self)
        return True

    def _begin_next(self) -> None:
        while self._calls and not self._running:
            call = self._calls.popleft()
            if call.answer.called:  # cancelled while it waited
                continue
            try:
                worker = self._worker or self._start()
            except (CannotStart, OSError) as problem:
                call.fail(self.name, str(problem))
                continue
            self._running = call
            worker.send(call.frame)
            self._time(call.limit if self._ready else BEGINNING)
        if self._leisure and self._leisure.active():
            self._leisure.cancel()
        if self._idle is not None and self._worker and not self._running:
            self._leisure = reactor.callLater(self._idle, self._doze)

    def _doze(self) -> None:
        worker, self._worker = self._worker, None
        if worker:
            worker.dismiss()

    def _start(self) -> WorkerHandle:
        if len(self._lost) >= UNKILLABLE:
            raise CannotStart("worker", f"{UNKILLABLE} killed ones still hang in the kernel", errno.EAGAIN)
        self._ready = False
        self._worker = WorkerHandle(self._operations, self._hear, self._lose)
        return self._worker

    def _time(self, limit: float) -> None:
        """The running call has so many seconds from now."""
        self._heard_at = monotonic()
        self._deadline = self._heard_at + limit
        self._timer = reactor.callLater(min(self._heartbeat, limit), self._check)

    def _check(self) -> None:
        now, call = monotonic(), self._running
        if call is None or self._worker is None:
            return
        if not self._ready:
            if now < self._deadline:
                self._timer = reactor.callLater(self._deadline - now, self._check)
            else:
                self._lose(f"its worker did not begin within {BEGINNING:g} seconds")
        elif now >= self._deadline:
            self._lose(f"no answer within {call.limit:g} seconds")
        elif now - self._heard_at >= self._patience:
            self._lose(f"no sign of life for {self._patience:g} seconds")
        else:
            self._worker.send(frames.pack([frames.HEARTBEAT]))
            self._timer = reactor.callLater(min(self._heartbeat, self._deadline - now), self._check)

    def _hear(self, frame: list[Any]) -> None:
        number, kind, payload = frame
        self._heard_at = monotonic()
        call = self._running
        if not self._ready:
            self._ready = True
            if call is not None:
                self._quiet()
                self._time(call.limit)
        if call is None or number != call.number:
            return
        self._rest()
        if not call.answer.called:
            self._answer(call, kind, payload)
        self._begin_next()

    def _answer(self, call: _Call, kind: int, payload: Any) -> None:
        match kind:
            case Answer.RESULT:
                call.answer.callback(payload)
            case Answer.OS_ERROR:
                call.answer.errback(frames.as_os_error(payload))
            case Answer.TYPED:
                call.answer.errback(payload)
            case _:
                line, trace = payload
                self.log.error(
                    "helper {name}: {operation} broke\n{trace}", name=self.name, operation=call.operation, trace=trace
                )
                call.answer.errback(HelperFailed(self.name, call.operation, line))

    def _rest(self) -> None:
        self._running = None
        self._quiet()

    def _quiet(self) -> None:
        if self._timer and self._timer.active():
            self._timer.cancel()

    def _lose(self, how: str, kill: bool = True) -> None:
        worker, self._worker = self._worker, None
        calls = [self._running, *self._calls] if self._running else []
        self._rest()
        self._calls.clear()
        if worker and kill and not worker.gone.known:
            self._lost.add(worker)
            worker.gone.wait().addCallback(lambda _: self._lost.discard(worker))
            worker.kill()
        if not self._stopped:
            self.log.warn("helper {name} lost its worker: {how}", name=self.name, how=how)
        for call in calls:
            call.fail(self.name, how)

    async def _farewell(self, worker: WorkerHandle) -> None:
        for final in (worker.kill, lambda: None):
            try:
                await worker.gone.wait().addTimeout(FAREWELL, reactor)
                return
            except TimeoutError:
                final()


class Helpers:
    """One helper per key (a mount, a device group), made when it is first asked for. They heed fences."""

    def __init__(
        self, operations: str, *, heartbeat: float = 5.0, patience: float = 30.0, idle: float | None = 60.0
    ) -> None:
        self._operations = operations
        self._options: dict[str, Any] = {"heartbeat": heartbeat, "patience": patience, "idle": idle, "fenced": True}
        self._helpers: dict[str, Helper] = {}

    def __getitem__(self, key: str) -> Helper:
        if key not in self._helpers:
            self._helpers[key] = Helper(key, self._operations, **self._options)
        return self._helpers[key]

    def __iter__(self) -> Iterator[Helper]:
        return iter(tuple(self._helpers.values()))

    async def drop(self, key: str) -> None:
        """Stops the helper of a mount that is gone."""
        if helper := self._helpers.pop(key, None):
            await helper.stop()

    async def close(self) -> None:
        helpers, self._helpers = self._helpers, {}
        for stopping in [ensureDeferred(helper.stop()) for helper in helpers.values()]:
            await stopping
