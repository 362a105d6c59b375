"""What every change of a running machine's devices has in common."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from virgate.domxml import tree
from virgate.domxml.metadata import DeviceMetadata, texts
from virgate.domxml.pairing import pair
from virgate.errors import VirgateError
from virgate.hookspecs.documents import XmlDocument
from virgate.libvirt import plugging as hypervisor
from virgate.libvirt.errors import DomainNotFound, HypervisorAway
from virgate.node.vm import inscription
from virgate.node.vm.errors import Moving, NoSuchMachine
from virgate.node.vm.life import Status

if TYPE_CHECKING:
    from virgate.domxml.values import Conf
    from virgate.node.vm.machine import Machine

BUSY = frozenset({Status.LEAVING, Status.SAVING})
SIGNS = {"disk": ("name",), "interface": ("macAddr",), "lease": ("sd_id", "lease_id")}
"""What tells devices of a type apart; the others have an alias as soon as they are there."""


@asynccontextmanager
async def changing(machine: "Machine") -> AsyncIterator[None]:
    """Inside, nobody else changes the machine. `NoSuchMachine` without a guest, `Moving` (51) when it leaves.

    Hooks run inside, too: a script that changes devices of its own machine waits for itself.
    """
    stays(machine)
    await machine.changing.acquire()
    try:
        stays(machine)
        yield
    finally:
        machine.changing.release()


def runs(machine: "Machine") -> None:
    """Raises `NoSuchMachine` (1) when there is no guest."""
    if not machine.vitals.alive or machine.launch is not None:
        raise NoSuchMachine(machine.id)


def stays(machine: "Machine") -> None:
    """Raises as `runs`, and `Moving` (51)."""
    runs(machine)
    machine.stays()
    if machine.vitals.status in BUSY:
        raise Moving(machine.id)


def document_of(element: tree.Element, device: Mapping[str, Any], *, xml_form: bool = False) -> XmlDocument:
    """The device as hooks get it: its element, and its own properties (spec hooks 1.4)."""
    text = tree.pretty(element) if xml_form else tree.one_line(element)
    return XmlDocument(text, custom=texts(device.get("custom")))


def element_of(machine: "Machine", device: "Conf") -> tree.Element | None:
    """The device in the machine's last known document."""
    shown = tree.children(tree.parse(machine.record.xml).find("devices"))
    pairs = pair(shown, machine.record.conf["devices"])
    return next((found for known, found in pairs if known is device), None)


async def present(machine: "Machine", device: "Conf | None", missing: VirgateError) -> tuple["Conf", tree.Element]:
    """A listed device and what it is in the machine's document now; raises `missing` without either."""
    await machine.document()
    element = None if device is None else element_of(machine, device)
    if device is None or element is None:
        raise missing
    return device, element


def alias_of(element: tree.Element) -> str:
    return tree.attribute(element, "alias", "name")


def is_there(root: tree.Element, alias: str) -> bool:
    """Whether a document has the device of this alias."""
    return any(found.get("name") == alias for found in root.iterfind("devices/*/alias"))


async def enlist(machine: "Machine", device: "Conf", *more: DeviceMetadata) -> None:
    """Notes the device before the hypervisor has it. `more` is what the client's document tells of it."""
    add(machine, device)
    await machine.document()
    await inscription.keep_devices(machine, *more)


async def attach(machine: "Machine", text: str, undo: AsyncExitStack, kept: Callable[[], None] = lambda: None) -> None:
    """Gives the hypervisor the device; from then on nothing is undone, and `kept` is called.

    When the hypervisor went away meanwhile it may have the device: then, too, everything stays as it is, and what is
    not there is forgotten when it answers again (`late.py`).
    """
    try:
        await hypervisor.attach(machine.means.domains, machine.id, text)
    except HypervisorAway:
        undo.pop_all()
        kept()
        raise
    undo.pop_all()
    kept()


async def strike(machine: "Machine", device: "Conf") -> None:
    """Takes back what `enlist` noted, as far as the hypervisor lets us. A machine that is gone has nothing noted."""
    forget(machine, device)
    with suppress(DomainNotFound):
        await machine.document()
        await inscription.keep_devices(machine)


def add(machine: "Machine", device: "Conf") -> None:
    """Lists are replaced, not changed: answers to clients may still refer to the old ones."""
    machine.record.conf["devices"] = [*machine.record.conf["devices"], device]


def forget(machine: "Machine", device: "Conf") -> None:
    """Also of what storage has to tear down for the machine."""
    record = machine.record
    record.conf["devices"] = [one for one in record.conf["devices"] if not is_same(one, device)]
    if device.get("type") == "disk":
        record.disks = tuple(disk for disk in record.disks if disk.target != device.get("name"))


def is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two structs mean one device: lists are made anew whenever devices are read back."""
    if one is other:
        return True
    sign = SIGNS.get(str(one.get("type")), ("alias",))
    return one.get("type") == other.get("type") and all(one.get(name) and one[name] == other.get(name) for name in sign)
