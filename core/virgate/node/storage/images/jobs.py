"""Starting the tasks of a pool: only on its SPM, journaled in its master, with the locks of what they change."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import frozen

from virgate.node.storage.domains.domain import Domain
from virgate.node.storage.domains.domains import Domains
from virgate.node.storage.formats.task_files import Recovery
from virgate.node.storage.pools.pools import Pools
from virgate.node.tasks.locks import STORAGE, Locks, Request, image, storage
from virgate.node.tasks.manager import Tasks
from virgate.node.tasks.task import Task

Job = Callable[[Task], Awaitable[Any]]


@frozen
class Jobs:
    domains: Domains
    pools: Pools
    tasks: Tasks
    locks: Locks

    async def ready(self, pool: str, domain: str) -> Domain:
        """The domain, if this host is the pool's SPM: what can be said before a task begins."""
        self.pools.spm(pool)
        return await self.domains.find(domain)

    async def start(
        self,
        verb: str,
        pool: str,
        job: Job,
        *requests: Request,
        early: Callable[[Task], Awaitable[Sequence[Recovery]]] | None = None,
    ) -> str:
        """The task's id. It is on disk, and the locks of its domains are held, when this comes back.

        Images are waited for inside the task: a client need not wait with it. All is held until the task is done.
        `early` is called before the job, with everything held, when nothing has to be waited for: the rollback steps
        that it answers are on disk with the task.
        """
        taken = False
        domains = [request for request in requests if request.namespace == STORAGE]
        images = [request for request in requests if request.namespace != STORAGE]

        async def at_once(task: Task) -> Sequence[Recovery] | None:
            nonlocal taken
            if early is None or any(map(self.locks.busy, images)):
                return None
            await task.enter(self.locks.hold(*images))
            taken = True
            return await early(task)

        async def locked(task: Task) -> Any:
            if not taken:
                await task.enter(self.locks.hold(*images))
            return await job(task)

        store = self.pools.spm(pool).spm.store
        task = await self.tasks.start(verb, locked, store=store, holding=[self.locks.hold(*domains)], early=at_once)
        return task.id

    def folder(self, pool: str) -> str:
        """The pool's folder in the repository, as journals name it."""
        return str(self.domains.repository.pool(pool))


def on_image(domain: str, *images: str, shared: tuple[str, ...] = ()) -> tuple[Request, ...]:
    """Locks of a job that changes images of one domain, and reads the shared ones."""
    wanted = [image(domain, name, exclusive=True) for name in images]
    return (storage(domain), *wanted, *(image(domain, name) for name in shared))
