"""What documents of machines must know of this host: read when a machine needs it, kept as long as the connection."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.internet.defer import Deferred, TimeoutError
from twisted.logger import Logger

from virgate.domxml.facts import HostFacts, NodeDevice
from virgate.domxml.offers import Offers
from virgate.errors import VirgateError
from virgate.events import EventBus

if TYPE_CHECKING:
    from virgate.libvirt.connection import Hypervisor

EMULATOR_SETTINGS = Path("/etc/libvirt/qemu.conf")
PATIENCE = 10.0
"""Seconds that a start waits for a libvirt that does not answer; then it goes on with what is known."""


class Facts:
    """Calling it answers the facts as they are known; `learn` first makes those known that a machine's parameters
    depend on."""

    log = Logger()

    def __init__(
        self,
        base: Callable[[], HostFacts],
        hypervisor: "Hypervisor",
        events: EventBus,
        *,
        reactor: Any = None,
        emulator_settings: Path = EMULATOR_SETTINGS,
    ) -> None:
        self._base, self._hypervisor, self._reactor = base, hypervisor, reactor
        self._emulator_settings = emulator_settings
        self._offers: dict[str, Offers] = {}
        self._devices: dict[str, NodeDevice] = {}
        events.listen("libvirt.connected", self._forget)

    def __call__(self) -> HostFacts:
        return evolve(
            self._base(),
            offers=dict(self._offers),
            node_devices=dict(self._devices),
            spice_tls=_says_yes(self._emulator_settings, "spice_tls"),
        )

    async def learn(self, params: Mapping[str, Any]) -> None:
        """Never raises: what cannot be learnt stays unknown, and libvirt has the last word."""
        try:
            work = Deferred.fromCoroutine(self._learn(params))
            await work.addTimeout(PATIENCE, self._reactor or _reactor())
        except (VirgateError, TimeoutError) as problem:
            self.log.warn("libvirt did not tell what it offers: {why}", why=str(problem) or type(problem).__name__)

    async def _learn(self, params: Mapping[str, Any]) -> None:
        from virgate.domxml.fitting import default_machine
        from virgate.domxml.wanted import machine_and_host_devices

        machine, devices = machine_and_host_devices(params)
        usual = default_machine(self._base())
        await self._learn_machine(machine or usual)
        if not machine and not self._offers.get(usual, Offers()).known:
            await self._learn_machine("")
        if devices - self._devices.keys():
            from virgate.libvirt import node_devices
            from virgate.node.host.hostdev_documents import node_device

            for name in sorted(devices - self._devices.keys()):
                document = await node_devices.document(self._hypervisor, name)
                if document and (found := node_device(document)) is not None:
                    self._devices[name] = found

    async def _learn_machine(self, machine: str) -> None:
        if machine in self._offers:
            return
        from virgate.domxml import offers
        from virgate.libvirt.offering import domain_capabilities

        base = self._base()
        document = await domain_capabilities(self._hypervisor, base.arch, base.virt_type, machine or None)
        if document is not None:
            self._offers[machine] = offers.read(document) if document else Offers(machine, known=False)

    def _forget(self, **_event: Any) -> None:
        self._offers.clear()
        self._devices.clear()


def _says_yes(settings: Path, name: str) -> bool:
    """Whether libvirt's settings of QEMU have `name = 1`; not when they cannot be read."""
    try:
        lines = settings.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    values = [value.strip() for key, _, value in (line.partition("=") for line in lines) if key.strip() == name]
    return bool(values) and values[-1].split("#")[0].strip() == "1"


def _reactor() -> Any:
    from twisted.internet import reactor

    return reactor
