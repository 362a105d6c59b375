"""Jobs of this host: listed while they run and for an hour afterwards; nobody clears them.

Told on the event bus: `job.status` (id, info) when a job begins and when it ends.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from virgate.errors import InvalidParameter, Unexpected, VirgateError
from virgate.events import EventBus
from virgate.node.storage.values import Clock

KEPT = 3600.0
"""Seconds that a job is told of after its end."""

Work = Callable[["Job"], Awaitable[None]]


@define(eq=False)
class Job:
    """Runs from its start; `report` is for the work."""

    id: str
    description: str
    type: str = "storage"
    status: str = "pending"
    progress: int | None = None
    error: VirgateError | None = None

    def report(self, percent: float) -> None:
        self.progress = min(100, max(0, int(percent)))

    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "id": self.id,
            "status": self.status,
            "description": self.description,
            "job_type": self.type,
        }
        if self.progress is not None:
            found["progress"] = self.progress
        if self.error is not None:
            found["error"] = {"code": self.error.code, "message": str(self.error)}
        return found


@define(eq=False)
class JobRegistry:
    log = Logger()

    clock: Clock
    events: EventBus = field(factory=EventBus)
    _jobs: dict[str, Job] = field(factory=dict)
    _work: dict[str, Deferred[None]] = field(factory=dict)

    def start(self, id: str, description: str, work: Work, type: str = "storage") -> Job:
        """`InvalidParameter` (1000) for an id that is known already: a client that asks twice gets one job."""
        if id in self._jobs:
            raise InvalidParameter("job_id", id)
        job = self._jobs[id] = Job(id, description, type)
        running = Deferred.fromCoroutine(self._run(job, work))
        if job.status == "running":  # not over already
            self._work[id] = running
        return job

    def told(self, type: str | None = None, ids: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
        return {
            job.id: job.told()
            for job in self._jobs.values()
            if type in (None, "", job.type) and (not ids or job.id in ids)
        }

    async def close(self) -> None:
        """Ends what runs, and comes back when it has given back what it held."""
        running = list(self._work.values())
        for work in running:
            work.cancel()
        for work in running:
            await work

    async def _run(self, job: Job, work: Work) -> None:
        job.status = "running"
        self._tell(job)
        try:
            await work(job)
        except VirgateError as problem:
            job.status, job.error = "failed", problem
        except Exception as problem:  # cancelled, or a defect
            job.status, job.error = "failed", Unexpected(f"{type(problem).__name__}: {problem}")
            self.log.failure("job {job} ({what}) failed", job=job.id, what=job.description)
        else:
            job.status, job.progress = "done", 100
        finally:
            self._work.pop(job.id, None)
            self._tell(job)
            self.clock.callLater(KEPT, self._jobs.pop, job.id, None)

    def _tell(self, job: Job) -> None:
        self.events.tell("job.status", id=job.id, info=job.told())
