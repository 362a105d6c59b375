"""A machine whose disk has a chain of volumes, on a played libvirt domain that does what it is asked at once."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import libvirt
import pytest
import pytest_twisted
from attrs import define, field
from doubles.machines import Host, host, params
from twisted.internet.defer import Deferred

from virgate.domxml.facts import DiskRequest
from virgate.libvirt.errors import HypervisorFailed, OperationInvalid
from virgate.node.storage.sdm.registry import JobRegistry
from virgate.node.vm.blocks.merges import Merges
from virgate.node.vm.machine import Machine

__all__ = ["host", "params"]

POOL, DOMAIN, IMAGE = (f"{number:08x}-7777-4777-8777-777777777777" for number in (1, 2, 3))
VOLUMES = tuple(f"{number:08x}-8888-4888-8888-888888888888" for number in range(5))
BASE, MIDDLE, TOP, NEW, OTHER = VOLUMES
FOLDER = f"/rhev/{POOL}/{DOMAIN}/images/{IMAGE}"
DRIVE = {"domainID": DOMAIN, "imageID": IMAGE}


def disk_xml(
    volumes: Sequence[str], *, kind: str = "file", form: str = "qcow2", mirror: str = "", base: str = ""
) -> str:
    """The `<disk>` of a chain, base first; the base may have a format of its own."""
    place = "dev" if kind == "block" else "file"
    below = "<backingStore/>"
    for number, volume in enumerate(volumes[:-1]):
        kept = base or form if number == 0 else form
        below = (
            f"<backingStore type='{kind}' index='{number + 1}'><format type='{kept}'/>"
            f"<source {place}='{FOLDER}/{volume}'/>{below}</backingStore>"
        )
    return (
        f"<disk type='{kind}' device='disk'><driver name='qemu' type='{form}'/>"
        f"<source {place}='{FOLDER}/{volumes[-1]}' index='9'/>{below}{mirror}"
        "<target dev='vda' bus='virtio'/><alias name='ua-1'/></disk>"
    )


@define
class PlayedDomain:
    """Stands for libvirt's domain: notes calls; `fail` names one that raises."""

    host: Host
    machine: Machine
    calls: list[tuple[Any, ...]] = field(factory=list)
    job: dict[str, int] = field(factory=dict)
    fail: dict[str, Exception] = field(factory=dict)
    chain: list[str] = field(factory=lambda: [BASE, MIDDLE, TOP])
    kind: str = "file"
    base: str = ""
    mirror: str = ""
    agent: str = ""
    act: dict[str, Callable[[], None]] = field(factory=dict)

    def _note(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, *arguments))
        if name in self.act:
            self.act[name]()
        if name in self.fail:
            raise self.fail[name]

    @property
    def names(self) -> list[str]:
        return [call[0] for call in self.calls]

    def show(self) -> None:
        """Lets the document say what the chain is now."""
        import re

        found = self.host.domains.domains[self.machine.id]
        disk = disk_xml(self.chain, kind=self.kind, mirror=self.mirror, base=self.base)
        text = re.sub("<disk .*</disk>", "", found.xml, flags=re.S)
        text = re.sub("<channel type='unix'><target[^>]*/></channel>", "", text)
        channel = f"<channel type='unix'>{self.agent}</channel>" if self.agent else ""
        found.xml = text.replace("</devices>", f"{disk}{channel}</devices>")

    def move(self, *chain: str, mirror: str = "", job: int = 0) -> None:
        """What the hypervisor has come to."""
        self.chain, self.mirror = list(chain), mirror
        self.job = {"type": job, "bandwidth": 0, "cur": 5, "end": 10} if job else {}
        self.show()

    def snapshotCreateXML(self, xml: str, flags: int) -> None:
        self._note("snapshot", xml, flags)
        self.move(*self.chain, NEW)

    def blockCommit(self, target: str, base: str, top: str, bandwidth: int, flags: int) -> None:
        self._note("commit", target, base, top, bandwidth, flags)
        self.job = {"type": libvirt.VIR_DOMAIN_BLOCK_JOB_TYPE_COMMIT, "bandwidth": bandwidth, "cur": 1, "end": 10}

    def blockCopy(self, target: str, xml: str, params: Any, flags: int) -> None:
        self._note("copy", target, xml, flags)

    def blockJobAbort(self, target: str, flags: int) -> None:
        self._note("pivot" if flags else "abort", target)

    def blockJobInfo(self, target: str, flags: int) -> dict[str, int]:
        return self.job

    def blockResize(self, target: str, size: int, flags: int) -> None:
        self._note("resize", target, size)

    def fsFreeze(self, points: Any, flags: int) -> int:
        self._note("freeze")
        return 1

    def fsThaw(self, points: Any, flags: int) -> int:
        self._note("thaw")
        return 1

    def XMLDesc(self, flags: int) -> str:
        return "<domain/>"

    def abortJob(self) -> None:
        self._note("abort job")


@define
class PlayedStorage:
    """Volumes, room and metadata of storage, noted."""

    infos: dict[str, dict[str, Any]] = field(factory=dict)
    asked: list[tuple[Any, ...]] = field(factory=list)
    fail: list[Exception] = field(factory=list)

    async def info(self, domain: str, image: str, volume: str) -> dict[str, Any]:
        known = {"uuid": volume, "voltype": "INTERNAL", "format": "COW", "type": "SPARSE", "capacity": "1000"}
        return {**known, "apparentsize": "100", **self.infos.get(volume, {})}

    async def refresh(self, domain: str, image: str, volume: str) -> None:
        self.asked.append(("refresh", volume))

    async def grow_for(self, disk: Any, capacity: int, written: int, *, doubled: bool = False) -> int:
        self.asked.append(("grow", disk.volume, capacity, written))
        return written

    async def agree(self, domain: str, image: str, actual: Sequence[str], gone: Sequence[str]) -> None:
        self.asked.append(("agree", tuple(actual), tuple(gone)))
        if self.fail:
            raise self.fail.pop(0)

    async def let_go(self, domain: str, image: str, gone: Sequence[str]) -> None: ...


REFUSED = HypervisorFailed(1, "no")
INVALID = OperationInvalid(55, "not now")


@pytest_twisted.async_yield_fixture
async def machine(host: Host, params: dict[str, Any]) -> AsyncIterator[Machine]:
    made = await host.running(params)
    made.record.disks = (
        DiskRequest("vda", format="cow", pool_id=POOL, domain_id=DOMAIN, image_id=IMAGE, volume_id=TOP),
    )
    made.record.conf["devices"].append(
        {"type": "disk", "device": "disk", "name": "vda", "format": "cow", "poolID": POOL, **DRIVE, "volumeID": TOP}
    )
    yield made


@pytest.fixture
def played(host: Host, machine: Machine) -> PlayedDomain:
    made = host.domains.handles[machine.id] = PlayedDomain(host, machine)
    made.show()
    return made


@pytest.fixture
def storage() -> PlayedStorage:
    return PlayedStorage()


@pytest.fixture
def merges(host: Host, storage: PlayedStorage) -> Merges:
    registry = JobRegistry(host.clock)
    return Merges(storage, storage, storage, lambda: registry, host.clock)


def now(work: Any) -> Any:
    """The answer of what needs no waiting."""
    found: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(found.append)
    assert found, "it waits"
    if hasattr(found[0], "raiseException"):
        found[0].raiseException()
    return found[0]
