"""The bytes of one volume to a client or from one, as a task of the SPM (spec xmlrpc-host-vm 1.7, xmlrpc-storage 3.5).

Whoever asks brings the client's end: a `Sink` or a `Source`. Storage and client wait for each other, a piece at a
time; nothing is held as a whole. A task of which the client heard stays listed until somebody clears it, as every
task of the SPM. One that ended badly before the client heard of it is cleared here: nobody else knows its id.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import CancelledError

from virgate.errors import InvalidParameter, VirgateError
from virgate.node.storage.errors import CannotCopyImage, IllegalVolume, TransferEnded, VolumeNotWritable
from virgate.node.storage.formats.volume_metadata import Legality, VolumeFormat, VolumeRole
from virgate.node.storage.images.chain import Image, Volume
from virgate.node.storage.images.jobs import Jobs
from virgate.node.storage.images.volumes import extend_raw
from virgate.node.storage.repository import part
from virgate.node.storage.values import is_blank
from virgate.node.tasks.errors import TaskAborted
from virgate.node.tasks.locks import Request, storage
from virgate.node.tasks.locks import image as image_lock
from virgate.node.tasks.states import State
from virgate.node.tasks.task import Task

PIECE = 1 << 20
"""Bytes that are read or written at a time."""

Work = Callable[[Task], Awaitable[None]]


class Sink(Protocol):
    def begin(self, task: str) -> None:
        """Data follow, as many as were asked for. From here on the client knows of the task."""

    async def write(self, data: bytes) -> None:
        """Comes back when the client takes more."""


class Source(Protocol):
    async def read(self, size: int) -> bytes:
        """The next `size` bytes, neither more nor less."""


@frozen
class Place:
    """A volume as clients of the old API name it; without an id of its own it is the image's leaf."""

    pool: str
    domain: str
    image: str
    volume: str = ""

    def of(self, survey: Image) -> Volume:
        return survey.leaf() if is_blank(self.volume) else survey.volume(part(self.volume))


@frozen
class Transfers:
    """Both come back when the transfer is over, with the id of its task; cancelling them stops and undoes the task.

    They raise what the task raised, `TaskAborted` (411) if it was stopped, `TransferEnded` (443) when cancelled.
    """

    jobs: Jobs

    async def send(self, place: Place, length: int, sink: Sink) -> str:
        """The first `length` bytes of a volume. `IllegalVolume` (227) if its data are not to be trusted."""
        found = await self.jobs.ready(place.pool, place.domain)
        heard = False

        async def work(task: Task) -> None:
            nonlocal heard
            target = place.of(await found.images.survey(place.image))
            if target.metadata.legality is Legality.ILLEGAL:
                raise IllegalVolume(target.id)
            if length > target.size:
                raise InvalidParameter("length", length)
            await task.enter(found.images.used(place.image, target.id))
            start = 0
            while start < length:
                piece = await found.images.read_data(place.image, target.id, start, min(PIECE, length - start))
                if not piece:
                    raise CannotCopyImage(target.id, "a client", f"it ends after {start} bytes")
                if not start:
                    sink.begin(task.id)
                    heard = True
                await sink.write(piece)
                start += len(piece)
                task.report(100 * start / length)

        return await self._run("uploadImage", place, work, image_lock(place.domain, part(place.image)), lambda: heard)

    async def receive(self, place: Place, length: int, source: Source) -> str:
        """Writes `length` bytes over the beginning of a volume; a raw one grows if they are more than it has.

        `VolumeNotWritable` (213) if other volumes are based on it. What was written before a failure stays written.
        """
        found = await self.jobs.ready(place.pool, place.domain)

        async def work(task: Task) -> None:
            survey = await found.images.survey(place.image)
            target = place.of(survey)
            _must_be_writable(survey, target)
            if target.metadata.format is VolumeFormat.RAW and length > target.size:
                await extend_raw(found, place.image, target, max(length, target.metadata.capacity.bytes), task)
            else:
                await found.images.reserve(place.image, target.id, length)
            await task.enter(found.images.used(place.image, target.id))
            start = 0
            while start < length:
                piece = await source.read(min(PIECE, length - start))
                await found.images.write_data(place.image, target.id, start, piece)
                start += len(piece)
                task.report(100 * start / length)
            await found.images.flush(place.image, target.id)

        alone = image_lock(place.domain, part(place.image), exclusive=True)
        return await self._run("downloadImage", place, work, alone, lambda: False)

    async def _run(self, verb: str, place: Place, work: Work, lock: Request, heard: Callable[[], bool]) -> str:
        failure: VirgateError | None = None

        async def job(task: Task) -> Any:
            """What went wrong is kept as it is: a task's status does not tell every code (spec xmlrpc-storage 5.4)."""
            nonlocal failure
            try:
                await task.enter(self.jobs.locks.hold(lock))
                await work(task)
            except OSError as problem:
                failure = CannotCopyImage(place.volume or place.image, "a client", problem.strerror or str(problem))
                raise failure from problem
            except VirgateError as problem:
                failure = problem
                raise

        try:
            task = self.jobs.tasks.find(await self.jobs.start(verb, place.pool, job, storage(place.domain)))
        except CancelledError:
            raise TransferEnded() from None
        try:
            await task.done()
        except CancelledError:
            self._stop(task)
            await task.done()
            failure = TransferEnded()
        if task.state is State.FINISHED and failure is None:
            return task.id
        if not heard() and not (task.stopping and failure is None):  # whoever stopped it wants to see its end
            await self._forget(task)
        raise failure or TaskAborted(task.id)

    def _stop(self, task: Task) -> None:
        with suppress(VirgateError):  # the SPM's role may have gone, and its tasks with it
            self.jobs.tasks.stop(task.id)

    async def _forget(self, task: Task) -> None:
        with suppress(VirgateError):
            await self.jobs.tasks.clear(task.id)


def _must_be_writable(survey: Image, target: Volume) -> None:
    if target.metadata.role is VolumeRole.SHARED or survey.children(target.id):
        raise VolumeNotWritable(target.id)
