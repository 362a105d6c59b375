"""Several images to another domain in one task: all of them or none (spec xmlrpc-storage 3.5)."""

from collections.abc import Mapping

from attrs import frozen

from virgate.errors import InvalidParameter
from virgate.node.storage.errors import CannotMove
from virgate.node.storage.errors.images import CannotMoveAll
from virgate.node.storage.images.moving import Moving, locks_of
from virgate.node.storage.images.volumes import Wipe
from virgate.node.tasks.task import Task


@frozen
class ManyMoves:
    moving: Moving

    async def move(self, pool: str, domain: str, new_domain: str, images: Mapping[str, bool], force: bool) -> str:
        """The id of the task. It copies all, then deletes all here; of each image is said whether it is wiped.

        When a copy fails those made before it are deleted again: `CannotMoveAll` (264).
        """
        if not images:
            raise InvalidParameter("imgDict", images)
        missing: set[str] = set()
        for image in images:
            source, target = await self.moving.ends(pool, domain, new_domain, image)
            missing.update(await self.moving.may_move(source, target, image))

        async def job(task: Task) -> None:
            for number, image in enumerate(images):

                def report(percent: float, number: int = number) -> None:
                    task.report((number * 100 + percent) / len(images))

                try:
                    await self.moving.copy(pool, source, target, image, task, force=force, report=report)
                except CannotMove as problem:
                    raise CannotMoveAll(problem.image, problem.reason) from problem
            await task.conclude()
            for image, zero in images.items():
                await self.moving.drop(source, image, Wipe(zero))

        requests = locks_of(domain, new_domain, *images, *(missing - set(images)), exclusive=True)
        return await self.moving.jobs.start("moveMultipleImages", pool, job, *requests)
