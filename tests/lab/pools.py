"""A pool of nodes on shared places, made by the verbs that clients use (spec xmlrpc-storage 12).

pool = Pool(nodes, [nfs_place(nfs, "data"), nfs_place(nfs, "more")])
pool.make()                                # the first place holds the master, the first node is SPM
disk = pool.disk(MIB, form=RAW)            # an image with one volume, made by the SPM
pool.join(node)                            # a node that comes back
"""

import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lab.calls import PATIENCE, Refused
from lab.nodes import Node
from lab.process import Finished
from lab.servers import NfsServer

BLANK = "00000000-0000-0000-0000-000000000000"
COW, RAW = 4, 5
PREALLOCATED, SPARSE = 1, 2
COPY, MOVE = 1, 2
MIB = 1 << 20
DATA = 1


def new_id() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Place:
    """One connection and the domain in it. `kind` is the old API's number of the storage type."""

    kind: int
    remote: str
    options: tuple[tuple[str, str], ...] = ()
    domain: str = field(default_factory=new_id)

    @property
    def connection(self) -> dict[str, str]:
        return {"id": self.domain, "connection": self.remote, **dict(self.options)}


def nfs_place(nfs: NfsServer, export: str, *, timeout: float = 5.0) -> Place:
    """Soft mounted; an operation fails after two times `timeout` seconds without an answer."""
    told = {"protocol_version": "4", "timeout": str(round(timeout * 10)), "retrans": "1"}
    return Place(1, nfs.remote(export), tuple(told.items()))


def local_place(folder: str) -> Place:
    return Place(4, folder)


@dataclass(frozen=True)
class Disk:
    """Where a volume is."""

    domain: str
    image: str
    volume: str


