"""The host as the verbs see it."""

import os
import platform
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from virgate.config import Settings
from virgate.config.daemon import DaemonSettings
from virgate.errors import VirgateError
from virgate.events import EventBus
from virgate.hookscripts.report import Report
from virgate.hookscripts.settings import HookSettings
from virgate.hookspecs.documents import JsonDocument
from virgate.node.host.capabilities import capabilities
from virgate.node.host.cpu import VirtType, can_use_kvm, chosen_virt_type, read_cpu
from virgate.node.host.devices import device_with
from virgate.node.host.hypervisor import Documents, Hypervisor, read_documents
from virgate.node.host.identity import hardware, host_id, operating_system
from virgate.node.host.packages import Packages, read_packages
from virgate.node.host.report import MachinesReport
from virgate.node.host.sample import Sample, read_sample
from virgate.node.host.statistics import statistics
from virgate.node.host.tree import Tree
from virgate.plugins import Hooks

PERIOD = 15.0
"""Seconds between two samples."""
WINDOW = 5
"""Samples that figures are made of."""


class Host:
    """Facts are read when asked for, counters every 15 seconds. `settings` may be replaced while running."""

    log = Logger()

    def __init__(
        self,
        settings: Settings,
        hypervisor: Hypervisor,
        hooks: Hooks,
        *,
        storage_report: Callable[[], Mapping[str, Any]] = dict,
        machines_report: Callable[[], MachinesReport] = MachinesReport,
        imports_report: Callable[[], Mapping[str, Any]] = dict,
        events: EventBus,
        virt_type: str = "auto",
        tree: Tree | None = None,
        clock: Any = None,
    ) -> None:
        """`virt_type` is the setting [libvirt] virt_type; `storage_report` gives the last check of each domain."""
        self.settings = settings
        self._hypervisor = hypervisor
        self._hooks = hooks
        self._storage_report = storage_report
        self._machines_report = machines_report
        self._imports_report = imports_report
        self._tree = tree = tree or Tree()
        self._samples: deque[Sample] = deque(maxlen=WINDOW)
        self._clock: Any = clock or reactor
        self._sampling = LoopingCall(self._sample)
        self._sampling.clock = self._clock
        self._scripts = Report()
        self._documents: Documents | None = None
        self._packages: Packages | None = None
        self._born = time.monotonic()
        self._generation = str(uuid.uuid4())
        self.arch = platform.machine()
        self.system = operating_system(tree)
        self.kvm_usable = can_use_kvm(self.arch, read_cpu(tree).flags, _opens(tree.root / "dev/kvm"))
        self.virt_type: VirtType = chosen_virt_type(virt_type, self.kvm_usable)
        events.listen("libvirt.connected", self._forget_documents)

    @cached_property
    def uuid(self) -> str:
        return host_id(self._tree)

    def start(self) -> None:
        """Begins to sample."""
        if not self._sampling.running:
            done: Deferred[Any] = self._sampling.start(PERIOD)
            done.addErrback(lambda failure: self.log.failure("sampling the host ended", failure))

    def stop(self) -> None:
        if self._sampling.running:
            self._sampling.stop()

    async def capabilities(self) -> dict[str, Any]:
        """`info` of getVdsCapabilities without what concerns the asking client. Hook points: before/after_get_caps."""
        await self._hooks.before_get_caps(data=JsonDocument({}))
        if self._documents is None:
            self._documents = await read_documents(self._hypervisor, self.arch, self.virt_type)
        if self._packages is None:
            self._packages = await read_packages()
        found = capabilities(
            self._tree,
            arch=self.arch,
            host_id=self.uuid,
            kvm=self.kvm_usable,
            cpu=read_cpu(self._tree),
            documents=self._documents,
            packages=self._packages,
            system=self.system,
        )
        scripts = self._scripts.installed(self.settings[HookSettings].directories)
        if scripts is not None:
            found["hooks"] = scripts
        return await self._after("after_get_caps", found)

    async def statistics(self) -> dict[str, Any]:
        """`info` of getVdsStats. Hook points: before/after_get_stats."""
        await self._hooks.before_get_stats(data=JsonDocument({}))
        folders = [Path("/tmp"), Path("/var/log"), Path("/var/log/core"), self.settings[DaemonSettings].run_dir]  # noqa: S108
        found = statistics(self._tree, tuple(self._samples), self._machines_report(), self._storage_report(), folders)
        if len(self._samples) > 1:
            found["v2vJobs"] = dict(self._imports_report())
        found["elapsedTime"] = str(int(time.monotonic() - self._born))
        found["generationID"] = self._generation
        return await self._after("after_get_stats", found)

    async def hardware(self) -> dict[str, str]:
        """`info` of getVdsHardwareInfo: what is known of maker and model; empty on machines that do not say."""
        try:
            sysinfo = await self._hypervisor.call(lambda connection: connection.getSysinfo(0))
        except VirgateError as problem:  # many virtual machines have no such tables, others no connection
            self.log.debug("libvirt knows no hardware: {reason}", reason=str(problem))
            sysinfo = ""
        return hardware(sysinfo, self._tree)

    def device_with(self, address: str) -> str:
        """The network device that carries one of the host's addresses; empty when none does."""
        return device_with(self._tree, address)

    async def _after(self, point: str, found: dict[str, Any]) -> dict[str, Any]:
        document = JsonDocument(found)
        await getattr(self._hooks, point)(data=document)
        answer: dict[str, Any] = document.value
        return answer

    def _sample(self) -> None:
        self._samples.append(read_sample(self._tree, self._clock.seconds()))

    def _forget_documents(self, **_event: Any) -> None:
        self._documents = None


def _opens(device: Path) -> bool:
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True
