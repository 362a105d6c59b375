"""Imports: what can be imported, the jobs that do it, and what they left (spec xmlrpc-host-vm 2.5).

Jobs live with the daemon: when it ends they do, and the next one does not know them.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import TimeoutError
from twisted.logger import Logger

from virgate.domxml.errors import UnsafeXml
from virgate.events import EventBus
from virgate.libvirt import external
from virgate.libvirt.errors import HypervisorFailed
from virgate.node.v2v import archives, command, documents, ovf
from virgate.node.v2v.command import Places
from virgate.node.v2v.door import Images
from virgate.node.v2v.errors import (
    BadArchive,
    CannotConnect,
    ConversionFailed,
    JobExists,
    JobNotDone,
    NoConverter,
    NoSuchJob,
    NoSuchOvf,
)
from virgate.node.v2v.job import DONE, ENDED, Compose, Job, Program
from virgate.node.v2v.wish import FORMATS, Wish, job_id, shown, source_kind
from virgate.run.helper import Helper
from virgate.run.thread import ThreadPool

PATIENCE = 240.0
"""Seconds that another hypervisor may take to tell its machines: a large vCenter takes minutes."""
IDLE = 5.0
LONGEST_OVF = 4 << 20


@define(eq=False)
class Imports:
    log: ClassVar = Logger()

    folder: Path
    work: Path
    images: Images
    events: EventBus
    patience: float = PATIENCE
    clock: Any = reactor
    _jobs: dict[str, Job] = field(factory=dict)
    _threads: ThreadPool = field(factory=lambda: ThreadPool("v2v", 4))
    _files: Helper = field(factory=lambda: Helper("v2v", archives.__name__, idle=IDLE))

    # what there is

    async def machines(self, uri: str, user: str, password: str, names: Sequence[str] | None) -> list[dict[str, Any]]:
        """All machines of another hypervisor but those whose disks cannot be read."""
        kind = source_kind(uri)
        found = await self._ask(uri, external.machines, uri, user, password, _disks, names)
        told = []
        for seen in found:
            sizes = {documents.Place(*where): size for where, size in seen.sizes.items()}
            snapshots = None if kind == "xen" else seen.snapshots
            try:
                told.append(documents.told(documents.Foreign(seen.xml, seen.running, sizes, snapshots)))
            except (documents.Unreadable, UnsafeXml) as problem:
                self.log.warn("a machine of {uri} is left out: {why}", uri=shown(uri), why=str(problem))
        return told

    async def names(self, uri: str, user: str, password: str) -> list[str]:
        source_kind(uri)
        return list(await self._ask(uri, external.names, uri, user, password))

    async def in_archive(self, path: str) -> dict[str, Any]:
        """The machine in an OVA."""
        name, data = await self._description_in(path)
        try:
            return ovf.read(data, Path(name).stem)
        except (ovf.Unreadable, UnsafeXml) as problem:
            raise BadArchive(path, str(problem)) from None

    async def _description_in(self, path: str) -> tuple[str, str]:
        """Name and text of the OVF in an OVA."""
        try:
            kind, name, data = await self._files.call("find_ovf", path)
            if not kind:
                raise BadArchive(path, name)
            return name, data.decode("utf-8-sig")
        except OSError as problem:
            raise BadArchive(path, problem.strerror or str(problem)) from None
        except UnicodeDecodeError as problem:
            raise BadArchive(path, str(problem)) from None

    # jobs

    def convert(self, uri: str, user: str, password: str, wanted: Mapping[str, Any], job: str) -> None:
        """Begins to import a machine of another hypervisor."""
        kind, wish = source_kind(uri), Wish.read(wanted)
        if kind == "kvm":
            self._begin(job, wish, lambda _, paths: self._fetching(uri, user, password, wish, paths))
            return
        self._need(command.PROGRAM, command.PACKAGE)
        if kind == "xen":
            self._need("ssh-agent", "openssh-client")
        whole = with_user(uri, user) if kind == "vmware" else uri

        async def compose(places: Places, paths: Sequence[str]) -> Program:
            return _converter(command.from_hypervisor(job, wish, whole, kind, places), wish, places)

        self._begin(job, wish, compose, password if kind == "vmware" else "")

    def convert_archive(self, path: str, wanted: Mapping[str, Any], job: str) -> None:
        """Begins to import the machine in an OVA."""
        wish = Wish.read(wanted)
        if not path.startswith("/"):
            raise BadArchive(path, "the path is not absolute")
        self._need(command.PROGRAM, command.PACKAGE)

        async def compose(places: Places, paths: Sequence[str]) -> Program:
            try:
                ovf.check_files((await self._description_in(path))[1])
            except (ovf.Unreadable, UnsafeXml) as problem:
                raise BadArchive(path, str(problem)) from None
            return _converter(command.from_archive(job, wish, path, places), wish, places)

        self._begin(job, wish, compose)

    def description(self, job: str) -> str:
        """The OVF that the conversion wrote: `NoSuchJob` (66), `JobNotDone` (68), `NoSuchOvf` (67)."""
        found = self._find(job)
        if found.status != DONE:
            raise JobNotDone(job, found.status)
        try:
            with found.ovf.open("rb") as file:
                return file.read(LONGEST_OVF).decode("utf-8", "replace")
        except OSError:
            raise NoSuchOvf(job) from None

    def abort(self, job: str) -> None:
        """The job is aborted a moment later; one that has ended stays as it is."""
        self._find(job).abort()

    def delete(self, job: str) -> None:
        """Forgets a job that has ended, and its description; `JobNotDone` (68) for others."""
        found = self._find(job)
        if found.status not in ENDED:
            raise JobNotDone(job, found.status)
        found.forget()
        del self._jobs[job]

    def told(self) -> dict[str, dict[str, Any]]:
        return {job.id: job.told() for job in self._jobs.values()}

    async def stop(self) -> None:
        """Ends what runs; comes back when volumes are torn down and files with passwords gone."""
        for job in self._jobs.values():
            job.abort()
        for job in self._jobs.values():
            await job.ended()
            job.forget()
        self._jobs.clear()
        self._threads.close()
        await self._files.stop()

    def _find(self, job: str) -> Job:
        if job not in self._jobs:
            raise NoSuchJob(job)
        return self._jobs[job]

    def _begin(self, id: str, wish: Wish, compose: Compose, password: str = "") -> None:
        if job_id(id) in self._jobs:
            raise JobExists(id)
        job = self._jobs[id] = Job(id, wish, self.folder / id, self.work / id, self.images, self._tell)
        job.begin(compose, password)

    def _tell(self, job: Job) -> None:
        info = {"job_type": "v2v", **job.told()}
        if job.problem is not None:
            info["error"] = {"code": job.problem.code, "message": str(job.problem)}
        self.events.tell("job.status", id=job.id, info=info)

    def _need(self, program: str, package: str) -> None:
        if shutil.which(program) is None:
            raise NoConverter(program, package)

    async def _ask(self, uri: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Asks the other hypervisor in a thread; `CannotConnect` (65) for whatever goes wrong there."""
        try:
            return await self._threads.call(function, *arguments).addTimeout(self.patience, self.clock)
        except HypervisorFailed as problem:
            raise CannotConnect(shown(uri), problem.detail.replace(uri, shown(uri))) from None
        except TimeoutError:
            raise CannotConnect(shown(uri), f"no answer within {self.patience:g} seconds") from None

    async def _fetching(self, uri: str, user: str, password: str, wish: Wish, paths: Sequence[str]) -> Program:
        """KVM's machines are copied as they are, by a program of our own."""
        found = await self._ask(uri, external.machines, uri, user, password, _disks, [wish.name])
        if not found:
            raise ConversionFailed(f"{shown(uri)} has no machine {wish.name}")
        disks = _disks(found[0].xml)
        if len(disks) != len(paths):
            raise ConversionFailed(f"machine {wish.name} has {len(disks)} disks, volumes were given for {len(paths)}")
        formats = documents.formats(found[0].xml)
        if any(FORMATS.get(form, form) != wish.format for form in formats):
            raise ConversionFailed(f"disks of KVM keep their format: {', '.join(formats)}, not {wish.format}")
        order = {
            "uri": uri,
            "user": user,
            "password": password,
            "name": wish.name,
            "disks": [
                {"kind": kind, "name": name, "pool": pool, "target": path}
                for (kind, name, pool), path in zip(disks, paths, strict=True)
            ],
        }
        argv = [*command.GENTLY, sys.executable, "-m", "virgate.libvirt.fetching"]
        return Program(argv, dict(os.environ), json.dumps(order).encode())


def with_user(uri: str, user: str) -> str:
    """virt-v2v takes the user from the URI."""
    scheme, mark, rest = uri.partition("://")
    if not user or "@" in rest.partition("/")[0]:
        return uri
    return f"{scheme}{mark}{quote(user, safe='')}@{rest}"


def _converter(argv: Sequence[str], wish: Wish, places: Places) -> Program:
    return Program(argv, command.environment(os.environ, wish, places))


def _disks(xml: str) -> list[tuple[str, str, str]]:
    """Where a machine's hard disks are; none for a document that cannot be read, which is said later."""
    try:
        return [(one.kind, one.name, one.pool) for one in documents.places(xml)]
    except UnsafeXml:
        return []