class Pool:
    """`nodes[n]` has host id n + 1. Everything is asked of the SPM."""

    def __init__(self, nodes: Sequence[Node], places: Sequence[Place], *, id: str | None = None) -> None:
        self.nodes = list(nodes)
        self.places = list(places)
        self.id = id or new_id()
        self.version = 1
        self.spm = self.nodes[0]

    @property
    def master(self) -> str:
        return self.places[0].domain

    @property
    def domains(self) -> list[str]:
        return [place.domain for place in self.places]

    def make(self, version: str = "5") -> "Pool":
        """Servers, domains, pool, SPM: everything from nothing."""
        maker = self.nodes[0]
        for node in self.nodes:
            self.connect_servers(node)
        for number, place in enumerate(self.places, start=1):
            self.create_domain(maker, place, f"domain{number}", version)
        return self.found(maker)

    def found(self, maker: Node) -> "Pool":
        """The pool over domains that exist; every node is in it afterwards, the first is its SPM."""
        maker.call("createStoragePool", 0, self.id, "lab", self.master, self.domains, self.version, "ON", 5, 60, 10, 3)
        for node in self.nodes:
            self.join(node)
        self.start_spm(self.nodes[0])
        for domain in self.domains[1:]:
            self.spm.call("activateStorageDomain", domain, self.id)
        return self

    def create_domain(self, node: Node, place: Place, name: str, version: str = "5") -> None:
        node.call("createStorageDomain", place.kind, place.domain, name, place.remote, DATA, version)

    def connect_servers(self, node: Node, places: Iterable[Place] | None = None) -> None:
        for place in self.places if places is None else places:
            answer = node.call("connectStorageServer", place.kind, BLANK, [place.connection])
            for status in answer["statuslist"]:
                if status["status"]:
                    raise Refused(f"connectStorageServer {place.remote}", status["status"], node.last_words())

    def disconnect_servers(self, node: Node) -> None:
        for place in self.places:
            node.call("disconnectStorageServer", place.kind, BLANK, [place.connection])

    def join(self, node: Node) -> None:
        node.call("connectStoragePool", self.id, self.host_id(node), self.id, self.master, self.version)

    def rejoin(self, node: Node) -> None:
        """After a restart: the daemon knows nothing of servers and pools then."""
        self.connect_servers(node)
        self.join(node)

    def leave(self, node: Node) -> None:
        node.call("disconnectStoragePool", self.id, self.host_id(node), self.id)

    def host_id(self, node: Node) -> int:
        return self.nodes.index(node) + 1

    def out(self, domain: str) -> None:
        """Takes a domain out of the pool."""
        self.spm.call("deactivateStorageDomain", domain, self.id, BLANK, 0)
        self.spm.call("detachStorageDomain", domain, self.id, BLANK, 0)

    def back(self, domain: str) -> None:
        self.spm.call("attachStorageDomain", domain, self.id)
        self.spm.call("activateStorageDomain", domain, self.id)

    def findings(self) -> list[dict[str, str]]:
        """What a check of all domains finds that is worse than a note."""
        checks = [self.spm.call("checkStorageDomain", domain)["check"] for domain in self.domains]
        return [found for check in checks for found in check["findings"] if found["severity"] != "note"]

    # the SPM

    def status(self, node: Node) -> tuple[str, int, int]:
        """(role of that node, version, host id of the SPM)."""
        told = node.call("getSpmStatus", self.id)["spm_st"]
        return told["spmStatus"], int(told["spmLver"]), int(told["spmId"])

    def start_spm(self, node: Node, seconds: float = PATIENCE) -> None:
        _, version, host = self.status(node)
        try:
            node.do("spmStart", self.id, host, str(version), 0, "false", 250, seconds=seconds)
        except Refused:  # it may have been elected meanwhile, or stand for election now
            ends = time.monotonic() + seconds
            while (role := self.status(node)[0]) == "Contend" and time.monotonic() < ends:
                time.sleep(0.1)
            if role != "SPM":
                raise
        self.spm = node

    def wait_for_spm(self, among: Sequence[Node], seconds: float) -> Node:
        """The node that took the role by itself. TimeoutError when none did."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for node in among:
                if self.status(node)[0] == "SPM":
                    self.spm = node
                    return node
            time.sleep(0.1)
        raise TimeoutError(f"no SPM after {seconds:g} s; {[(node, self.status(node)) for node in among]}")

    def settle(self, seconds: float = PATIENCE) -> int:
        """Waits until every task of the SPM is done, and clears them all; returns how many there were."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.spm.call("getAllTasksStatuses")["allTasksStatus"]
            if all(task["taskState"] == "finished" for task in found.values()):
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"tasks do not end in {seconds:g} s: {found}")
            time.sleep(0.1)
        for task in found:
            self.spm.call("clearTask", task)
        return len(found)

    # disks

    def disk(
        self,
        size: int,
        *,
        form: int = COW,
        domain: str = "",
        parent: Disk | None = None,
        allocation: int = SPARSE,
        node: Node | None = None,
        **known: str,
    ) -> Disk:
        """A new image with a volume, or a snapshot: a volume above `parent`. `known` may tell its image and volume."""
        made = Disk(domain or self.master, new_id(), new_id())
        if parent is not None:
            made = replace(parent, volume=new_id())
        made = replace(made, **known)
        self.do("createVolume", *self.order(made, size, form, parent, allocation), node=node)
        return made

    def order(self, disk: Disk, size: int, form: int, parent: Disk | None, allocation: int = SPARSE) -> list[Any]:
        """What createVolume wants to hear."""
        above = [parent.image, parent.volume] if parent is not None else [BLANK, BLANK]
        return [disk.domain, self.id, disk.image, str(size), form, allocation, 2, disk.volume, "a disk", *above]

    def info(self, disk: Disk, node: Node | None = None) -> dict[str, Any]:
        return dict((node or self.spm).call("getVolumeInfo", disk.domain, self.id, disk.image, disk.volume)["info"])

    def volumes(self, domain: str = "", image: str = BLANK) -> set[str]:
        return set(self.spm.call("getVolumesList", domain or self.master, self.id, image)["uuidlist"])

    def prepare(self, disk: Disk, node: Node | None = None) -> str:
        """The path under which that node sees the volume."""
        return str((node or self.spm).call("prepareImage", self.id, disk.domain, disk.image, disk.volume)["path"])

    def teardown(self, disk: Disk, node: Node | None = None) -> None:
        (node or self.spm).call("teardownImage", self.id, disk.domain, disk.image, disk.volume)

    def do(self, verb: str, *arguments: Any, node: Node | None = None, seconds: float = PATIENCE) -> None:
        """A verb that answers a task, to its end."""
        (node or self.spm).do(verb, *arguments, seconds=seconds)

    # data, through prepared paths

    def write(self, disk: Disk, pattern: int, offset: int, size: int, node: Node | None = None) -> None:
        """Bytes of one value, by qemu-io."""
        self._qemu_io(disk, f"write -P {pattern} {offset} {size}", node or self.spm).check()

    def holds(self, disk: Disk, pattern: int, offset: int, size: int, node: Node | None = None) -> bool:
        """Whether a volume, its parents included, has those bytes there."""
        read = self._qemu_io(disk, f"read -P {pattern} {offset} {size}", node or self.spm)
        return "verification failed" not in read.stderr + read.stdout and bool(read.check())

    def _qemu_io(self, disk: Disk, command: str, node: Node) -> Finished:
        path = self.prepare(disk, node)
        form = "raw" if self.info(disk, node)["format"] == "RAW" else "qcow2"
        try:
            return node.host.run("qemu-io", "-f", form, "-c", command, path, check=False)
        finally:
            self.teardown(disk, node)
