"""A storage room for tests: real helpers, real qemu-img, folders of the test, verbs called as transports do."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest_twisted
from twisted.internet.defer import Deferred

from virgate.api.dispatch import Api
from virgate.api.verb import Caller
from virgate.config import Settings
from virgate.events import EventBus
from virgate.hookspecs import leases, storage
from virgate.node.storage.assembling import OPERATIONS, Surroundings, assemble
from virgate.node.storage.images.qemu_img import QemuImg
from virgate.node.tasks.locks import Locks
from virgate.node.tasks.manager import Tasks
from virgate.node.tasks.recoveries import Recoveries
from virgate.plugins import Hooks
from virgate.run.helper import Helpers
from virgate_plugins.leases import local
from virgate_plugins.storage import localfs

BLANK = "00000000-0000-0000-0000-000000000000"
POOL = "5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e1001"


def uuid(kind: int, number: int = 1) -> str:
    """An id that shows what it is of: 2 domains, 3 images, 4 volumes."""
    return f"5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e{kind}{number:03}"


class Room:
    """One node's storage. `call` answers the reply struct, `ask` its members and fails on another code than 0."""

    def __init__(
        self, base: Path, *, clock: Any = None, qemu: QemuImg | None = None, plugins: Any = (), helpers: Any = None
    ) -> None:
        self.base = base
        self.events = EventBus()
        self.hooks = Hooks(storage, leases)
        for plugin in (localfs, local, *plugins):
            self.hooks.register(plugin, getattr(plugin, "__name__", str(plugin)))
        self.helpers = helpers or Helpers(OPERATIONS)
        recoveries = Recoveries()
        reactor: Any = clock
        if reactor is None:
            from twisted.internet import reactor
        self.tasks = Tasks(recoveries, self.events, clock=reactor)
        around = Surroundings(
            repository=base / "data-center",
            state_dir=base,
            run_dir=base / "run",
            helpers=self.helpers,
            hooks=self.hooks,
            events=self.events,
            tasks=self.tasks,
            recoveries=recoveries,
            locks=Locks(reactor, 5.0),
            clock=reactor,
            qemu=qemu,
        )
        self.storage = assemble(Settings(), around)
        self.node: Any = SimpleNamespace(
            storage=self.storage, tasks=self.tasks, events=self.events, hooks=self.hooks, ready=True, broken=False
        )
        self.api = Api(self.node)

    async def start(self) -> "Room":
        await self.storage.start()
        return self

    async def stop(self) -> None:
        await self.storage.stop()
        await self.tasks.abandon(None)
        await self.helpers.close()

    async def die(self) -> None:
        """As after kill -9: nothing is given back by the daemon, the kernel drops its locks."""
        for domain in self.storage.domains.known().values():
            await domain.lease.release()
        await self.storage.monitors.close(leave=False)
        ending = Deferred.fromCoroutine(self.tasks.abandon(None))  # jobs that hang never end: nobody waits for them
        ending.addErrback(lambda failure: None)
        await self.helpers.close()

    async def call(self, verb: str, *arguments: Any) -> dict[str, Any]:
        return await self.api.call(self.api.verbs[verb], arguments, Caller())

    async def code(self, verb: str, *arguments: Any) -> int:
        return int((await self.call(verb, *arguments))["status"]["code"])

    async def ask(self, verb: str, *arguments: Any) -> dict[str, Any]:
        answer = await self.call(verb, *arguments)
        assert answer["status"]["code"] == 0, (verb, answer["status"])
        return answer

    async def task(self, verb: str, *arguments: Any) -> dict[str, Any]:
        """Calls a verb that answers a task, waits for its end and clears it; answers the task's status."""
        return await self.wait((await self.ask(verb, *arguments))["uuid"])

    async def wait(self, task: str) -> dict[str, Any]:
        await self.tasks.find(task).done()
        status = (await self.ask("getTaskStatus", task))["taskStatus"]
        await self.ask("clearTask", task)
        return dict(status)

    async def done(self, verb: str, *arguments: Any) -> None:
        """As `task`, and the task must have succeeded."""
        status = await self.task(verb, *arguments)
        assert (status["taskState"], status["taskResult"], status["code"]) == ("finished", "success", 0), status

    async def job(self, verb: str, id: str, *arguments: Any) -> dict[str, Any]:
        """Starts a job of this host and waits for its end; what `getJobs` tells of it."""
        await self.ask(verb, id, *arguments)
        if work := self.storage.job_registry._work.get(id):
            await work
        return dict((await self.ask("getJobs", "", [id]))["jobs"][id])

    def folder(self, name: str) -> str:
        folder = self.base / name
        folder.mkdir(exist_ok=True)
        return str(folder)

    # the steps of spec xmlrpc-storage 12.1

    async def domain(self, number: int = 1, *, version: str = "5", domain_class: int = 1) -> str:
        """A new local domain in a folder of its own, `dom<number>`."""
        folder = self.folder(f"dom{number}")
        await self.ask("connectStorageServer", 4, BLANK, [{"id": f"c{number}", "connection": folder}])
        await self.ask("createStorageDomain", 4, uuid(2, number), f"local{number}", folder, domain_class, version)
        return uuid(2, number)

    async def pool(self, *, version: str = "5", memory: bool = False, domains: int = 1) -> str:
        """A connected pool whose SPM this node is; the first domain is its master, all are active."""
        found = [await self.domain(number + 1, version=version) for number in range(domains)]
        await self.ask("createStoragePool", 0, POOL, "dc1", found[0], found, 1, "ON", 5, 60, 10, 3)
        await self.connect(memory=memory, domains=found)
        await self.start_spm()
        for domain in found[1:]:
            await self.ask("activateStorageDomain", domain, POOL)
        return POOL

    async def connect(self, *, memory: bool = False, domains: Any = ()) -> None:
        statuses = [dict.fromkeys(domains or [uuid(2)], "active")] if memory else []
        await self.ask("connectStoragePool", POOL, 1, POOL, uuid(2), 1, *statuses)

    async def start_spm(self) -> None:
        await self.done("spmStart", POOL, -1, "-1", 0, "false", 250)

    async def volume(
        self,
        number: int = 1,
        *,
        image: int = 1,
        size: str = "10485760",
        form: int = 5,
        allocation: int = 2,
        parent: tuple[int, int] | None = None,
        domain: int = 1,
    ) -> str:
        """A new volume; `parent` is (image, volume)."""
        source = (uuid(3, parent[0]), uuid(4, parent[1])) if parent else (BLANK, BLANK)
        await self.done(
            "createVolume",
            uuid(2, domain), POOL, uuid(3, image), size, form, allocation, 2, uuid(4, number), "a disk", *source,
        )  # fmt: skip
        return uuid(4, number)

    async def info(self, number: int = 1, *, image: int = 1, domain: int = 1) -> dict[str, Any]:
        answer = await self.ask("getVolumeInfo", uuid(2, domain), POOL, uuid(3, image), uuid(4, number))
        return dict(answer["info"])


@pytest_twisted.async_yield_fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    """A fixture: a conftest.py imports it."""
    made = await Room(tmp_path).start()
    yield made
    await made.stop()
