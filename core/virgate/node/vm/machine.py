"""One machine: its record, its life, the order of its hooks, and the verbs that act on a running guest."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import DeferredLock

from virgate.domxml.values import flag
from virgate.hookspecs.documents import XmlDocument
from virgate.libvirt.errors import DomainNotFound, HypervisorFailed
from virgate.node.vm import inscription, readback, reporting
from virgate.node.vm.errors import CannotReset, Moving, NoSuchMachine, WrongState
from virgate.node.vm.figures import Figures, statistics
from virgate.node.vm.lane import Lane, Once
from virgate.node.vm.life import Status, Vitals, new_life
from virgate.node.vm.means import Means
from virgate.node.vm.migration.standing import Standing
from virgate.node.vm.record import GuestEvent, Record

if TYPE_CHECKING:
    from virgate.domxml.request import MachineRequest
    from virgate.node.guest.agent import GuestAgent
    from virgate.node.vm.hibernation.save import Saving
    from virgate.node.vm.launch import Launch
    from virgate.node.vm.migration.arrival import Arrival
    from virgate.node.vm.migration.departure import Departure
    from virgate.node.vm.powerdown import Powerdown

FAILED_IO = frozenset({"EIO", "EOTHER", "ENOSPC"})
UNSTARTABLE = frozenset({Status.LEAVING, Status.SAVING, Status.DOWN})


class Machine:
    """Ties the owners of one machine together. Libvirt events reach it through `happenings`."""

    def __init__(self, record: Record, means: Means, request: "MachineRequest | None" = None) -> None:
        self.record = record
        self.means = means
        self.request = request
        self.vitals = Vitals(means.monotonic, self.tell)
        self.life = new_life(self.vitals)
        self.figures = Figures()
        self.hook_lane = Lane()
        self.release = Once()
        self.launch: Launch | Arrival | None = None
        self.boot_ends_with = ""
        """The last event that libvirt tells of a start in progress; what comes before is no pause or continue."""
        self.powerdown: Powerdown | None = None
        self.departure: Departure | Saving | None = None
        """The move to another host, or to storage, that is under way."""
        self.standing = Standing()
        """What clients are told of the last move."""
        self.agent: GuestAgent | None = None
        """What is inside; while the guest runs."""
        self.shown: list[Callable[[], Mapping[str, Any]]] = []
        """Members that owners of other concerns add to the statistics; the last one wins."""
        self.changing = DeferredLock()
        """Held by whoever changes devices or volumes of the running guest."""

    def __repr__(self) -> str:
        return f"<Machine {self.record.id} {self.vitals.status}>"

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def acpi(self) -> bool:
        """Whether the guest has a power button."""
        return flag(self.record.conf.get("acpiEnable", True))

    @property
    def status(self) -> Status:
        """The status that statistics and events show; `vitals.status` is the internal one of `list`."""
        becomes = self.departure.becomes if self.departure is not None else None
        return reporting.reported(self.vitals, self.record, self.means.monotonic(), self.agent, becomes)

    def tell(self, **details: Any) -> None:
        """Puts the status on the bus: `vm.status` with vm, details and notify_time on the clock of statusTime."""
        members = reporting.event(self.vitals, self.record, self.status)
        if self.launch is not None and self.vitals.alive:
            members = statistics(self)  # clients learn everything about a new machine at once
        self.means.events.tell("vm.status", vm=self.id, details={**members, **details}, notify_time=self.vitals.now)

    async def pause(self) -> None:
        """Stops the guest's CPUs."""
        await self.means.hooks.before_vm_pause(vm=self.record.subject, domain=await self.document())
        await self.means.domains.suspend(self.id)
        self.life.halted("NOERR")

    async def cont(self) -> None:
        """Lets the guest's CPUs run on."""
        moves_on = self.vitals.status is Status.LEAVING and self.vitals.pause_code in FAILED_IO
        if self.vitals.status in UNSTARTABLE and not moves_on:
            raise WrongState(self.id, self.vitals.status)
        await self.means.hooks.before_vm_cont(vm=self.record.subject, domain=await self.document())
        await self.means.domains.resume(self.id)
        self.life.running()

    async def reset(self) -> None:
        """Presses the guest's reset button."""
        if not self.vitals.alive:
            raise NoSuchMachine(self.id)
        try:
            await self.means.domains.reset(self.id)
        except DomainNotFound:
            raise NoSuchMachine(self.id) from None
        except HypervisorFailed as refused:
            raise CannotReset(self.id, refused.detail) from refused
        self.guest_does(Status.REBOOTING)

    def guest_does(self, status: Status) -> None:
        """Notes that the guest is powering up, powering down or rebooting, and tells it."""
        self.record.guest = GuestEvent(status, self.means.monotonic())
        if status is Status.REBOOTING:
            self.record.started = self.means.wall()
        self.tell()

    def stays(self) -> None:
        """Raises `Moving` (code 51) while the machine is on its way to another host."""
        if self.departure is not None:
            raise Moving(self.id)

    async def devices_changed(self) -> None:
        """Reads anew what devices the guest has, keeps it and tells `vm.devices` with vm."""
        await self.document()
        readback.refresh(self)
        await inscription.keep_devices(self)
        self.means.events.tell("vm.devices", vm=self.id)

    async def document(self) -> XmlDocument:
        """The domain as it is now, for a hook."""
        self.record.xml = await self.means.domains.xml(self.id)
        return XmlDocument(self.record.xml)
